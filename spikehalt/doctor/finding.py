"""One thing that was looked at, and the looking that every part does."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec

from spikehalt.console import one_line
from spikehalt.extras import install_command


@dataclass(frozen=True)
class Finding:
    """Whether one thing works here.

    Attributes:
        area: extra, backend, GPU, sensor, tool, library or training.
        name: of the thing.
        works: whether it does.
        detail: version and place, or why it does not, in one line.
        remedy: the one command that brings it; empty where it works or no command would.
    """

    area: str
    name: str
    works: bool
    detail: str
    remedy: str = ""


def not_installed(area: str, name: str, module: str, extra: str) -> Finding | None:
    """That a package is missing, with the command of the extra that brings it; None if it is there.

    Args:
        area: of the finding.
        name: of the finding.
        module: the top-level module to look for; it is not imported.
        extra: brings it.
    """
    if find_spec(module) is not None:
        return None
    return Finding(area, name, False, f"{module} is not installed", install_command(extra))


def broken(area: str, name: str, problem: object, remedy: str = "") -> Finding:
    """That something does not work, in the words of what it raised."""
    return Finding(area, name, False, one_line(str(problem)), remedy)
