"""Command line of the plugins: `python -m plugins build|list|selftest`.

Exit status: 0 done, 1 the self-test found something wrong, 2 it could not be done, 130 stopped.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from spikehalt import commands, console
from spikehalt.commands import DONE, NEGATIVE, Parser, whole
from spikehalt.console import note, say

with commands.importing(__name__):
    from plugins import DOMAIN, VERSION
    from plugins.building.build import build
    from plugins.building.toolchain import find_cmake, find_cxx, find_nvcc, find_tensorrt
    from plugins.errors import BuildError, KernelError, WrongSettingError
    from plugins.libraries import FOLDER_VARIABLE, built_libraries, find_kernels, library_folder
    from plugins.ops import OPS
    from plugins.selftest.device import require_driver
    from plugins.selftest.run import selftest


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    return commands.run(lambda: _run(arguments))


def _run(arguments: Sequence[str] | None) -> int:
    return run(_parser().parse_args(arguments))


def _parser() -> Parser:
    parser = Parser(prog="python -m plugins", description=__doc__)
    add_arguments(parser)
    return parser


def run(options: argparse.Namespace) -> int:
    """Run the parsed command; returns the exit status.

    Raises:
        PluginError: it could not be done.
    """
    try:
        return int(options.run(options))
    except KernelError as error:  # only the self-test runs kernels
        console.error(error)
        return NEGATIVE
    except BuildError as error:
        console.complain(error.output)
        raise


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The commands and their arguments."""
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    making = subparsers.add_parser("build", help="compile the libraries")
    making.add_argument(
        "--out", type=Path, metavar="DIR",
        help=f"the libraries' folder (default: ${FOLDER_VARIABLE}, or in the user's cache)",
    )  # fmt: skip
    making.add_argument(
        "--arch", nargs="*", default=[], metavar="ARCH", help="GPU architectures, such as 87"
    )
    making.add_argument("--cpu", action="store_true", help="the ONNX Runtime library alone")
    making.set_defaults(run=_build)
    listing = subparsers.add_parser("list", help="ops, tools and libraries on this machine")
    listing.set_defaults(run=_list)
    testing = subparsers.add_parser("selftest", help="compare and time the kernels on a GPU")
    testing.add_argument("--quick", action="store_true", help="fewer sizes, no timing")
    testing.add_argument(
        "--megabytes", type=whole(1, 2**20), default=256, metavar="N",
        help="largest tensor of a timing (default 256)",
    )  # fmt: skip
    testing.add_argument("--no-sanitizer", action="store_true", help="without compute-sanitizer")
    testing.set_defaults(run=_selftest)


def _build(options: argparse.Namespace) -> int:
    folder = options.out or library_folder()
    libraries = build(folder, architectures=options.arch, cpu_only=options.cpu, say=note)
    for library in libraries:
        say(f"built {library}")
    return 0


def _list(_: argparse.Namespace) -> int:
    say(f"namespace {DOMAIN}, version {VERSION}")
    for op in OPS:
        where = "" if op.plugin else " (CPU alone)"
        say(f"  {op.name}{where}: {', '.join(op.attributes) or 'no attributes'}")
    versions = [f"{headers.major}.{headers.minor}" for headers in find_tensorrt()]
    say(f"C++ compiler: {_found(find_cxx)}")
    say(f"cmake: {find_cmake() or 'none'}")
    say(f"nvcc: {_found(find_nvcc)}")
    say(f"TensorRT headers: {', '.join(versions) or 'none'}")
    say(f"libraries in {library_folder()} ({FOLDER_VARIABLE} changes it):")
    for library in built_libraries():
        say(f"  {library.name}")
    if not built_libraries():
        say("  none; python -m plugins build makes them")
    return 0


def _found(find: Callable[[], Path | None]) -> str:
    """A tool, or what is wrong with the variable that names it."""
    try:
        return str(find() or "none")
    except WrongSettingError as error:
        return f"none. {error}"


def _selftest(options: argparse.Namespace) -> int:
    require_driver()
    passed = selftest(
        find_kernels(),
        quick=options.quick,
        megabytes=options.megabytes,
        sanitize=not options.no_sanitizer,
        say=say,
    )
    return DONE if passed else NEGATIVE


if __name__ == "__main__":
    sys.exit(main())
