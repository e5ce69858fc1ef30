"""`spikehalt live BUNDLE`: a local page on which a bundle is watched at work."""

from __future__ import annotations

import argparse
from contextlib import ExitStack
from pathlib import Path

from runtime.cli import options
from runtime.engine import Engine
from spikehalt import console
from spikehalt.commands import above_zero
from spikehalt.extras import require_extra

DEFAULT_PORT = 8008


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    options.add_bundle(parser)
    parser.add_argument(
        "--source", metavar="SOURCE",
        help="a camera (0, /dev/video0, camera), video, stream (rtsp://…), file, folder or zip, or "
        "digits, the demo's (default: the camera, or else the digits)",
    )  # fmt: skip
    parser.add_argument(
        "--against", metavar="OTHER",
        help="another bundle, to compare with on the same files (default: the same with ε = 0)",
    )  # fmt: skip
    parser.add_argument(
        "--rate", type=above_zero(options.MAX_FPS), metavar="F",
        help="pictures per second at most (default: 30, of single files 2)",
    )  # fmt: skip
    options.add_port(parser, DEFAULT_PORT)
    options.add_exit(parser)
    options.add_files(parser)


def run(arguments: argparse.Namespace) -> int:
    """Serve the page until told to stop."""
    for package in ("uvicorn", "httptools", "websockets", "starlette", "pydantic"):
        require_extra(package, "live", "the live page")
    from runtime.live.app import create_app
    from runtime.live.knobs import start
    from runtime.live.run import serve
    from runtime.live.show import Show
    from runtime.live.side import Side
    from runtime.live.sources import open_source

    with ExitStack() as stack:
        engine = stack.enter_context(options.open_engine(arguments))
        side = static = Side(engine, options.input_spec(arguments, engine.manifest.input))
        if arguments.against is not None:
            other = stack.enter_context(_other(arguments))
            spec = options.input_spec(arguments, other.manifest.input)
            static = Side(other, spec, Path(arguments.against).absolute().name)
        source = open_source(arguments.source, side.spec, arguments.split)
        if engine.notice:
            console.note(engine.notice)
        knobs = start(engine.manifest, engine.settings, arguments.rate or source.rate)
        show = Show(side, static, source, knobs)
        return serve(create_app(side, static, show), arguments.port, engine.manifest.name)


def _other(arguments: argparse.Namespace) -> Engine:
    """The bundle that is compared with, run by the same backend."""
    knobs = ("policy", "threshold", "epsilon", "max_timesteps")
    own = {**options.engine_arguments(arguments), **dict.fromkeys(knobs)}
    return Engine(arguments.against, **own)
