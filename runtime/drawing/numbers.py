"""Numbers as people read them: as many digits as mean something, never an exponent."""

from __future__ import annotations

import math


def readable(value: float, digits: int = 3) -> str:
    """A number with so many significant digits: 0.8916, 12.3, 4,567.

    Whole digits before the point are all kept.

    Args:
        value: finite; an int is written in full.
        digits: significant ones.
    """
    if isinstance(value, int) or value == 0:
        return f"{value:,.0f}"
    places = max(0, digits - 1 - _magnitude(value))
    if places and _magnitude(round(value, places)) > _magnitude(value):  # 9.996 became 10.00
        places -= 1
    return f"{value:,.{places}f}"


def _magnitude(value: float) -> int:
    return math.floor(math.log10(abs(value)))
