"""The variants that benchmarks.studies.adaptivity compares, each a change of the recipe."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Variant:
    """A halting run.

    Attributes:
        name: of its row and its folder.
        what: its difference to the recipe, in words.
        changes: the same, of the run's configuration.
    """

    name: str
    what: str
    changes: dict[str, Any]


def _loss(**changes: Any) -> dict[str, Any]:
    return {"loss": changes}


def _budget(target: float, spread: float, weight: float, **loss: Any) -> dict[str, Any]:
    price = {"price": "budget", "token_target": target, "token_spread": spread}
    return {"loss": {**price, **loss}, "halting": {"ponder_weight": weight}}


def _wide(weight: float, **score: float) -> dict[str, Any]:
    """Budgets that differ by more, with other scores where `score` says so."""
    return {**_budget(0.48, 0.8, weight, straight_through=0.25), "model": {"halting": score}}


VARIANTS = (
    Variant("one", "one price for all, the recipe", {}),
    Variant("one-through", "one price, straight through", _loss(straight_through=0.25)),
    Variant("certainty", "price p²", _loss(price="certainty")),
    Variant(
        "certainty-through", "price p², straight through",
        _loss(price="certainty", straight_through=0.25),
    ),
    Variant("budget", "budget 0.48 ± 40 %", _budget(0.48, 0.4, 0.15)),
    Variant(
        "budget-through", "budget 0.48 ± 40 %, straight through",
        _budget(0.48, 0.4, 0.15, straight_through=0.25),
    ),
    Variant("wide", "budget 0.48 ± 80 %, straight through", _wide(0.15)),
    Variant("wide-heavy", "the same, 3 δ_p", _wide(0.45)),
    Variant("wide-light", "the same, δ_p / 3", _wide(0.05)),
    Variant("wide-papers", "the same, α 5, β -10", _wide(0.15, alpha=5.0, beta=-10.0)),
    Variant("wide-gentle", "the same, α 1, β -3", _wide(0.15, alpha=1.0)),
    Variant("wide-late", "the same, β -5", _wide(0.15, beta=-5.0)),
    Variant("wide-early", "the same, β -1", _wide(0.15, beta=-1.0)),
)  # fmt: skip
