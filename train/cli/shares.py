"""Options that take a share, given as 0.005 or as 0.5%."""

from __future__ import annotations

from typing import Annotated

from tyro.constructors import PrimitiveConstructorSpec


def share(text: str) -> float:
    """The share that `0.005` or `0.5%` names.

    Raises:
        ValueError: the text is neither.
    """
    try:
        return float(text[:-1]) / 100 if text.endswith("%") else float(text)
    except ValueError:
        raise ValueError(f"{text!r} is no share such as 0.005 or 0.5%") from None


Share = Annotated[
    float,
    PrimitiveConstructorSpec(
        nargs=1,
        metavar="SHARE",
        instance_from_str=lambda texts: share(texts[0]),
        is_instance=lambda value: isinstance(value, float),
        str_from_instance=lambda value: [str(value)],
    ),
]
