"""How densely a trained Spikformer's neurons fire, imposed on a random one of another shape.

What a layer costs hangs on the share of its inputs that are not zero. Random weights have none that
means anything, so the shares of a trained model on real images are recorded at its first timestep,
where nearly all images leave, and a random network's biases are shifted until its own, on random
images, are the same.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from train.models.attention import linear_attention, split_heads
from train.models.network import SpikingTransformer
from train.models.stem import pool

STEM = ("conv2", "conv3", "conv4", "conv5", "position")
BLOCK = ("q", "k", "attention", "proj", "fc1", "fc2")
HALVINGS = 14


@dataclass(frozen=True)
class Densities:
    """Shares of values that are not zero, at the first timestep.

    Attributes:
        stem: [5], of what the second to fifth convolution take, and of the fifth's neurons.
        blocks: [L, 6], of q, k and what their layers' neurons give, over live tokens.
    """

    stem: NDArray[np.float64]
    blocks: NDArray[np.float64]

    def stretched(self, blocks: int) -> Densities:
        """For another depth: the nearest block by position."""
        middles = (np.arange(blocks) + 0.5) * len(self.blocks) / blocks
        return Densities(self.stem, self.blocks[middles.astype(np.int64)])

    def rows(self) -> list[tuple[str, float]]:
        """Name and share of each, for a table."""
        named = [
            (f"block {number}, {name}", float(share))
            for number, shares in enumerate(self.blocks, start=1)
            for name, share in zip(BLOCK, shares, strict=True)
        ]
        return [*zip(STEM, map(float, self.stem), strict=True), *named]


def measure_densities(network: SpikingTransformer, images: Tensor) -> Densities:
    """Run uint8 images [B, C, H, W] and look.

    Args:
        network: a Spikformer in evaluation mode.
        images: what it sees.
    """
    stem, blocks = np.zeros(len(STEM)), np.zeros((len(network.blocks), len(BLOCK)))
    hooks = [
        *(_on_input(conv, stem, index) for index, conv in enumerate(network.stem.convs[1:])),
        _on_output(network.stem.neurons[4], stem, 4),
    ]
    for shares, block in zip(blocks, network.blocks, strict=True):
        attention, mlp = _parts(block)
        neurons = (attention.attn_lif, attention.proj_lif, mlp.fc1_lif, mlp.fc2_lif)
        hooks += [_on_output(each, shares, place) for place, each in enumerate(neurons, start=2)]
        hooks += [_on_output(attention.qkv_lif, shares, part, part) for part in (0, 1)]
    _run(network, images, hooks)
    return Densities(stem, blocks)


def impose_densities(network: SpikingTransformer, wanted: Densities, images: Tensor) -> None:
    """Shift the biases of a random Spikformer until its densities are those wanted.

    Args:
        network: in evaluation mode; its batch normalisations change.
        wanted: of as many blocks.
        images: uint8 [B, C, H, W] on which they are reached.
    """
    stem, pools = network.stem, network.config.stem.pool
    hooks = []
    stages: list[tuple[Any, Any]] = list(zip(stem.convs, stem.neurons, strict=True))
    for stage, (conv, neuron) in enumerate(stages):
        pooled = pool if stage < len(pools) and pools[stage] else None
        hooks.append(_before(neuron, _Shift(conv.bn, float(wanted.stem[stage]), pooled)))
    for shares, block in zip(wanted.blocks, network.blocks, strict=True):
        attention, mlp = _parts(block)
        hooks.append(_before(attention.qkv_lif, _AttentionShift(attention, shares[:3])))
        layers: tuple[tuple[Any, Any], ...] = (
            (attention.proj, attention.proj_lif),
            (mlp.fc1, mlp.fc1_lif),
            (mlp.fc2, mlp.fc2_lif),
        )
        for (layer, neuron), share in zip(layers, shares[3:], strict=True):
            hooks.append(_before(neuron, _Shift(layer.bn, float(share))))
    _run(network, images, hooks)


def _parts(block: Any) -> tuple[Any, Any]:
    """Attention and MLP."""
    return block.attention, block.mlp


def first_threshold(neuron: Any) -> float:
    """The smallest current under which a neuron at rest fires at once, or with I-SPS ever."""
    if hasattr(neuron, "at"):
        return float(neuron.at[0])
    return float(neuron.tau * neuron.v_threshold)


@dataclass
class _Shift:
    """Raises or lowers a neuron's current, and the bias in front of it."""

    bn: Any
    share: float
    pooled: Callable[[Tensor], Tensor] | None = None

    def __call__(self, neuron: nn.Module, current: Tensor) -> Tensor:
        seen = current if self.pooled is None else self.pooled(current)
        shift = first_threshold(neuron) - _quantile(seen[0], 1 - self.share)
        self.bn.bias.data += shift
        return current + shift


@dataclass
class _AttentionShift:
    """The same of q and k; and of v, such that the attention's neurons fire as wanted."""

    attention: Any
    shares: NDArray[np.float64]

    def __call__(self, neuron: nn.Module, current: Tensor) -> Tensor:
        threshold, parts = first_threshold(neuron), current[0].chunk(3, -1)
        shifts = [
            threshold - _quantile(part, 1 - float(share))
            for part, share in zip(parts, self.shares[:2], strict=False)
        ]
        q, k = (
            (part + shift >= threshold).float() for part, shift in zip(parts, shifts, strict=False)
        )
        shifts.append(self._of_values(q, k, parts[2], threshold))
        width = parts[0].shape[-1]
        every = torch.tensor(shifts).repeat_interleave(width)
        self.attention.qkv.bn.bias.data += every
        return current + every

    def _of_values(self, q: Tensor, k: Tensor, v: Tensor, threshold: float) -> float:
        """More values, more spikes: halve the interval."""
        low, high = threshold - float(v.max()), threshold - float(v.min())
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            if self._share(q, k, (v + middle >= threshold).float()) < self.shares[2]:
                low = middle
            else:
                high = middle
        return high

    def _share(self, q: Tensor, k: Tensor, v: Tensor) -> float:
        heads = self.attention.heads
        parts = (split_heads(part[None], heads) for part in (q, k, v))
        mixed = linear_attention(*parts) * self.attention.scale
        return float((mixed >= first_threshold(self.attention.attn_lif)).float().mean())


def _quantile(values: Tensor, share: float) -> float:
    """A value below which `share` of them lie."""
    return float(np.quantile(values.detach().numpy(), share))


@torch.no_grad()
def _run(network: SpikingTransformer, images: Tensor, hooks: list[Any]) -> None:
    try:
        network(images)
    finally:
        for hook in hooks:
            hook.remove()


def _before(neuron: nn.Module, shift: Callable[[nn.Module, Tensor], Tensor]) -> Any:
    return neuron.register_forward_pre_hook(
        lambda module, inputs: (shift(module, inputs[0]), *inputs[1:])
    )


def _on_input(conv: nn.Module, shares: NDArray[np.float64], place: int) -> Any:
    def look(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        shares[place] = float((inputs[0][0] != 0).double().mean())

    return conv.register_forward_pre_hook(look)


def _on_output(
    neuron: nn.Module, shares: NDArray[np.float64], place: int, part: int | None = None
) -> Any:
    """Over live tokens; of one third of the width, where `part` says which."""

    def look(module: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> None:
        spikes = output[0] if part is None else output[0].chunk(3, -1)[part]
        live = inputs[1] if len(inputs) > 1 else None
        share = 1.0 if live is None else float(live[0].double().mean())
        shares[place] = float((spikes != 0).double().mean()) / max(share, 1e-9)

    return neuron.register_forward_hook(look)
