"""The command `spikehalt`: everything from training to a report, one word each.

    spikehalt train digits
    spikehalt export runs/digits/best.pt
    spikehalt run best.bundle IMAGES…

The same commands stand behind `python -m train`, `python -m export`, `python -m runtime` and
`python -m plugins`. Each is a module with `add_arguments(parser)` and `run(arguments) -> int`,
imported when it is asked for.
"""

# PYTHON_ARGCOMPLETE_OK

from __future__ import annotations

import sys

try:
    import argparse
    import os
    from collections.abc import Sequence
    from importlib import import_module

    from spikehalt import commands, console, extras
    from spikehalt.packages import ours
    from spikehalt.packages.catalogue import COMMANDS
    from spikehalt.strict import unknown_name
except KeyboardInterrupt:  # the command starts by importing this file: `main` cannot guard it
    sys.stderr.write("stopped\n")
    raise SystemExit(130) from None

PROGRAM = "spikehalt"


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status (CONTRIBUTING.md)."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    ours.claim()
    if "_ARGCOMPLETE" in os.environ:
        _complete()
    return commands.run(lambda: _run(arguments))


def _run(arguments: list[str]) -> int:
    if not arguments:
        console.error(f"no command is given; {PROGRAM} --help lists them")
        return commands.FAILED
    name, *rest = arguments
    if name in ("-h", "--help", "help"):
        console.say(overview())
        return commands.DONE
    if name in ("-V", "--version"):
        console.say(f"{PROGRAM} {extras.version()}")
        return commands.DONE
    if name not in COMMANDS:
        console.error(f"{unknown_name('command', name, COMMANDS)}; {PROGRAM} --help says more")
        return commands.FAILED
    try:
        module = import_module(COMMANDS[name].module)
        options = _parser(name).parse_args(rest)
        return int(module.run(options))
    except ImportError as error:
        if (error.name or "").partition(".")[0] in (*ours.OURS, PROGRAM):
            raise
        console.error(extras.missing(error, COMMANDS[name].extra, f"{PROGRAM} {name}"))
        return commands.FAILED


def _parser(name: str) -> argparse.ArgumentParser:
    """The parser of one command."""
    command = COMMANDS[name]
    parser = commands.Parser(prog=f"{PROGRAM} {name}", description=command.purpose)
    import_module(command.module).add_arguments(parser)
    return parser


def overview() -> str:
    """What `--help` says."""
    width = max(map(len, COMMANDS))
    lines = [f"  {name.ljust(width)}  {command.purpose}" for name, command in COMMANDS.items()]
    return "\n".join(
        [f"usage: {PROGRAM} COMMAND …   ({PROGRAM} COMMAND --help lists its arguments)", "", *lines]
    )


def _complete() -> None:
    """Answer the shell, which asks for words that may follow (argcomplete)."""
    argcomplete = extras.require_extra("argcomplete", "completion", "shell completion")
    parser = commands.Parser(prog=PROGRAM)
    parser.add_argument("--version", action="store_true")
    subparsers = parser.add_subparsers()
    words = os.environ.get("COMP_LINE", "").split()
    for name, command in COMMANDS.items():
        one = subparsers.add_parser(name, help=command.purpose)
        if len(words) > 1 and words[1] == name:
            import_module(command.module).add_arguments(one)
    argcomplete.autocomplete(parser)


if __name__ == "__main__":
    sys.exit(main())
