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

from export.entry import explained_imports, needing_packages

with explained_imports(__name__):
    from export.engines.arguments import add_engine_arguments, changed, engine_options
    from export.engines.build import build_engines
    from export.engines.targets.base import EngineOptions, Target
    from export.engines.targets.choose import AUTO, ONNX, open_target
    from export.errors import TargetMissingError, UnsupportedError
    from export.options import GRAPH_ARGUMENTS, add_graph_arguments, export_options
    from runtime.bundle.read import Bundle
    from spikehalt import commands
    from spikehalt.commands import DONE, NEGATIVE, Parser
    from spikehalt.console import note, say


def parser() -> argparse.ArgumentParser:
    """The command's parser."""
    p = Parser(prog="python -m export.to_trt")
    add_arguments(p)
    return p


def add_arguments(p: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    p.description, _, p.epilog = (__doc__ or "").partition("\n\n")
    p.formatter_class = argparse.RawDescriptionHelpFormatter
    p.add_argument(
        "source", metavar="CKPT", type=Path,
        help="a checkpoint that `python -m train` wrote, or a bundle to build engines from",
    )  # fmt: skip
    graphs = p.add_argument_group("graphs")
    graphs.add_argument(
        "--out", metavar="DIR", help="the bundle's folder (default: CKPT with .bundle)"
    )
    graphs.add_argument(
        "--force", action="store_true",
        help="replace a bundle of other graphs even if it is calibrated, signed or has engines",
    )  # fmt: skip
    add_graph_arguments(graphs)
    add_engine_arguments(p.add_argument_group("engines"))


def export_checkpoint(arguments: argparse.Namespace, engine_batch: int | None) -> Bundle:
    """Write the bundle of the checkpoint that was named.

    Args:
        arguments: parsed.
        engine_batch: most images of the engines that are built next; None where none are.
    """
    from export.bundle.write import export_bundle

    options = export_options(arguments, engine_batch)
    return export_bundle(arguments.source, arguments.out, options, note, arguments.force)


def open_bundle(arguments: argparse.Namespace) -> Bundle:
    """The bundle that was named, whose graphs are as they are.

    Raises:
        UnsupportedError: options that change graphs were given with it.
    """
    given = changed(parser(), arguments, ("out", "force", *GRAPH_ARGUMENTS))
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
    if arguments.source.is_dir():
        bundle = open_bundle(arguments)
    else:
        bundle = export_checkpoint(arguments, options.batch.largest if target else None)
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
