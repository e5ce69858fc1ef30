"""Options as dataclasses, by tyro; a mistake is told in one line, as every other error is."""

from __future__ import annotations

import contextlib
import io
import sys
from typing import TypeVar

import tyro

from spikehalt.errors import ConfigError

T = TypeVar("T")

_FRAME = "╭╮╰╯│─ "


def parse(kind: type[T], arguments: list[str], prog: str, *, default: T | None = None) -> T:
    """`arguments` as a `kind`.

    Raises:
        ConfigError: a mistake, in tyro's words without the box that it draws around them.
        SystemExit: help was asked for, and is shown.
    """
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            if default is None:
                options = tyro.cli(kind, args=arguments, prog=prog)
            else:
                options = tyro.cli(kind, args=arguments, prog=prog, default=default)
    except SystemExit as stop:
        if stop.code in (0, None):
            raise
        mistake = _sentence(said.getvalue())
        raise ConfigError(f"{mistake}; {prog} --help lists the arguments") from None
    sys.stderr.write(said.getvalue())
    return options


def _sentence(box: str) -> str:
    """What a box says first, and the options that its other sections name.

    Its title stands in the frame, or above a line where the output's encoding has no frames.
    """
    rows = [line.strip(_FRAME) for line in box.splitlines() if not line.startswith(("╭", "╰"))]
    sections: list[list[str]] = [[]]
    for row in rows:
        if row.strip("-"):
            sections[-1].append(row)
        else:
            sections.append([])
    said = [each for each in sections if each][0 if box.startswith("╭") else 1 :]
    mistake, *others = said or [rows]
    named = [row for rest in others for row in rest if row.startswith("--") and row != "--help"]
    near = f"; see {', '.join(named)}" if named else ""
    return f"{' '.join(mistake).rstrip('.')}{near}"
