"""State dicts as the public repositories write them, and what their networks compute from them.

Names, shapes and the order of operations follow the repositories; the forward pass reads the dict,
channels first, one timestep after the other.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import conv2d, max_pool2d

Weights = dict[str, Tensor]


@dataclass(frozen=True)
class Repository:
    """How one repository's network is built, by what we read of it.

    That the reading is right show `test_repositories.py` and SpikingJelly's own models.
    """

    variant: str
    naming: str
    arch: str
    stem: tuple[str, ...]
    qkv: str
    qkv_bias: bool
    dims: int  # of the attention's weights: 2 linear, 3 Conv1d, 4 Conv2d
    mlp: tuple[str, str]
    mlp_dims: int
    lif_first: bool
    norms: bool = True
    talking_heads: bool = False
    scale: float = 0.125
    position: bool = False


SPIKFORMER_STEM = ("proj_conv", "proj_conv1", "proj_conv2", "proj_conv3", "rpe_conv")
REPOSITORIES = (
    Repository("spikformer-cifar", "spikformer-linear", "spikformer", SPIKFORMER_STEM, "linear",
               True, 2, ("fc1_linear", "fc2_linear"), 2, False),
    Repository("spikformer-imagenet", "spikformer-conv", "spikformer", SPIKFORMER_STEM, "conv",
               False, 3, ("fc1_conv", "fc2_conv"), 4, False),
    Repository("spikformer-dvs", "spikformer-position", "spikformer", SPIKFORMER_STEM, "conv",
               False, 3, ("fc1_conv", "fc2_conv"), 3, False, scale=0.25, position=True),
    Repository("spikingformer-cifar10", "spikingformer-block", "spikingformer",
               tuple(f"block{n}_conv" for n in range(5)),
               "conv", False, 3, ("mlp1_conv", "mlp2_conv"), 4, True),
    Repository("spikingformer-imagenet", "spikingformer-proj", "spikingformer",
               ("proj_conv", "proj1_conv", "proj2_conv", "proj3_conv", "proj4_conv"),
               "conv", False, 3, ("mlp1_conv", "mlp2_conv"), 4, True),
    Repository("sdt-cifar10", "sdt", "sdt", SPIKFORMER_STEM, "conv", False, 4,
               ("fc1_conv", "fc2_conv"), 4, True, norms=False, talking_heads=True),
)  # fmt: skip


def bn_name(weight: str) -> str:
    """proj_conv1 -> proj_bn1, fc1_linear -> fc1_bn."""
    return weight.replace("conv", "bn").replace("linear", "bn")


class _Writer:
    """Draws dyadic tensors: multiples of 1/64, so that sums are exact in float32."""

    def __init__(self, seed: int) -> None:
        self.generator = torch.Generator().manual_seed(seed)
        self.weights: Weights = {}

    def draw(self, shape: tuple[int, ...], spread: float, offset: float = 0.0) -> Tensor:
        value = torch.randn(shape, generator=self.generator) * spread + offset
        return (value * 64).round() / 64

    def layer(self, name: str, shape: tuple[int, ...], bias: bool) -> None:
        """A weight and the BatchNorm behind it."""
        fan_in = shape[1] * (9 if len(shape) == 4 and shape[-1] == 3 else 1)
        self.weights[f"{name}.weight"] = self.draw(shape, 3 / fan_in**0.5)
        if bias:
            self.weights[f"{name}.bias"] = self.draw(shape[:1], 0.5)
        bn = bn_name(name)
        self.weights[f"{bn}.weight"] = self.draw(shape[:1], 0.25, 1.0)
        self.weights[f"{bn}.bias"] = self.draw(shape[:1], 0.25, 0.75)
        self.weights[f"{bn}.running_mean"] = self.draw(shape[:1], 0.25)
        self.weights[f"{bn}.running_var"] = torch.full(shape[:1], 1 - 1e-5)
        self.weights[f"{bn}.num_batches_tracked"] = torch.tensor(7)


def state_dict(
    repo: Repository, depth: int, dim: int, heads: int, classes: int, seed: int
) -> Weights:
    """Random weights under the repository's names."""
    writer = _Writer(seed)
    widths = [3, dim // 8, dim // 4, dim // 2, dim, dim]
    for index, name in enumerate(repo.stem):
        shape = (widths[index + 1], widths[index], 3, 3)
        writer.layer(f"patch_embed.{name}", shape, bias=False)
    for i in range(depth):
        ones = (1,) * (repo.dims - 2)
        for part in ("q", "k", "v", "proj"):
            bias = repo.qkv_bias or part == "proj"
            writer.layer(f"block.{i}.attn.{part}_{repo.qkv}", (dim, dim, *ones), bias)
        ones = (1,) * (repo.mlp_dims - 2)
        for name, shape in zip(repo.mlp, ((4 * dim, dim), (dim, 4 * dim)), strict=True):
            writer.layer(f"block.{i}.mlp.{name}", (*shape, *ones), bias=True)
        if repo.norms:
            for norm in ("norm1", "norm2"):
                writer.weights[f"block.{i}.{norm}.weight"] = torch.ones(dim)
                writer.weights[f"block.{i}.{norm}.bias"] = torch.zeros(dim)
        if repo.talking_heads:
            writer.weights[f"block.{i}.attn.talking_heads.weight"] = torch.randn(heads, heads, 1)
    if repo.position:  # created by the repository's code and never called
        writer.weights["pos_embed"] = torch.randn(1, 16, dim)
        writer.weights["norm.weight"] = torch.ones(dim)
        writer.weights["norm.bias"] = torch.zeros(dim)
    writer.weights["head.weight"] = writer.draw((classes, dim), 1 / dim**0.5)
    writer.weights["head.bias"] = writer.draw((classes,), 0.1)
    return writer.weights


class Network:
    """The repository's network over its state dict; `__call__` gives logits [B, N_c]."""

    def __init__(self, repo: Repository, weights: Weights, heads: int, pools: str, timesteps: int):
        self.repo, self.weights, self.heads = repo, weights, heads
        self.pools, self.timesteps = pools, timesteps
        self.depth = len({key.split(".")[1] for key in weights if key.startswith("block.")})
        self.membranes: Weights = {}

    def __call__(self, pixels: Tensor) -> Tensor:
        """Normalised pixels [B, 3, H, W]; the head speaks at every timestep for SDT."""
        self.membranes = {}
        features = []
        for _ in range(self.timesteps):
            x = self.stem(pixels)
            for i in range(self.depth):
                x = x + self.attention(i, x)
                x = x + self.mlp(i, x)
            y = x.flatten(2).mean(-1)
            features.append(self.fire("head", y) if self.repo.arch == "sdt" else y)
        head, bias = self.weights["head.weight"], self.weights["head.bias"]
        return torch.stack([f @ head.t() + bias for f in features]).mean(0)

    def fire(self, name: str, x: Tensor, threshold: float = 1.0) -> Tensor:
        v = self.membranes.get(name, torch.zeros_like(x))
        u = v + (x - v) / 2
        spike = (u >= threshold).float()
        self.membranes[name] = u * (1 - spike)
        return spike

    def layer(self, name: str, x: Tensor) -> Tensor:
        """Convolution (or linear layer over channels) and BatchNorm of [B, C, H, W]."""
        weight = self.weights[f"{name}.weight"]
        kernel = weight if weight.ndim == 4 else weight.reshape(*weight.shape[:2], 1, 1)
        out = conv2d(x, kernel, self.weights.get(f"{name}.bias"), padding=kernel.shape[-1] // 2)
        bn = bn_name(name)
        mean, var, gain, shift = (
            self.weights[f"{bn}.{part}"].view(-1, 1, 1)
            for part in ("running_mean", "running_var", "weight", "bias")
        )
        return (out - mean) / (var + 1e-5).sqrt() * gain + shift

    def pool(self, stage: int, x: Tensor) -> Tensor:
        return max_pool2d(x, 3, 2, 1) if self.pools[stage] == "1" else x

    def stem(self, x: Tensor) -> Tensor:
        names = [f"patch_embed.{name}" for name in self.repo.stem]
        for stage, name in enumerate(names[:3]):
            x = self.pool(stage, self.fire(name, self.layer(name, x)))
        x = self.layer(names[3], x)
        if self.repo.arch == "sdt":
            x = self.pool(3, x)
            return self.layer(names[4], self.fire(names[3], x)) + x
        x = self.pool(3, self.fire(names[3], x))
        last = self.layer(names[4], x)
        return last if self.repo.arch == "spikingformer" else self.fire(names[4], last) + x

    def attention(self, i: int, x: Tensor) -> Tensor:
        name = f"block.{i}.attn"
        if self.repo.lif_first:
            x = self.fire(f"{name}.first", x)
        parts = (f"{name}.{part}_{self.repo.qkv}" for part in "qkv")
        q, k, v = (self.fire(part, self.layer(part, x)).flatten(2) for part in parts)
        mixed = self.gate(name, q, k, v) if self.repo.arch == "sdt" else self.mix(name, q, k, v)
        out = self.layer(f"{name}.proj_{self.repo.qkv}", mixed.view_as(x))
        return out if self.repo.lif_first else self.fire(f"{name}.proj", out)

    def mix(self, name: str, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """(q k^T) v * scale per head, [B, C, N]."""
        q, k, v = (part.unflatten(1, (self.heads, -1)).transpose(-1, -2) for part in (q, k, v))
        x = (q @ k.transpose(-1, -2)) @ v * self.repo.scale
        return self.fire(f"{name}.attn", x.transpose(-1, -2).flatten(1, 2), 0.5)

    def gate(self, name: str, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return q * self.fire(f"{name}.talking_heads", (k * v).sum(-1, keepdim=True), 0.5)

    def mlp(self, i: int, x: Tensor) -> Tensor:
        layers = [f"block.{i}.mlp.{name}" for name in self.repo.mlp]
        step: Callable[[str, Tensor], Tensor]
        if self.repo.lif_first:
            step = lambda name, value: self.layer(name, self.fire(name, value))  # noqa: E731
        else:
            step = lambda name, value: self.fire(name, self.layer(name, value))  # noqa: E731
        return step(layers[1], step(layers[0], x))
