"""`python -m train import`: bring in a checkpoint of another repository.

Of the Spikformer, Spikingformer, Spike-driven Transformer, Max-Former or QKFormer repositories, or
of SpikingJelly's models.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from spikehalt.commands import whole
from spikehalt.console import note, say
from spikehalt.datasets.errors import raised_as
from spikehalt.datasets.preprocessing import Preprocessing
from spikehalt.datasets.texts import read_names
from spikehalt.errors import ConfigError
from spikehalt.files import beside
from train.cli.options.fields import add_changes, given_names, named, read_changes
from train.cli.options.outputs import check_writable
from train.config import ModelConfig, require
from train.importing.variants import VARIANTS, variant

if TYPE_CHECKING:
    from train.checkpoint import Checkpoint


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.usage = (
        "%(prog)s FILE [--from NAME] [--out CKPT] [--classes-file names.txt] "
        "[--recalibrate PATH] [--key value …]"
    )
    parser.add_argument("file", metavar="FILE", help="the published checkpoint")
    parser.add_argument(
        "--from",
        dest="published",
        type=named(variant),
        metavar="NAME",
        help=f"the published network that FILE belongs to, one of {', '.join(VARIANTS)}; it fixes "
        "what tensors do not tell. Not needed where only one network has FILE's tensor names",
    )
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="default: FILE with the ending .spikehalt.pt"
    )
    parser.add_argument(
        "--recalibrate",
        metavar="PATH",
        help="a folder or zip of your images (event frames), labels not needed: BatchNorm gets "
        "their statistics, for networks that differ from the code which trained them",
    )
    parser.add_argument(
        "--count",
        type=whole(1),
        default=512,
        metavar="N",
        help="so many of those images, spread over all (default 512)",
    )
    parser.add_argument("--classes-file", metavar="FILE", help="names of the classes, one per line")
    add_changes(parser, Preprocessing)
    add_changes(parser, ModelConfig, without=("arch",))


def run(arguments: argparse.Namespace) -> int:
    """Convert the file and report what was chosen."""
    target = arguments.out or beside(arguments.file, ".spikehalt.pt")
    check_writable(target, "--out", makes_folders=True)
    from train.checkpoint import save_checkpoint
    from train.importing.convert import import_checkpoint

    published = arguments.published and arguments.published.name
    changes = given_names(ModelConfig, arguments)
    names = _class_names(arguments.classes_file)
    checkpoint = import_checkpoint(arguments.file, published, changes, names)
    preprocessing = _preprocessing(checkpoint.preprocessing, arguments)
    checkpoint = replace(checkpoint, preprocessing=preprocessing)
    if arguments.recalibrate:
        checkpoint = _recalibrated(checkpoint, arguments.recalibrate, arguments.count)
    save_checkpoint(target, checkpoint)
    _report(checkpoint)
    count = sum(value.numel() for value in checkpoint.weights.values())
    say(f"placed {len(checkpoint.weights)} tensors ({count:,} values) → {target}")
    return 0


def _recalibrated(checkpoint: Checkpoint, path: str, count: int) -> Checkpoint:
    """With BatchNorm statistics of images."""
    from train.data.unlabelled import load_unlabelled
    from train.importing.recalibrate import recalibrate

    require(count >= 2, f"--count is {count}, must be at least 2: one image has no statistics")
    images = load_unlabelled(path, checkpoint.model, checkpoint.preprocessing, count)
    require(len(images) >= 2, f"{path} holds one image; statistics need at least two")
    network = checkpoint.network()
    recalibrate(network, images)
    assert checkpoint.origin is not None
    origin = replace(checkpoint.origin, recalibrated=len(images))
    return replace(checkpoint, weights=network.state_dict(), origin=origin)


def _report(checkpoint: Checkpoint) -> None:
    """What was chosen and why, for the reader to check."""
    assert checkpoint.origin is not None
    for name, value in checkpoint.origin.describe():
        note(f"{name}: {value}")
    note(f"image files: {checkpoint.preprocessing.describe()}")


def _preprocessing(theirs: Preprocessing, arguments: argparse.Namespace) -> Preprocessing:
    preprocessing = read_changes(theirs, arguments)
    share = preprocessing.crop_share
    require(0 < share <= 1, f"--crop-share is {share}, must be in (0, 1]")
    return preprocessing


def _class_names(path: str | None) -> tuple[str, ...]:
    """One name per line, UTF-8."""
    if path is None:
        return ()
    with raised_as(ConfigError):
        return read_names(path)
