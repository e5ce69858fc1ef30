"""The commands of `python -m train`, one module each."""

from __future__ import annotations

import difflib
import logging
import sys
from collections.abc import Callable

from rich.logging import RichHandler

from spikehalt.commands import DONE, FAILED, STOPPED
from spikehalt.console import error, print_whatever_the_encoding, say
from spikehalt.errors import ConfigError, SpikehaltError
from train.cli import energy, evaluating, figures, importing, recipes, running, sweeping
from train.cli.console import HELP, HelpAskedError, errors
from train.cli.usage import USAGE, USAGES

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
RESUMABLE = ("run", "resume", "sweep")


def main(argv: list[str] | None = None) -> int:
    """Run one command; returns the exit status: 0 done, 2 an error, 130 stopped by Ctrl-C."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    print_whatever_the_encoding()
    logging.basicConfig(level=logging.WARNING, handlers=[RichHandler(console=errors)])
    name, rest = (arguments[0], arguments[1:]) if arguments else ("", [])
    if name in ("help", *HELP):
        say(USAGE)
        return DONE
    try:
        status = _command(name)(rest)
        sys.stdout.flush()  # a reader that is gone shows here, not while Python ends
    except HelpAskedError:
        say(f"usage:\n{USAGES[name]}")
        return DONE
    except SpikehaltError as problem:
        error(problem)
        return FAILED
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        sys.stderr.close()
        return DONE
    except KeyboardInterrupt:
        then = "; the run's last.pt continues it: python -m train resume …/last.pt"
        sys.stderr.write(f"stopped{then if name in RESUMABLE else ''}\n")
        return STOPPED
    return status


def _command(name: str) -> Callable[[list[str]], int]:
    """The command of that name.

    Raises:
        ConfigError: there is none; the nearest is named.
    """
    if name in COMMANDS:
        return COMMANDS[name]
    near = difflib.get_close_matches(name, COMMANDS, n=1, cutoff=0.4)
    hint = f"did you mean {near[0]!r}? There" if near else "there"
    given = f"no command {name!r}" if name else "no command is given"
    raise ConfigError(
        f"{given}; {hint} are {', '.join(COMMANDS)}: python -m train --help says more"
    )
