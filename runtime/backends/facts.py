"""What a loaded graph tells of itself."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

Shape = tuple[int | None, ...]


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What a loaded graph is.

    Attributes:
        shapes: of its inputs and outputs by name, None where a dimension is free.
        types: of these, as numpy calls them, such as "float16".
        ops: types of its nodes; empty where the backend cannot tell.
        properties: metadata; empty where the backend cannot tell.
    """

    shapes: Mapping[str, Shape] = field(default_factory=dict)
    types: Mapping[str, str] = field(default_factory=dict)
    ops: Collection[str] = ()
    properties: Mapping[str, str] = field(default_factory=dict)
