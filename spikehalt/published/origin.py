"""Where imported weights come from, and what had to be known besides them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Origin:
    """A published network, and what its tensors do not tell. Field names are of `ModelConfig`.

    Attributes:
        variant: name of the published network, as `python -m train import --from` takes it.
        repository: where its code is.
        reason: why this variant.
        fixed: fields that its code fixes, by dotted name.
        changed: fields that the user gave, by dotted name; they count, whatever `fixed` says.
    """

    variant: str
    repository: str
    reason: str
    fixed: dict[str, Any] = field(default_factory=dict)
    changed: dict[str, Any] = field(default_factory=dict)

    def describe(self) -> list[tuple[str, str]]:
        """Names and values for people."""
        rows = [("imported from", f"{self.variant} ({self.repository}): {self.reason}")]
        for name, values in (("its code fixes", self.fixed), ("the user set", self.changed)):
            if values:
                rows.append((name, ", ".join(f"{key} {_shown(values[key])}" for key in values)))
        return rows


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
