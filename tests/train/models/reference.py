"""A second forward pass: one image, one timestep, one block after the other, on live rows only.

Nothing is masked: a halted token's row is taken out of the arrays, and membranes are kept by token.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from train.models import SpikingTransformer

Membranes = dict[str, Tensor]


def fire(membranes: Membranes, name: str, x: Tensor, rows: Tensor, lif: Any, slots: int) -> Tensor:
    """One timestep of the neurons `name` of the tokens `rows`."""
    v = membranes.setdefault(name, torch.zeros(slots, x.shape[-1]))
    u = v[rows] + (x - v[rows]) / lif.tau
    spike = (u >= lif.v_threshold).float()
    v[rows] = u * (1 - spike)
    return spike


def linear(layer: Any, x: Tensor) -> Tensor:
    """Linear layer and BatchNorm with running statistics."""
    bn = layer.bn
    factor = bn.weight / (bn.running_var + bn.eps).sqrt()
    return (x @ layer.linear.weight.t() - bn.running_mean) * factor + bn.bias


def attention(
    block: Any, name: str, x: Tensor, rows: Tensor, state: Membranes, slots: int
) -> Tensor:
    part = block.attention
    if hasattr(part, "in_lif"):
        x = fire(state, f"{name}.in", x, rows, part.in_lif, slots)
    spikes = fire(state, f"{name}.qkv", linear(part.qkv, x), rows, part.qkv_lif, slots)
    q, k, v = spikes.chunk(3, -1)
    if not hasattr(part, "heads"):  # SDT: one gate per image
        gate = fire(
            state, f"{name}.gate", (k * v).sum(0, True), torch.zeros(1).long(), part.attn_lif, 1
        )
        return linear(part.proj, q * gate)
    heads = [
        (qh @ kh.t()) @ vh
        for qh, kh, vh in zip(*(s.chunk(part.heads, -1) for s in (q, k, v)), strict=True)
    ]
    mixed = fire(
        state, f"{name}.attn", torch.cat(heads, -1) * part.scale, rows, part.attn_lif, slots
    )
    out = linear(part.proj, mixed)
    if part.lif_first:
        return out
    return fire(state, f"{name}.proj", out, rows, part.proj_lif, slots)


def mlp(block: Any, name: str, x: Tensor, rows: Tensor, state: Membranes, slots: int) -> Tensor:
    part = block.mlp
    if part.lif_first:
        x = linear(part.fc1, fire(state, f"{name}.fc1", x, rows, part.fc1_lif, slots))
        return linear(part.fc2, fire(state, f"{name}.fc2", x, rows, part.fc2_lif, slots))
    x = fire(state, f"{name}.fc1", linear(part.fc1, x), rows, part.fc1_lif, slots)
    return fire(state, f"{name}.fc2", linear(part.fc2, x), rows, part.fc2_lif, slots)


@torch.no_grad()
def forward(network: SpikingTransformer, tokens: Tensor) -> tuple[Tensor, list[list[list[int]]]]:
    """Logits [T, N_c] and who ran, [T][L][...], from one image's tokens [1 or T, K, D]."""
    config = network.config
    halting, slots = config.halting, tokens.shape[1]
    state: Membranes = {}
    past = torch.zeros(config.depth, slots)
    mean = torch.zeros(config.dim)
    logits, ran = [], []
    for t in range(config.timesteps):
        x = tokens[min(t, tokens.shape[0] - 1)].clone()
        rows, cum, y = torch.arange(slots), torch.zeros(slots), torch.zeros(config.dim)
        ran.append([])
        for index, block in enumerate(network.blocks):
            ran[-1].append(rows.tolist())
            x = x + attention(block, f"{index}.attention", x, rows, state, slots)
            x = x + mlp(block, f"{index}.mlp", x, rows, state, slots)
            if halting.mode == "none":
                continue
            h = torch.sigmoid(halting.alpha * x[:, 0] + halting.beta)
            past[index, rows] = h + (past[index, rows] if halting.mode == "block_time" else 0)
            # The history of a token that is gone still counts; it cannot come back.
            before, cum = cum, cum + past[index]
            stop = cum[rows] >= 1 - halting.epsilon
            if index == config.depth - 1:
                stop = torch.ones_like(stop)
            p = torch.where(stop, 1 - before[rows], h)
            y += (p.unsqueeze(-1) * x).sum(0) / slots
            x, rows = x[~stop], rows[~stop]
        if halting.mode == "none":
            y = x.mean(0)
        mean += y
        logits.append(network.head(mean / (t + 1)))
    return torch.stack(logits), ran
