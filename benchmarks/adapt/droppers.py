"""The static network with tokens dropped behind block 1: fixed shares, the same for every image.

They run in PyTorch, whose answers are those of graphs (`python -m export compare`); no graph drops
tokens at fixed rates. Block 1 runs all tokens whatever is dropped, so what leaves it is computed
once.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import Literal

import torch
from torch import Tensor, nn

from train.baselines.build import build_network
from train.checkpoint import Checkpoint
from train.config import DropConfig
from train.data import Split
from train.measure.evaluate import live_tokens
from train.models import SpikingTransformer
from train.parallel.devices import exact_float32

Kind = Literal["random", "activity", "anchor"]
DROPPERS: dict[Kind, str] = {
    "random": "random",
    "activity": "fixed, by activity",
    "anchor": "STATA-like",
}
# Larger ones are slower: their membranes leave the caches.
BATCH = 16


class Droppers:
    """One network's.

    Args:
        static: without halting, merging and dropping.
        test: the images; T x K x D floats of each are kept.
    """

    def __init__(self, static: Checkpoint, test: Split) -> None:
        self._static, self._test = static, test

    @cached_property
    @torch.no_grad()
    @exact_float32()
    def _behind_first(self) -> list[Tensor]:
        """Tokens behind block 1, [T, B, K, D] each."""
        network = self._static.network()
        first = network.blocks[0]
        return [first(network.tokens_of(batch), None) for batch in self._test.images.split(BATCH)]

    @torch.no_grad()
    @exact_float32()
    def answers(self, kind: Kind, share: float) -> tuple[list[int], float]:
        """Labels of all images, and live tokens over all tokens.

        Args:
            kind: which tokens are dropped.
            share: live tokens over all tokens to run; at least 1/L, since block 1 runs them all.
        """
        network = self._dropping(kind, share)
        labels: list[int] = []
        tokens = []
        for behind in self._behind_first:
            output = network.classify(behind)
            labels += output.logits[-1].argmax(-1).tolist()
            tokens.append(live_tokens(output).mean((1, 2)) / network.config.tokens)
        return labels, float(torch.cat(tokens).mean())

    def _dropping(self, kind: Kind, share: float) -> SpikingTransformer:
        """A network whose block 1 has run."""
        model = self._static.model
        kept = max(0.0, (share * model.depth - 1) / (model.depth - 1))
        drop = DropConfig(kind, (1.0, *[kept] * (model.depth - 1)))
        network = build_network(replace(model, drop=drop)).eval()
        network.load_state_dict(self._static.weights)
        network.blocks[0] = _Passes()
        return network


class _Passes(nn.Module):
    """A block in whose place its result is given."""

    def forward(self, x: Tensor, live: Tensor | None) -> Tensor:
        """The tokens as they are."""
        return x
