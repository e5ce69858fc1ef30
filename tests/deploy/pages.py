"""What docs/scaling.md prints."""

from __future__ import annotations

import re

from tests.deploy.dockerfile import ROOT

PAGE = (ROOT / "docs" / "scaling.md").read_text(encoding="utf-8")
_BLOCKS = re.findall(r"```(\w+)\n(.*?)```", PAGE, re.DOTALL)


def lines(start: str) -> list[str]:
    """Shell lines that begin so, without comments behind them."""
    shell = [text for kind, text in _BLOCKS if kind in ("sh", "bash")]
    every = (re.sub(r"\s+# .*$", "", line) for text in shell for line in text.splitlines())
    return [line for line in every if line.startswith(start)]


def python() -> str:
    """The one block of Python."""
    (code,) = [text for kind, text in _BLOCKS if kind == "python"]
    return code
