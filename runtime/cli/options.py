"""Arguments that several commands share, and the engine they describe."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from runtime.backends import registry
from runtime.engine import Engine
from runtime.errors import BundleWriteError
from spikehalt.exits import POLICIES

BUNDLE_HELP = "folder written by `python -m export.to_trt`"
IMAGES_HELP = "files, folders or zips of images, or of event frames (.npz)"


def add_bundle(parser: argparse.ArgumentParser) -> None:
    """The bundle, and how the backend runs it."""
    parser.add_argument("bundle", metavar="BUNDLE", help=BUNDLE_HELP)
    parser.add_argument("--public-key", metavar="KEY.pem", help="refuse bundles it did not sign")
    parser.add_argument(
        "--backend", default="auto", choices=registry.names(),
        help="what runs the bundle (default: auto, the best that can here)",
    )  # fmt: skip
    parser.add_argument("--device", help="what the backend computes on, such as cpu or cuda")
    parser.add_argument("--threads", type=int, metavar="N", help="threads for one operator")
    parser.add_argument("--no-spin", action="store_true", help="idle threads sleep: saves energy")
    parser.add_argument(
        "--native-ops", action=argparse.BooleanOptionalAction, default=None,
        help="native ops in ONNX Runtime (default: where `python -m plugins build` made them)",
    )  # fmt: skip


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
        help="halting margin, larger: fewer tokens (default: as the bundle says)",
    )  # fmt: skip
    parser.add_argument(
        "--max-timesteps", type=int, metavar="T", help="the last timestep (default: the bundle's)"
    )


def add_files(parser: argparse.ArgumentParser) -> None:
    """Which files are taken, and how they become inputs."""
    parser.add_argument("--split", metavar="NAME", help="only files below a folder of this name")
    parser.add_argument(
        "--fit", choices=("resize", "crop"), default="resize",
        help="stretch images, or cut out their centre (default: resize)",
    )  # fmt: skip


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
        "--batch", type=positive, default=default, metavar="N",
        help=f"images at once (default {default})",
    )  # fmt: skip


def add_json(parser: argparse.ArgumentParser) -> None:
    """Output for programs, alone on stdout."""
    parser.add_argument("--json", action="store_true", help="print JSON instead of text")


def positive(text: str) -> int:
    """An integer of at least 1, for argparse."""
    try:
        value = int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number") from None
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value} is not positive")
    return value


def check_output(path: Path) -> None:
    """Refuse a file that cannot be written before any work is done for it.

    Raises:
        BundleWriteError: its folder does not exist, or a folder is in its place.
    """
    if path.is_dir():
        raise BundleWriteError(f"cannot write {path}: it is a folder, name a file in it")
    if not path.absolute().parent.is_dir():
        raise BundleWriteError(f"cannot write {path}: there is no folder {path.parent}, make it")


def open_engine(options: argparse.Namespace, **changes: Any) -> Engine:
    """The engine that the arguments describe; `changes` override them."""
    chosen = {
        "backend": options.backend,
        "device": options.device,
        "threads": options.threads,
        "spin": not options.no_spin,
        "native_ops": options.native_ops,
        "public_key": options.public_key,
        "policy": getattr(options, "policy", None),
        "threshold": getattr(options, "threshold", None),
        "epsilon": getattr(options, "epsilon", None),
        "max_timesteps": getattr(options, "max_timesteps", None),
    }
    return Engine(options.bundle, **{**chosen, **changes})
