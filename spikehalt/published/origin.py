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
        caution: in what the network deliberately differs from that code; empty: in nothing.
        recalibrated: the user's images that BatchNorm's statistics are of; 0: the published.
    """

    variant: str
    repository: str
    reason: str
    fixed: dict[str, Any] = field(default_factory=dict)
    changed: dict[str, Any] = field(default_factory=dict)
    caution: str = ""
    recalibrated: int = 0

    def describe(self) -> list[tuple[str, str]]:
        """Names and values for people."""
        rows = [("imported from", f"{self.variant} ({self.repository}): {self.reason}")]
        for name, values in (("its code fixes", self.fixed), ("the user set", self.changed)):
            if values:
                rows.append((name, ", ".join(f"{key} {_shown(values[key])}" for key in values)))
        if self.caution:
            rows.append(("differs from its code", self.caution))
        if self.recalibrated:
            rows.append(("BatchNorm statistics", f"of {self.recalibrated:,} images of the user's"))
        return rows


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
