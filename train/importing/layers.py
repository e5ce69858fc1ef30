"""Our layers in other repositories' names."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple


class Layer(NamedTuple):
    """One of our ConvBN or LinearBN, and the foreign (weight, BatchNorm) pairs it consists of.

    `share` (i, n): it is the i-th of n equal parts of their outputs.
    """

    ours: str
    parts: tuple[tuple[str, str], ...]
    share: tuple[int, int] = (0, 1)


def stem_layers(pairs: Iterable[tuple[str, str]]) -> tuple[Layer, ...]:
    """Convolutions of the stem, in order, of (weight, BatchNorm) each."""
    return tuple(Layer(f"stem.convs.{i}", (pair,)) for i, pair in enumerate(pairs))


def separate_qkv(
    i: int,
    linear: str,
    mlp: tuple[tuple[str, str], ...],
    blocks: str = "block",
    attention: str = "attn",
) -> tuple[Layer, ...]:
    """Blocks whose q, k and v are layers of their own, called e.g. q_`linear` and q_bn."""
    attention, ours = f"{blocks}.{i}.{attention}", f"blocks.{i}"
    qkv = tuple((f"{attention}.{x}_{linear}", f"{attention}.{x}_bn") for x in "qkv")
    fc1, fc2 = ((f"{blocks}.{i}.mlp.{weight}", f"{blocks}.{i}.mlp.{bn}") for weight, bn in mlp)
    return (
        Layer(f"{ours}.attention.qkv", qkv),
        Layer(f"{ours}.attention.proj", ((f"{attention}.proj_{linear}", f"{attention}.proj_bn"),)),
        Layer(f"{ours}.mlp.fc1", (fc1,)),
        Layer(f"{ours}.mlp.fc2", (fc2,)),
    )


def numbered_mlp(prefix: str, linear: str) -> tuple[tuple[str, str], ...]:
    """An MLP's layers that are called e.g. `prefix`1_`linear` and `prefix`1_bn."""
    return tuple((f"{prefix}{n}_{linear}", f"{prefix}{n}_bn") for n in "12")
