"""Attention of a block: tokens [T, B, K, D] to the residual that is added to them.

q, k and v are spikes; the architecture says how they are mixed (`train/architectures/attention.py`)
and on which side of the linear layers neurons stand.
"""

from __future__ import annotations

from typing import cast

from torch import Tensor, nn
from torch.nn.functional import max_pool2d

from train.architectures import Attention
from train.architectures.attention import SDSA, SSA
from train.config import ModelConfig
from train.models.layers import LinearBN
from train.models.neurons import firing


def split_heads(x: Tensor, heads: int) -> Tensor:
    """[T, B, K, D] -> [T, B, H, K, D/H]."""
    return cast(Tensor, x.unflatten(-1, (heads, -1)).transpose(2, 3))


def join_heads(x: Tensor) -> Tensor:
    """[T, B, H, K, D/H] -> [T, B, K, D]."""
    return x.transpose(2, 3).flatten(3)


def linear_attention(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """(q k^T) v in the cheaper order, [T, B, H, K, d] each; no softmax, so the order is free."""
    if k.shape[-2] > k.shape[-1]:
        return q @ (k.transpose(-1, -2) @ v)
    return (q @ k.transpose(-1, -2)) @ v


class BlockAttention(nn.Module):
    """Spikes q, k, v, their mixture, projection; subclasses mix."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        dim = config.dim
        self.lif_first = config.architecture.lif_first
        if self.lif_first:
            self.in_lif = firing(config)
        self.qkv = LinearBN(dim, 3 * dim)
        self.qkv_lif = firing(config)
        self.attn_lif = firing(config, config.lif.attention_threshold)
        self.proj = LinearBN(dim, dim)
        if not self.lif_first:
            self.proj_lif = firing(config)

    def forward(self, x: Tensor, live: Tensor | None, rows: Tensor | None) -> Tensor:
        """Tokens to the residual to be added, spikes or currents."""
        if self.lif_first:
            x = self.in_lif(x, live)
        q, k, v = self.qkv_lif(self.qkv(x, live, rows), live).chunk(3, -1)
        current = self.proj(self.mixed(q, k, v, live), live, rows)
        return cast(Tensor, current if self.lif_first else self.proj_lif(current, live))

    def mixed(self, q: Tensor, k: Tensor, v: Tensor, live: Tensor | None) -> Tensor:
        """Spikes [T, B, K, D] each to spikes; absent tokens are zero in all of them."""
        raise NotImplementedError


class SpikingSelfAttention(BlockAttention):
    """SSA: attention neuron on (q k^T) v * scale."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        self.heads, self.scale = config.heads, config.attention_scale

    def mixed(self, q: Tensor, k: Tensor, v: Tensor, live: Tensor | None) -> Tensor:
        """See `BlockAttention.mixed`."""
        q, k, v = (split_heads(part, self.heads) for part in (q, k, v))
        current = join_heads(linear_attention(q, k, v)) * self.scale
        return cast(Tensor, self.attn_lif(current, live))


class SpikeDrivenAttention(BlockAttention):
    """SDSA (Spike-driven Transformer eq. 12): q masked by the spiking sum over tokens of k * v."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        self.spread_heads = config.heads
        self.grid = config.grid if config.spread_attention else None

    def mixed(self, q: Tensor, k: Tensor, v: Tensor, live: Tensor | None) -> Tensor:
        """See `BlockAttention.mixed`."""
        product = self._spread_in_heads(self._spread(k) * self._spread(v))
        gate = self.attn_lif(product.sum(-2, keepdim=True))  # [T, B, 1, D]
        return self._spread_in_heads(cast(Tensor, q * gate))

    def _spread(self, x: Tensor) -> Tensor:
        """Max over each token's 3 x 3 neighbours, where the configuration asks for it."""
        if self.grid is None:
            return x
        maps = x.transpose(-1, -2).flatten(0, 1).unflatten(-1, self.grid)
        pooled = max_pool2d(maps, 3, 1, 1).flatten(2).unflatten(0, x.shape[:2])
        return cast(Tensor, pooled.transpose(-1, -2))

    def _spread_in_heads(self, x: Tensor) -> Tensor:
        """Max over 3 tokens in row and 3 channels of a head, where the configuration asks."""
        if self.grid is None:
            return x
        maps = split_heads(x, self.spread_heads)
        return join_heads(max_pool2d(maps.flatten(0, 1), 3, 1, 1).view_as(maps))


ATTENTIONS: dict[Attention, type[BlockAttention]] = {
    SSA: SpikingSelfAttention,
    SDSA: SpikeDrivenAttention,
}
