"""Export a checkpoint: ONNX bundle, and TensorRT engines where TensorRT is installed.

    python -m export.to_trt ckpt.pt --fp16
    python -m export.to_trt ckpt.pt --target onnx
    python -m export.to_trt ckpt.pt --target tensorrt-rtx --compute-capability 8.6 8.9
    python -m export.to_trt ckpt.bundle --target tensorrt

Writes `ckpt.bundle/`: manifest.json, first.onnx, next.onnx, and the engines built from them. Given
a bundle, builds engines from its graphs and needs no PyTorch: so on a Jetson. "auto" builds for the
GPU of this machine with TensorRT, else with TensorRT-RTX.
"""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":  # run as a file: this folder's modules must not shadow others
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

import argparse
from dataclasses import replace
from typing import TYPE_CHECKING

from export.entry import explained_imports, needing_packages

with explained_imports(__name__):
    from export.engines.arguments import add_engine_arguments, changed, engine_options
    from export.engines.build import build_engines, suggested_layout
    from export.engines.targets.base import EngineOptions, Target
    from export.engines.targets.choose import AUTO, ONNX, open_target
    from export.errors import TargetMissingError, UnsupportedError
    from runtime.bundle.read import Bundle
    from spikehalt import commands
    from spikehalt.commands import DONE, NEGATIVE, Parser
    from spikehalt.console import note, say

if TYPE_CHECKING:
    from train.config import ModelConfig

_GRAPH_OPTIONS = (
    "out",
    "fp16",
    "int8",
    "qdq",
    "chunk",
    "layout",
    "merge_gamma",
    "live_masks",
    "instrument",
)


def parser() -> argparse.ArgumentParser:
    """Arguments of the command."""
    summary, *rest = (__doc__ or "").split("\n\n", 1)
    p = Parser(
        prog="python -m export.to_trt", description=summary, epilog="".join(rest),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    p.add_argument(
        "source", metavar="CKPT", type=Path,
        help="a checkpoint that `python -m train` wrote, or a bundle to build engines from",
    )  # fmt: skip
    _add_graph_arguments(p.add_argument_group("graphs"))
    add_engine_arguments(p.add_argument_group("engines"))
    return p


def _add_graph_arguments(p: argparse._ArgumentGroup) -> None:
    p.add_argument("--out", metavar="DIR", help="the bundle's folder (default: CKPT with .bundle)")
    precision = p.add_mutually_exclusive_group()
    precision.add_argument("--fp16", action="store_true", help="weights and activations in float16")
    precision.add_argument(
        "--int8", action="store_true",
        help="exact activations, rounded weights; for the target's engines, or without one for "
        "ONNX Runtime on a CPU",
    )  # fmt: skip
    p.add_argument(
        "--qdq", action="store_true", help="int8 for engines that are built from the bundle later"
    )
    p.add_argument(
        "--chunk",
        type=int,
        default=1,
        metavar="C",
        help="timesteps per graph (default 1); images leave between graphs",
    )
    p.add_argument(
        "--layout", choices=("auto", "packed", "dense", "lagged"), default="auto",
        help="packed for ONNX Runtime, dense or lagged for engines (default: what fits the target)",
    )  # fmt: skip
    p.add_argument("--merge-gamma", type=int, metavar="N", help="merge N tokens per block instead")
    p.add_argument("--live-masks", action="store_true", help="give out which tokens ran")
    p.add_argument("--instrument", action="store_true", help="count every image's operations")


def export_checkpoint(
    arguments: argparse.Namespace, target: Target | None, options: EngineOptions
) -> Bundle:
    """Write the bundle, in the layout that the target runs best unless one was asked for."""
    from export.bundle.write import ExportOptions, export_bundle
    from train.checkpoint import load_checkpoint

    if arguments.qdq and not arguments.int8:
        raise UnsupportedError("--qdq says what --int8 is for: give both")
    layout = arguments.layout
    if layout == AUTO:
        layout = _best_layout(load_checkpoint(arguments.source).model, arguments, target, options)
    return export_bundle(
        arguments.source,
        arguments.out,
        ExportOptions(
            chunk=arguments.chunk,
            layout=layout,
            precision="int8" if arguments.int8 else "fp16" if arguments.fp16 else "fp32",
            qdq=arguments.int8 and (arguments.qdq or target is not None),
            merge_gamma=arguments.merge_gamma,
            live_masks=arguments.live_masks,
            instrument=arguments.instrument,
        ),
    )


def _best_layout(
    model: ModelConfig, arguments: argparse.Namespace, target: Target | None, options: EngineOptions
) -> str:
    """What runs best on the target; for ONNX Runtime the choice is explained."""
    if target is not None:
        unrolled = arguments.chunk == model.timesteps
        return suggested_layout(model.halting.mode, options, unrolled=unrolled)
    from export.choose_layout import choose_layout, merging_advice

    if arguments.qdq:
        return "dense"  # engines, which are built later, have no packed layout
    if arguments.merge_gamma is not None:
        model = replace(model, merge_gamma=arguments.merge_gamma)
    choice = choose_layout(model)
    note(f"layout {choice.layout}: {choice.reason} (--layout overrides)")
    advice = merging_advice(model)
    if advice:
        note(advice)
    return choice.layout


def open_bundle(arguments: argparse.Namespace) -> Bundle:
    """The bundle that was named, whose graphs are as they are.

    Raises:
        UnsupportedError: options that change graphs were given with it.
    """
    given = changed(parser(), arguments, _GRAPH_OPTIONS)
    if given:
        raise UnsupportedError(
            f"{given} change graphs, and those of the bundle {arguments.source} are made: export "
            "the checkpoint again"
        )
    return Bundle.open(arguments.source)


def describe(bundle: Bundle) -> str:
    """One line per file of a bundle."""
    manifest = bundle.manifest
    lines = [
        f"{bundle.root}: {manifest.name}, T {manifest.timesteps}, chunk {manifest.chunk}, "
        f"{manifest.layout}, {manifest.precision}"
    ]
    lines += [f"  {name}  {entry.bytes:,} bytes" for name, entry in manifest.files.items()]
    return "\n".join(lines)


def run(arguments: argparse.Namespace) -> int:
    """Run the parsed command; returns the exit status.

    Raises:
        ExportError: the options, the checkpoint, or a build failed.
        SpikehaltError: a bundle cannot be read or written.
    """
    options = engine_options(arguments)
    target, missing = _target(arguments.target, options)
    is_bundle = arguments.source.is_dir()
    bundle = open_bundle(arguments) if is_bundle else export_checkpoint(arguments, target, options)
    if target is not None:
        note(f"building for {target.flavour} {target.version}")
        bundle = build_engines(bundle, target, options, note)
    say(describe(bundle))
    if missing:
        note(
            f"no engine was built: {missing}. The ONNX bundle above is complete and runs with ONNX "
            "Runtime; --target onnx asks for just that."
        )
        return NEGATIVE
    note(f"run it with: python -m runtime run {bundle.root} IMAGES…")
    return DONE


def _target(name: str, options: EngineOptions) -> tuple[Target | None, str]:
    """The target, or None and why "auto" found none; a target asked for by name must be there."""
    if name == ONNX:
        return None, ""
    try:
        return open_target(name, options), ""
    except TargetMissingError as error:
        if name != AUTO:
            raise
        return None, str(error)


def main(argv: list[str] | None = None) -> int:
    """Run the command; returns the exit status.

    0 when everything asked for was written, 1 when the bundle was but "auto" found nothing to build
    engines with, 2 on an error.
    """
    return commands.run(lambda: _run(argv))


def _run(argv: list[str] | None) -> int:
    arguments = parser().parse_args(argv)
    with needing_packages():
        return run(arguments)


if __name__ == "__main__":
    sys.exit(main())
