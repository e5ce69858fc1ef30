"""What commands write, and how they take their options.

What was asked for goes to stdout; errors, notes and progress go to stderr.
"""

from __future__ import annotations

from rich.console import Console

from spikehalt.errors import ConfigError

console = Console()
errors = Console(stderr=True)

HELP = ("--help", "-h")


class HelpAskedError(Exception):
    """`--help` stands where no list of options can be shown; the command's usage is shown."""


def asks_for_help(arguments: list[str]) -> bool:
    """Whether `--help` or `-h` is among the arguments."""
    return any(argument in HELP for argument in arguments)


def take_option(name: str, arguments: list[str]) -> tuple[str | None, list[str]]:
    """The value of option `name`, or None, and the arguments without it.

    Raises:
        ConfigError: the value is missing.
    """
    for at, argument in enumerate(arguments):
        if argument == name:
            if at + 1 == len(arguments) or arguments[at + 1].startswith("--"):
                raise ConfigError(f"{name} needs a value")
            return arguments[at + 1], arguments[:at] + arguments[at + 2 :]
        if argument.startswith(f"{name}="):
            return argument.partition("=")[2], arguments[:at] + arguments[at + 1 :]
    return None, arguments


def take_flag(name: str, arguments: list[str]) -> tuple[bool, list[str]]:
    """Whether flag `name` is given, and the arguments without it."""
    return name in arguments, [each for each in arguments if each != name]


def take_positional(what: str, usage: str, arguments: list[str]) -> tuple[str, list[str]]:
    """The first argument, which is no option, and the rest.

    Raises:
        HelpAskedError: there is none, and help is asked for.
        ConfigError: there is none; the usage is named.
    """
    if not arguments or arguments[0].startswith("-"):
        if asks_for_help(arguments):
            raise HelpAskedError
        raise ConfigError(f"{what} is missing; usage: python -m train {usage}")
    return arguments[0], arguments[1:]


def nothing_left(arguments: list[str]) -> None:
    """Refuse arguments that nobody took.

    Raises:
        HelpAskedError: help is among them.
        ConfigError: they are named.
    """
    if asks_for_help(arguments):
        raise HelpAskedError
    if arguments:
        raise ConfigError(f"unknown arguments: {' '.join(arguments)}")
