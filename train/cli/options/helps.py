"""What a dataclass's docstring says: its first sentence, and a line for every field."""

from __future__ import annotations

import inspect
import re

_ENTRY = re.compile(r"    (\w+): (.*)")


def summary(kind: type) -> str:
    """The first paragraph of the docstring, in one line."""
    return _joined((inspect.getdoc(kind) or "").partition("\n\n")[0])


def field_helps(kind: type) -> dict[str, str]:
    """Texts under "Attributes:" by field."""
    helps: dict[str, str] = {}
    name = ""
    for line in (inspect.getdoc(kind) or "").partition("\nAttributes:\n")[2].splitlines():
        entry = _ENTRY.match(line)
        if entry:
            name = entry[1]
            helps[name] = entry[2]
        elif name:
            helps[name] += f"\n{line}"
    return {name: _joined(text) for name, text in helps.items()}


def _joined(text: str) -> str:
    return " ".join(text.split())
