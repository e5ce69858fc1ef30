"""`spikehalt triton BUNDLE… --out REPOSITORY`: a model repository for Triton Inference Server."""

from __future__ import annotations

import argparse
from pathlib import Path

from runtime.bundle import Bundle
from runtime.cli import options
from runtime.early_exit.settings import Overrides, resolve
from runtime.serve.options import KNOBS, by_name
from spikehalt import console
from spikehalt.commands import whole
from spikehalt.extras import require_extra


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("bundles", metavar="BUNDLE", nargs="+", help=options.BUNDLE_HELP)
    parser.add_argument("--out", required=True, metavar="DIR", help="the repository")
    options.add_backend(parser)
    options.add_exit(parser)
    options.add_queue(parser)
    parser.add_argument(
        "--instances", type=whole(1, options.MAX_PROCESSES), default=1, metavar="N",
        help="processes, each with an engine, per GPU with --gpu (default 1)",
    )  # fmt: skip
    parser.add_argument("--gpu", action="store_true", help="run the instances on GPUs")
    parser.add_argument(
        "--graph", action="store_true",
        help="the graph alone, by Triton's ONNX Runtime backend: all timesteps in one graph",
    )  # fmt: skip
    parser.add_argument(
        "--op-library", metavar="FILE", help="native ops for --graph, where Triton finds them"
    )


def run(arguments: argparse.Namespace) -> int:
    """Write a folder for every bundle, and print its path."""
    require_extra("pydantic", "serve", "a repository for Triton")
    from runtime.triton.repository import TritonOptions, write_graph_model, write_python_model

    chosen = TritonOptions(
        max_batch=arguments.max_batch,
        queue=arguments.queue,
        instances=arguments.instances,
        gpu=arguments.gpu,
        engine=_engine(arguments),
    )
    out = Path(arguments.out)
    for name, path in by_name([Path(each) for each in arguments.bundles]).items():
        bundle = Bundle.open(path, public_key=arguments.public_key)
        resolve(bundle.manifest, Overrides(**{key: getattr(arguments, key) for key in KNOBS}))
        if arguments.graph:
            folder = write_graph_model(bundle, name, out, arguments.op_library)
        else:
            folder = write_python_model(bundle, name, out, chosen)
        console.say(str(folder))
    return 0


def _engine(arguments: argparse.Namespace) -> dict[str, str]:
    """Arguments of the engine that were given, as text."""
    names = ("backend", "device", "threads", "public_key", *KNOBS)
    given = {name: getattr(arguments, name) for name in names}
    return {name: str(value) for name, value in given.items() if value is not None}
