"""The commands of `python -m train`, one module each."""

from __future__ import annotations

import difflib
import logging
import sys
from collections.abc import Callable

from rich.logging import RichHandler

from train.cli import energy, evaluating, figures, importing, recipes, running, sweeping
from train.cli.console import HELP, HelpAskedError, console, print_what_encodes, say
from train.cli.usage import USAGE, USAGES
from train.errors import ConfigError, TrainError

COMMANDS: dict[str, Callable[[list[str]], int]] = {
    "run": running.run_command,
    "resume": running.resume_command,
    "recipes": recipes.recipes_command,
    "evaluate": evaluating.evaluate_command,
    "energy": energy.energy_command,
    "figure": figures.figure_command,
    "sweep": sweeping.sweep_command,
    "import": importing.import_command,
}


def main(argv: list[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    print_what_encodes()
    logging.basicConfig(level=logging.WARNING, handlers=[RichHandler(console=console)])
    name, rest = (arguments[0], arguments[1:]) if arguments else ("help", [])
    if name in ("help", *HELP):
        say(USAGE)
        return 0
    try:
        return _command(name)(rest)
    except HelpAskedError:
        say(f"usage:\n{USAGES[name]}")
        return 0
    except KeyboardInterrupt:
        say("\nstopped; the run's last.pt continues it: python -m train resume …/last.pt")
        return 130
    except TrainError as error:
        say(f"error: {error}")
        return 2


def _command(name: str) -> Callable[[list[str]], int]:
    """The command of that name.

    Raises:
        ConfigError: there is none; the nearest is named.
    """
    if name in COMMANDS:
        return COMMANDS[name]
    near = difflib.get_close_matches(name, COMMANDS, n=1, cutoff=0.4)
    hint = f"did you mean {near[0]!r}? There" if near else "there"
    raise ConfigError(
        f"no command {name!r}; {hint} are {', '.join(COMMANDS)}: python -m train --help says more"
    )
