"""Arguments of `export.to_trt` that say how engines are built, checked before any work is done."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterable
from pathlib import Path

from export.engines.profiles import BatchRange
from export.engines.targets.base import EngineOptions
from export.engines.targets.choose import AUTO, ONNX, target_names
from export.errors import UnsupportedError
from spikehalt.commands import whole

_ENGINE_OPTIONS = (
    "batch",
    "compute_capability",
    "no_plugins",
    "workspace",
    "timing_cache",
    "hardware_compatible",
    "version_compatible",
)
_CAPABILITY = re.compile(r"[0-9]+\.[0-9]")


def add_engine_arguments(p: argparse._ActionsContainer) -> None:
    """Add the arguments to a parser, or to a group of one."""
    p.add_argument(
        "--target", choices=target_names(), default=AUTO,
        help="what engines are built with (default: auto, what is here)",
    )  # fmt: skip
    p.add_argument(
        "--onnx-only", dest="target", action="store_const", const=ONNX, help="build no engines"
    )
    add_batch_range(p)
    p.add_argument(
        "--compute-capability", nargs="+", default=[], metavar="X.Y",
        help="GPUs to build for (tensorrt-rtx; default: Ampere and newer)",
    )  # fmt: skip
    add_no_plugins(p)
    p.add_argument(
        "--workspace", type=whole(1), metavar="MIB", help="scratch memory for the builder"
    )
    p.add_argument("--timing-cache", type=Path, metavar="FILE", help="reuse kernel timings")
    p.add_argument("--hardware-compatible", action="store_true", help="for any GPU from Ampere on")
    p.add_argument("--version-compatible", action="store_true", help="for newer TensorRT too")


def add_batch_range(p: argparse._ActionsContainer) -> None:
    """The numbers of images that engines take."""
    p.add_argument(
        "--batch", metavar="MIN:OPT:MAX", default="1:8:32",
        help="numbers of images, or one number for static shapes (default 1:8:32)",
    )  # fmt: skip


def add_no_plugins(p: argparse._ActionsContainer) -> None:
    """What runs our ops."""
    p.add_argument("--no-plugins", action="store_true", help="let function bodies run the ops")


def engine_options(arguments: argparse.Namespace) -> EngineOptions:
    """Engine options of the parsed command line.

    Raises:
        UnsupportedError: a value that is none, whatever the target; or any engine option with the
            target that builds no engines.
    """
    batch = BatchRange.parse(arguments.batch)
    _check_capabilities(arguments.compute_capability)
    _check_timing_cache(arguments.timing_cache)
    _refuse_without_engines(arguments)
    return EngineOptions(
        batch=batch,
        plugins=not arguments.no_plugins,
        compute_capabilities=tuple(arguments.compute_capability),
        workspace_mib=arguments.workspace,
        timing_cache=arguments.timing_cache,
        hardware_compatible=arguments.hardware_compatible,
        version_compatible=arguments.version_compatible,
    )


def changed(
    parser: argparse.ArgumentParser, arguments: argparse.Namespace, names: Iterable[str]
) -> str:
    """Those of the options that were given another value than the default, for messages."""
    given = (n for n in names if getattr(arguments, n) != parser.get_default(n))
    return ", ".join("--" + name.replace("_", "-") for name in given)


def _check_capabilities(capabilities: Iterable[str]) -> None:
    for each in capabilities:
        if not _CAPABILITY.fullmatch(each):
            raise UnsupportedError(
                f"--compute-capability {each!r} is not X.Y: give what the GPU has, such as 8.6"
            )


def _check_timing_cache(path: Path | None) -> None:
    """A build takes minutes, so a file that cannot be written afterwards is refused before."""
    if path is not None and (path.is_dir() or not path.parent.is_dir()):
        problem = "it is a folder" if path.is_dir() else f"there is no folder {path.parent}"
        raise UnsupportedError(
            f"--timing-cache {path} cannot be written: {problem}; name a file in a folder that is "
            "there"
        )


def _refuse_without_engines(arguments: argparse.Namespace) -> None:
    """An option without effect would look as if it had one."""
    own = argparse.ArgumentParser()
    add_engine_arguments(own)
    given = changed(own, arguments, _ENGINE_OPTIONS)
    if arguments.target == ONNX and given:
        raise UnsupportedError(
            f"{given} would have no effect: target {ONNX!r} builds no engines; leave out what is "
            "for engines, or name what builds them with --target tensorrt or tensorrt-rtx"
        )
