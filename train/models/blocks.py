"""Transformer blocks of the three architectures; tokens [T, B, K, D], `live` [T, B, K] or None.

`rows` are the places of live tokens, `live_rows(live)`, or None as `live`.

spikformer      x += SSA(x); x += MLP(x)         neuron after each linear, spikes are added
spikingformer   the same, neuron before each linear, membrane currents are added
sdt             spike-driven attention: mask and sum, no products of matrices
"""

from __future__ import annotations

from typing import cast

from torch import Tensor, nn

from train.config import ModelConfig
from train.models.layers import LinearBN, live_rows
from train.models.neurons import LIF


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


class SpikingSelfAttention(nn.Module):
    """SSA: spikes q, k, v; attention neuron on (q k^T) v * scale; projection.

    `lif_first` is Spikingformer's order: a neuron before the linear layers, none after the last.
    """

    def __init__(self, config: ModelConfig, lif_first: bool) -> None:
        super().__init__()
        lif, steps, dim = config.lif, config.timesteps, config.dim
        self.heads, self.scale = config.heads, config.attention_scale
        self.lif_first = lif_first
        if lif_first:
            self.in_lif = LIF(lif, steps)
        self.qkv = LinearBN(dim, 3 * dim)
        self.qkv_lif = LIF(lif, steps)
        self.attn_lif = LIF(lif, steps, lif.attention_threshold)
        self.proj = LinearBN(dim, dim)
        if not lif_first:
            self.proj_lif = LIF(lif, steps)

    def forward(self, x: Tensor, live: Tensor | None, rows: Tensor | None) -> Tensor:
        """Tokens to the residual to be added, spikes or currents."""
        if self.lif_first:
            x = self.in_lif(x, live)
        spikes = self.qkv_lif(self.qkv(x, live, rows), live)
        q, k, v = (split_heads(part, self.heads) for part in spikes.chunk(3, -1))
        mixed = self.attn_lif(join_heads(linear_attention(q, k, v)) * self.scale, live)
        current = self.proj(mixed, live, rows)
        return cast(Tensor, current if self.lif_first else self.proj_lif(current, live))


class SpikeDrivenAttention(nn.Module):
    """SDSA (Spike-driven Transformer eq. 12): q masked by the spiking sum over tokens of k * v."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        lif, steps, dim = config.lif, config.timesteps, config.dim
        self.in_lif = LIF(lif, steps)
        self.qkv = LinearBN(dim, 3 * dim)
        self.qkv_lif = LIF(lif, steps)
        self.attn_lif = LIF(lif, steps, lif.attention_threshold)
        self.proj = LinearBN(dim, dim)

    def forward(self, x: Tensor, live: Tensor | None, rows: Tensor | None) -> Tensor:
        """Membrane tokens to the membrane residual to be added."""
        spikes = self.qkv_lif(self.qkv(self.in_lif(x, live), live, rows), live)
        q, k, v = spikes.chunk(3, -1)
        gate = self.attn_lif((k * v).sum(-2, keepdim=True))  # [T, B, 1, D]
        return self.proj(q * gate, live, rows)  # type: ignore[no-any-return]


class MLP(nn.Module):
    """Two linear layers with neurons after (Spikformer) or before (the others) each."""

    def __init__(self, config: ModelConfig, lif_first: bool) -> None:
        super().__init__()
        self.lif_first = lif_first
        self.fc1 = LinearBN(config.dim, config.hidden)
        self.fc1_lif = LIF(config.lif, config.timesteps)
        self.fc2 = LinearBN(config.hidden, config.dim)
        self.fc2_lif = LIF(config.lif, config.timesteps)

    def forward(self, x: Tensor, live: Tensor | None, rows: Tensor | None) -> Tensor:
        """Tokens to the residual to be added, spikes or currents."""
        if self.lif_first:
            hidden = self.fc1(self.fc1_lif(x, live), live, rows)
            return self.fc2(self.fc2_lif(hidden, live), live, rows)  # type: ignore[no-any-return]
        hidden = self.fc1_lif(self.fc1(x, live, rows), live)
        return self.fc2_lif(self.fc2(hidden, live, rows), live)  # type: ignore[no-any-return]


class Block(nn.Module):
    """x += attention(x); x += MLP(x)."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        lif_first = config.arch != "spikformer"
        self.attention: nn.Module = (
            SpikeDrivenAttention(config)
            if config.arch == "sdt"
            else SpikingSelfAttention(config, lif_first)
        )
        self.mlp = MLP(config, lif_first)

    def forward(self, x: Tensor, live: Tensor | None) -> Tensor:
        """Tokens [1 or T, B, K, D] to tokens [T, B, K, D]; absent tokens pass unchanged."""
        rows = None if live is None else live_rows(live)
        x = x + self.attention(x, live, rows)
        return x + self.mlp(x, live, rows)  # type: ignore[no-any-return]
