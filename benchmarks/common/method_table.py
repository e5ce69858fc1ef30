"""The methods that `benchmarks.methods` compares, as changes to one recipe.

Static networks are trained from scratch and differ in their loss or stem. Token methods continue
from a static network, each for the same number of epochs, so that the first of them, which keeps
every token, tells what those epochs alone give.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

# Where the adaptive run's shares of tokens stand in, once it is trained.
SAME_TOKENS = "as many tokens as STAS keeps"


@dataclass(frozen=True)
class Method:
    """One training.

    Attributes:
        name: as the papers call it.
        what: its difference to the others, in a few words.
        changes: laid over the recipe.
        start: the static network it continues from; empty = it is one.
        epsilons: further halting margins it is evaluated with (STAS^epsilon).
        ponder_factor: on the recipe's delta_p.
    """

    name: str
    what: str
    changes: Mapping[str, Any] = field(default_factory=dict)
    start: str = ""
    epsilons: tuple[float, ...] = ()
    ponder_factor: float = 1.0

    @property
    def folder(self) -> str:
        """Name of the folder that the method's run is written to."""
        return "".join(c if c.isalnum() else "-" for c in self.name.lower())


def _loss(**changes: Any) -> dict[str, Any]:
    return {"loss": {"anytime": 0.0, **changes}}


def _drop(kind: str, keep: object) -> dict[str, Any]:
    return {"model": {"halting": {"mode": "none"}, "drop": {"kind": kind, "keep": keep}}}


METHODS = (
    Method("STATIC", "task loss on the last logits", _loss()),
    Method("TET", "on each timestep's own logits", _loss(tet=True)),
    Method("SML", "surrogate modules behind the blocks", _loss(surrogate_modules=0.5)),
    Method("DT-SNN", "on all running logits", _loss(anytime=1.0)),
    Method("anytime", "half on all running logits", _loss(anytime=0.5)),
    Method("SPS", "anytime, iterated stem", {"model": {"stem": {"kind": "sps"}}}),
    Method("all tokens", "anytime, trained on", _drop("random", "all"), start="anytime"),
    Method("random", SAME_TOKENS, _drop("random", SAME_TOKENS), start="anytime"),
    Method("STATA-like", SAME_TOKENS, _drop("anchor", SAME_TOKENS), start="anytime"),
    Method(
        "halting 1-D", "scores start anew at every timestep",
        {"model": {"halting": {"mode": "block"}}}, start="anytime",
    ),
    Method("STAS", "halting over blocks and timesteps", start="anytime", epsilons=(0.1, 0.3)),
    Method("STAS, δ_p / 3", "a third of the ponder loss", start="anytime", ponder_factor=1 / 3),
    Method("STAS, 3 δ_p", "three times the ponder loss", start="anytime", ponder_factor=3.0),
    Method("AT-SNN γ 25", "STAS and merging", {"model": {"merge_gamma": 25}}, start="anytime"),
    Method(
        "STAS, SPS", "halting behind the iterated stem",
        {"model": {"stem": {"kind": "sps"}}}, start="SPS",
    ),
)  # fmt: skip
