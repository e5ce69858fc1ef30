"""One convention for all command lines (CONTRIBUTING.md): parser and exit statuses."""

from __future__ import annotations

import argparse
import difflib
import math
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn

from spikehalt import console
from spikehalt.errors import SpikehaltError
from spikehalt.reading import name_of, reason
from spikehalt.strict import MAX_INT

DONE, NEGATIVE, FAILED, STOPPED = 0, 1, 2, 130
MOST = 2**31 - 1  # of whole numbers that count something
_LONGEST = 80  # letters of a wrong value that are repeated


class Parser(argparse.ArgumentParser):
    """argparse whose errors are one line, and name the nearest option or choice there is.

    `_` in the name of an option is read as `-`. Every parser knows `--quiet`. No option takes a
    number that is not finite, or beyond 2^53, from where on floats skip whole numbers.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.add_argument(
            "--quiet", action=_Quiet, help="no notes and no progress; errors are told"
        )

    def parse_args(  # type: ignore[override]  # its overloads say no more than this
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> argparse.Namespace:
        """As argparse's; what an earlier command line said of `--quiet` is forgotten."""
        console.be_quiet(False)
        return super().parse_args(args, namespace)

    def parse_known_args(  # type: ignore[override]  # its overloads say no more than this
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """As argparse's; an unknown option is an error here, where its neighbours are known."""
        given = sys.argv[1:] if args is None else args
        found, rest = super().parse_known_args([self._spelled(each) for each in given], namespace)
        for each in rest:
            if each.startswith("--"):
                name = each.partition("=")[0]
                self.error(f"unknown option {name}{_nearest(name, self._option_string_actions)}")
        return found, rest

    def _spelled(self, argument: str) -> str:
        key, equals, value = argument.partition("=")
        usual = key.replace("_", "-")
        return usual + equals + value if usual in self._option_string_actions else argument

    def _get_value(self, action: argparse.Action, arg_string: str) -> Any:
        try:
            value = super()._get_value(action, arg_string)
        except argparse.ArgumentError as error:
            if len(arg_string) > _LONGEST:
                error.message = error.message.replace(arg_string, f"{arg_string[:_LONGEST]}…")
            raise
        if isinstance(value, float) and not math.isfinite(value):
            raise argparse.ArgumentError(action, f"{arg_string[:_LONGEST]!r} is not finite")
        if isinstance(value, int | float) and abs(value) > MAX_INT:
            raise argparse.ArgumentError(action, f"{arg_string[:_LONGEST]!r} is beyond 2^53")
        return value

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        try:
            super()._check_value(action, value)
        except argparse.ArgumentError as error:
            error.message += _nearest(str(value), map(str, action.choices or ()))
            raise

    def error(self, message: str) -> NoReturn:
        """Name the mistake and where the arguments are listed, and leave."""
        console.error(f"{message}; {self.prog} --help lists the arguments")
        self.exit(FAILED)


class _Quiet(argparse.Action):
    """Silences notes and progress as soon as it is read; leaves nothing in the namespace."""

    def __init__(self, option_strings: Sequence[str], dest: str, help: str) -> None:
        super().__init__(option_strings, argparse.SUPPRESS, nargs=0, help=help)

    def __call__(self, *_: object, **__: object) -> None:
        console.be_quiet(True)


def whole(least: int, most: int = MOST) -> Callable[[str], int]:
    """The type of an argument that is a whole number in `least`..`most`, for argparse."""

    def number(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text[:_LONGEST]!r} is not a whole number") from None
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(f"{text[:_LONGEST]} is not in {least}..{most}")
        return value

    return number


def above_zero(most: float) -> Callable[[str], float]:
    """The type of an argument that is a number above 0, at most `most`, for argparse."""

    def number(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text[:_LONGEST]!r} is no number") from None
        if not 0 < value <= most:
            raise argparse.ArgumentTypeError(
                f"{text[:_LONGEST]} is not above 0 and at most {most:g}"
            )
        return value

    return number


def share(text: str) -> float:
    """The share that `0.005` or `0.5%` names, for argparse.

    Raises:
        ArgumentTypeError: the text is neither.
    """
    try:
        return float(text[:-1]) / 100 if text.endswith("%") else float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no share such as 0.005 or 0.5%") from None


def _nearest(given: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(given, list(known), n=1)
    return f" (did you mean {near[0]}?)" if near else ""


def run(command: Callable[[], int], *, stopped: str = "stopped") -> int:
    """Run a command; returns its exit status, or that of what ended it.

    Whatever lies outside of this project ends in one line: what it refused, the system's refusals
    (OSError), memory, Ctrl-C. A defect of the project itself keeps its traceback.

    Args:
        command: returns 0, or 1 where its verdict is negative.
        stopped: what Ctrl-C leaves behind, in words, unless what raises it says so itself.
    """
    console.print_whatever_the_encoding()
    try:
        return _finished(command)
    except console.ReaderGone:
        return DONE
    except KeyboardInterrupt as stop:
        console.complain(f"{str(stop) or stopped}\n")
        return STOPPED
    except (SpikehaltError, OSError, MemoryError) as problem:
        console.error(_told(problem))
        return FAILED


@contextmanager
def importing(module: str) -> Iterator[None]:
    """Around the imports of a command's own module, which `run` cannot guard.

    Args:
        module: its `__name__`; where it is not run but imported, Ctrl-C goes to whoever imports it.

    Raises:
        SystemExit: with status 130, after Ctrl-C.
    """
    try:
        yield
    except KeyboardInterrupt:
        if module != "__main__":
            raise
        console.complain("stopped\n")
        raise SystemExit(STOPPED) from None


def _finished(command: Callable[[], int]) -> int:
    """Its status, after everything was written: a full disk shows now, not while Python ends."""
    try:
        status = command()
    except SystemExit:  # --help was shown
        console.flush()
        raise
    console.flush()
    return status


def _told(problem: SpikehaltError | OSError | MemoryError) -> str:
    if isinstance(problem, SpikehaltError):
        return str(problem)
    if isinstance(problem, MemoryError):
        return "out of memory: the machine has not as much as this takes"
    place = getattr(problem, "filename", None)
    return reason(problem) if place is None else f"{name_of(str(place))}: {reason(problem)}"
