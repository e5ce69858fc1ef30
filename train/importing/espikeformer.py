"""BICLab/Spike-Driven-Transformer-V3, its large networks: chains of layers and two heads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from train.config import ModelConfig
from train.importing.layers import Layer, numbered_mlp, separate_qkv, stem_layers
from train.importing.place import Source
from train.importing.reparameterised import NORM, Tensors, chained, scaled

BLOCKS = "block3"
_STAGES = ("ConvBlock1_1", "downsample1_2", "ConvBlock1_2", "downsample2", "ConvBlock2_1",
           "ConvBlock2_2", "downsample3")  # fmt: skip


def stem() -> tuple[Layer, ...]:
    """Embeddings, and blocks of two convolutions."""
    pairs = [("downsample1_1.encode_conv", "downsample1_1.encode_bn")]
    for name in _STAGES:
        if name.startswith("downsample"):
            pairs.append((f"{name}.encode_conv", f"{name}.encode_bn"))
        else:
            pairs += [(f"{name}.0.conv{n}.0.0", f"{name}.0.conv{n}.0.1") for n in "12"]
    return stem_layers(pairs)


def block(i: int, *, linear_first: bool) -> tuple[Layer, ...]:
    """As `prepared` names them."""
    layers = separate_qkv(i, "conv", numbered_mlp("fc", "conv"), BLOCKS)
    first = Layer(f"blocks.{i}.linear", ((f"{BLOCKS}.{i}.linear_conv", f"{BLOCKS}.{i}.linear_bn"),))
    return (first, *layers) if linear_first else layers


def prepared(tensors: Tensors) -> Tensors:
    """Every chain as one layer, its scale in its BatchNorm."""
    found = dict(tensors)
    inside = (name.split(".") for name in tensors if name.startswith(f"{BLOCKS}."))
    for prefix in sorted({f"{BLOCKS}.{parts[1]}" for parts in inside}):
        if f"{prefix}.rep_conv.conv1.0.weight" in found:
            _replace(found, f"{prefix}.rep_conv", f"{prefix}.linear")
        for part in ("q", "k", "v", "proj"):
            chain = f"{prefix}.attn.{part}_conv"
            _replace(found, f"{chain}.0", f"{prefix}.attn.{part}", f"{chain}.1")
        for number, norm in (("1", "attn.proj_bn"), ("2", "mlp.fc2_bn")):
            scale = found.pop(f"{prefix}.layer_scale{number}", None)
            if scale is not None:
                named = {part: found[f"{prefix}.{norm}.{part}"] for part in NORM}
                found |= {f"{prefix}.{norm}.{k}": v for k, v in scaled(named, scale).items()}
    return found


def _replace(found: Tensors, chain: str, name: str, *norm: str) -> None:
    """`chain`.conv1 and conv2, and one more norm, by `name`_conv and `name`_bn."""
    layers = [f"{chain}.{layer}" for layer in ("conv1.0", "conv1.1", "conv2.0", "conv2.1")]
    layers += norm
    folded = chained(found, layers)
    beginnings = tuple(f"{layer}." for layer in layers)
    for key in [key for key in found if key.startswith(beginnings)]:
        del found[key]
    found |= {f"{name}_conv.{part}": folded[part] for part in ("weight", "bias")}
    found |= {f"{name}_bn.{part}": folded[f"bn.{part}"] for part in NORM}


def told(tensors: Mapping[str, Tensor]) -> dict[str, Any]:
    """Distilled networks have a second head, on spikes, and answer with the mean of both."""
    both = "head_kd.weight" in tensors
    return {"head_lif": both, "head_readout": both}


def head(source: Source, config: ModelConfig) -> tuple[Tensor, Tensor]:
    """One head for both; theirs takes the integers, ours integers over D."""
    weight, bias = source.take("head.weight"), source.take("head.bias")
    if not config.head_readout:
        return weight, bias
    other = source.take("head_kd.weight") * config.lif.levels
    return torch.cat([weight, other], 1) / 2, (bias + source.take("head_kd.bias")) / 2
