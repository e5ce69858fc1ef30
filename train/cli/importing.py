"""`python -m train import`: bring in a checkpoint of another repository.

Of the Spikformer, Spikingformer or Spike-driven Transformer repositories, or of SpikingJelly's
models.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from spikehalt.console import say
from spikehalt.datasets.errors import raised_as
from spikehalt.datasets.preprocessing import Preprocessing
from spikehalt.datasets.texts import read_names
from spikehalt.errors import ConfigError
from train.cli.options.fields import Original, add_changes, named, read_changes
from train.cli.options.outputs import check_writable
from train.config import NAMED_MODELS, ModelConfig, named_model, require


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.usage = (
        "%(prog)s FILE --arch NAME [--out CKPT] [--classes-file names.txt] [--key value …]"
    )
    parser.add_argument("file", metavar="FILE", help="the published checkpoint")
    parser.add_argument(
        "--arch",
        dest="model",
        action=Original,
        type=named(named_model),
        required=True,
        metavar="NAME",
        help=f"the model that it is of, one of {', '.join(NAMED_MODELS)}; --help behind it shows "
        "its values",
    )
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="default: FILE with the ending .spikehalt.pt"
    )
    parser.add_argument("--classes-file", metavar="FILE", help="names of the classes, one a line")
    add_changes(parser, Preprocessing)
    add_changes(parser, ModelConfig, without=("arch",))


def run(arguments: argparse.Namespace) -> int:
    """Place its weights in a network of ours."""
    model = read_changes(arguments.model, arguments)
    preprocessing = read_changes(Preprocessing(), arguments)
    share = preprocessing.crop_share
    require(0 < share <= 1, f"--crop-share is {share}, must be in (0, 1]")
    target = arguments.out or Path(arguments.file).with_suffix(".spikehalt.pt")
    check_writable(target, "--out", makes_folders=True)
    from train.checkpoint import save_checkpoint
    from train.importing import import_checkpoint

    checkpoint = import_checkpoint(arguments.file, model, _class_names(arguments.classes_file))
    checkpoint = replace(checkpoint, preprocessing=preprocessing)
    save_checkpoint(target, checkpoint)
    count = sum(value.numel() for value in checkpoint.weights.values())
    say(
        f"placed {len(checkpoint.weights)} tensors ({count:,} values) of a "
        f"{checkpoint.metrics['imported_from']} checkpoint → {target}"
    )
    return 0


def _class_names(path: str | None) -> tuple[str, ...]:
    """One name per line, UTF-8."""
    if path is None:
        return ()
    with raised_as(ConfigError):
        return read_names(path)
