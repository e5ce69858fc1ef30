"""Arguments that several commands share, and the engine they describe."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from runtime.backends import registry
from runtime.bundle import InputSpec
from runtime.engine import Engine
from runtime.errors import BundleWriteError
from runtime.inputs.files import Sample, batches, search, spread
from runtime.opening import threads_notice
from runtime.sensors import sensor_names
from spikehalt import console
from spikehalt.commands import whole
from spikehalt.exits import POLICIES
from spikehalt.vocabulary import Fit, Interpolation, Orientation

BUNDLE_HELP = "folder written by `python -m export.to_trt`"
positive = whole(1)
MAX_BATCH, MAX_QUEUE, MAX_PROCESSES = 2**16, 10**6, 1024
MAX_FPS, MAX_PORT = 1e4, 2**16 - 1
PUBLIC_KEY_HELP = "the key that must have signed it"
IMAGES_HELP = "files, folders or zips of images, or of event frames (.npz)"


def add_bundle(parser: argparse.ArgumentParser) -> None:
    """The bundle, and how the backend runs it."""
    parser.add_argument("bundle", metavar="BUNDLE", help=BUNDLE_HELP)
    add_backend(parser)


def add_backend(parser: argparse.ArgumentParser) -> None:
    """What runs a bundle, and how."""
    add_public_key(parser)
    parser.add_argument(
        "--backend", default="auto", choices=registry.names(),
        help="what runs the bundle (default: auto, the best that can here)",
    )  # fmt: skip
    parser.add_argument("--device", help="what the backend computes on, such as cpu or cuda")
    parser.add_argument("--threads", type=whole(1), metavar="N", help="threads for one operator")
    parser.add_argument("--no-spin", action="store_true", help="idle threads sleep: saves energy")
    parser.add_argument(
        "--native-ops", action=argparse.BooleanOptionalAction, default=None,
        help="native ops in ONNX Runtime (default: where `python -m plugins build` made them)",
    )  # fmt: skip


def add_public_key(parser: argparse.ArgumentParser) -> None:
    """Whose bundles are taken, and from which release on."""
    parser.add_argument("--public-key", metavar="KEY.pem", help=PUBLIC_KEY_HELP)
    parser.add_argument(
        "--min-release",
        type=whole(0),
        metavar="N",
        help="refuse older ones that it did (sign --release)",
    )


def add_policy(parser: argparse.ArgumentParser) -> None:
    """When an image leaves."""
    rules = "; ".join(f"{each.name}: {each.description}" for each in POLICIES.values())
    parser.add_argument(
        "--policy", choices=tuple(POLICIES),
        help=f"when an image leaves (default: as the bundle says). {rules}",
    )  # fmt: skip
    parser.add_argument(
        "--threshold", type=float, metavar="X", help="of the policy (default: as calibrated)"
    )


def add_exit(parser: argparse.ArgumentParser) -> None:
    """When an image leaves, how its tokens halt, and the last timestep."""
    add_policy(parser)
    parser.add_argument(
        "--epsilon", type=float, metavar="X",
        help="halting margin ε; larger: fewer tokens (default: as the bundle says)",
    )  # fmt: skip
    parser.add_argument(
        "--max-timesteps",
        type=whole(1),
        metavar="T",
        help="the last timestep (default: the bundle's)",
    )


def add_files(parser: argparse.ArgumentParser) -> None:
    """Which files are taken, and how they become inputs."""
    parser.add_argument(
        "--split", metavar="NAME", help="only files of train, val or test, or of a folder so named"
    )
    parser.add_argument(
        "--fit", choices=get_args(Fit),
        help="stretch images of another size (`resize`), or cut out their centre (`crop`; in whole "
        "pixels, as torchvision and timm do: `resize_crop`) (default: as the bundle was trained)",
    )  # fmt: skip
    parser.add_argument(
        "--interpolation", choices=get_args(Interpolation),
        help="Pillow's filter that scales images (default: as the bundle was trained)",
    )  # fmt: skip
    parser.add_argument(
        "--orientation", choices=get_args(Orientation),
        help="turn images as their EXIF orientation says (`upright`), or not (`stored`) "
        "(default: as the bundle was trained)",
    )  # fmt: skip


def input_spec(arguments: argparse.Namespace, spec: InputSpec) -> InputSpec:
    """The bundle's input, with what `add_files` was given instead; notes say what it overrides."""
    asked = {name: getattr(arguments, name) for name in ("fit", "interpolation", "orientation")}
    changes = {
        name: value
        for name, value in asked.items()
        if value not in (None, getattr(spec.preprocessing, name))
    }
    for name, value in changes.items():
        trained = getattr(spec.preprocessing, name)
        console.note(f"--{name} {value} overrides the bundle's {trained!r}, which it learned")
    return replace(spec, preprocessing=replace(spec.preprocessing, **changes))


def find(paths: Sequence[str], spec: InputSpec, split: str | None) -> list[Sample]:
    """`find_samples`, and a note of what was left out."""
    found = search(paths, spec, split)
    for note in found.notes:
        console.note(note)
    return found.samples


def load_images(arguments: argparse.Namespace, spec: InputSpec, most: int) -> NDArray[Any]:
    """At most so many of the images that `add_images` was given, spread over all, as a batch.

    Raises:
        InputError: a path does not exist, nothing was found, or a file is not readable.
    """
    chosen = spread(find(arguments.images, spec, arguments.split), most)
    return next(batches(chosen, spec, len(chosen)))[1]


def note_lacking(labels: NDArray[np.int64], classes: Sequence[str]) -> None:
    """Name the classes that labelled files have no example of."""
    there = set(labels.tolist())
    lacking = [name for number, name in enumerate(classes) if number not in there]
    if lacking:
        names = console.few(lacking, 12)
        console.note(f"{len(lacking)} of {len(classes)} classes have no files: {names}")


def add_images(parser: argparse.ArgumentParser, *, required: bool = False) -> None:
    """Images named by an option, where the bundle is the only positional argument."""
    note = "" if required else " (default: noise)"
    parser.add_argument(
        "--images", nargs="+", required=required, metavar="PATH", help=IMAGES_HELP + note
    )
    add_files(parser)


def add_count(parser: argparse.ArgumentParser, default: int) -> None:
    """How many of the images are taken."""
    parser.add_argument(
        "--count", type=positive, default=default, metavar="N",
        help=f"so many of the images, spread over all (default {default})",
    )  # fmt: skip


def add_batch(parser: argparse.ArgumentParser, default: int = 16) -> None:
    """How many images are computed together."""
    parser.add_argument(
        "--batch", type=whole(1, MAX_BATCH), default=default, metavar="N",
        help=f"images at once (default {default})",
    )  # fmt: skip


def add_queue(parser: argparse.ArgumentParser) -> None:
    """How many images a server computes together, and how many wait."""
    parser.add_argument(
        "--max-batch", type=whole(1, MAX_BATCH), default=64, metavar="N",
        help="images computed together (default 64)",
    )  # fmt: skip
    parser.add_argument(
        "--queue", type=whole(0, MAX_QUEUE), default=256, metavar="N",
        help="how many wait; more are refused (default 256)",
    )  # fmt: skip


def add_port(parser: argparse.ArgumentParser, default: int) -> None:
    """`--port`."""
    parser.add_argument(
        "--port", type=whole(0, MAX_PORT), default=default, metavar="N",
        help=f"port to listen at; 0: a free one (default {default})",
    )  # fmt: skip


def add_json(parser: argparse.ArgumentParser) -> None:
    """Output for programs, alone on stdout."""
    parser.add_argument("--json", action="store_true", help="print JSON instead of text")


def check_output(path: Path) -> None:
    """Refuse a file that cannot be written before any work is done for it.

    Raises:
        BundleWriteError: its folder does not exist, or a folder is in its place.
    """
    if path.is_dir():
        raise BundleWriteError(f"cannot write {path}: it is a folder, name a file in it")
    if not path.absolute().parent.is_dir():
        raise BundleWriteError(f"cannot write {path}: there is no folder {path.parent}, make it")


def add_energy(parser: argparse.ArgumentParser) -> None:
    """The sensor that measures energy."""
    parser.add_argument("--energy", choices=sensor_names(), help="measure energy with this sensor")


def open_engine(options: argparse.Namespace, **changes: Any) -> Engine:
    """The engine that the arguments describe; `changes` override them."""
    notice = threads_notice(options.threads)
    if notice:
        console.note(notice)
    return Engine(options.bundle, **{**engine_arguments(options), **changes})


def engine_arguments(options: argparse.Namespace) -> dict[str, Any]:
    """Arguments of `Engine` that a command was given."""
    return {
        "backend": options.backend,
        "device": options.device,
        "threads": options.threads,
        "spin": not options.no_spin,
        "native_ops": options.native_ops,
        "public_key": options.public_key,
        "min_release": options.min_release,
        "policy": getattr(options, "policy", None),
        "threshold": getattr(options, "threshold", None),
        "epsilon": getattr(options, "epsilon", None),
        "max_timesteps": getattr(options, "max_timesteps", None),
    }
