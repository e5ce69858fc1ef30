"""Networks that drop tokens at fixed rates: the baselines of adaptive halting.

Axes: T timesteps, B images, K tokens, D embedding. `live` is 1 where the token is alive.
"""

from __future__ import annotations

import torch
from torch import Tensor

from train.merging import cosine
from train.models.network import SpikingTransformer, Tokens


class DroppingTransformer(SpikingTransformer):
    """A network whose blocks run fixed shares of the tokens (`config.drop`); nothing halts.

    Its weights have the same names as without dropping.
    """

    def _all_live(self, index: int) -> bool:
        return index == 0

    def _after_block(self, tokens: Tokens, epsilon: float, index: int) -> tuple[Tokens, None]:
        """The configured share of tokens goes on into the next block; the last block drops none."""
        if index == self.config.depth - 1:
            return tokens, None
        live = tokens.live.expand(tokens.x.shape[0], -1, -1)
        count = max(1, round(self.config.drop.keep[index + 1] * self.config.tokens))
        if self._passes:
            everyone = torch.ones_like(live)
            active = activity(tokens.x).expand_as(everyone)
            return tokens._replace(live=keep_most_important(active, everyone, count)), None
        live = keep_most_important(self._importance(tokens.x, live, index), live, count)
        x = tokens.x * live.unsqueeze(-1).to(tokens.x.dtype)
        return tokens._replace(x=x, live=live), None

    def _importance(self, x: Tensor, live: Tensor, index: int) -> Tensor:
        """Importance of each token [T, B, K]; where random, the same in every evaluation."""
        if self.config.drop.kind == "anchor":
            return anchor_importance(x, live)
        return random_importance(live.shape, live.device, None if self.training else index)

    def _mean_readout(self, tokens: Tokens) -> Tensor:
        return super()._mean_readout(tokens) if self._passes else live_mean(tokens.x, tokens.live)

    @property
    def _passes(self) -> bool:
        """Whether dropped tokens pass by a block unchanged, and may run in the next."""
        return self.config.drop.kind == "activity"


def activity(x: Tensor) -> Tensor:
    """Mean magnitude of tokens x [T, B, K, D] over timesteps and elements: [1, B, K] float32."""
    return x.float().abs().mean((0, -1)).unsqueeze(0)


def anchor_importance(x: Tensor, live: Tensor) -> Tensor:
    """Cosine of each token with its timestep's anchor, the mean of the live tokens.

    After the timestep-wise anchor tokens of STATA (Zhuge et al. 2024), without its alignments.

    Args:
        x: tokens [T, B, K, D]; absent ones are zero vectors.
        live: [T, B, K].

    Returns:
        [T, B, K] float32.
    """
    x = x.float()
    anchor = (x * live.unsqueeze(-1)).sum(-2, keepdim=True)
    return cosine((x * anchor).sum(-1), (x * x).sum(-1) * (anchor * anchor).sum(-1))


def random_importance(shape: torch.Size, device: torch.device, seed: int | None) -> Tensor:
    """Uniform numbers [T, B, K]: with a seed the same in every call, without one new each time."""
    generator = None if seed is None else torch.Generator(device=device).manual_seed(seed)
    return torch.rand(shape, generator=generator, device=device)


def keep_most_important(importance: Tensor, live: Tensor, count: int) -> Tensor:
    """`live` [T, B, K] reduced to its `count` most important tokens; ties go to lower positions."""
    priority = torch.where(live > 0, importance, -torch.inf)
    order = priority.sort(dim=-1, descending=True, stable=True).indices
    kept = torch.zeros_like(live).scatter(-1, order[..., :count], 1.0)
    return kept * live


def live_mean(x: Tensor, live: Tensor) -> Tensor:
    """Mean of the live tokens [T, B, K, D] -> [T, B, D] float32; zero where there are none."""
    total = (x.float() * live.unsqueeze(-1)).sum(-2)
    return total / live.sum(-1, keepdim=True).clamp_min(1.0)
