"""The networks that `benchmarks.cpu` times: ours, SpikingJelly's, a dense ANN of the same shape."""

from __future__ import annotations

import logging
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import torch
from torch import Tensor, nn

from benchmarks.common.replay import SILENT, imposed
from export.fold.network import make_plan
from export.graph.unroll import unroll
from export.options import ExportOptions
from spikehalt.vocabulary import Layout
from train.architectures.spikformer import SPIKFORMER
from train.config import HaltingConfig, ModelConfig
from train.models import SpikingTransformer, named_model

MODEL = "spikformer-4-384"
LARGE = "spikingformer-8-384"


def config_of(kind: str, *, halting: bool, model: str = MODEL) -> ModelConfig:
    """A named model with the stem `kind`, with replayed halting or without."""
    base = named_model(model)
    chosen = SILENT if halting else HaltingConfig()
    return replace(base, stem=replace(base.stem, kind=kind), halting=chosen)  # type: ignore[arg-type]


def random_network(config: ModelConfig) -> SpikingTransformer:
    """Random weights of a size under which a fair share of neurons fires."""
    generator = torch.Generator().manual_seed(0)
    network = SpikingTransformer(config).eval()
    for name, parameter in network.named_parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        if parameter.ndim > 1:
            parameter.data = noise * 3.2 / parameter[0].numel() ** 0.5
        elif name.endswith("bn.bias"):
            parameter.data = noise * 0.3 + 0.4
    return network


def our_graphs(
    config: ModelConfig, *, int8: bool = False, layout: Layout = "packed", chunk: int = 1
) -> dict[str, onnx.ModelProto]:
    """`chunk` timesteps per graph; replayed where tokens halt, dense where they do not."""
    halting = config.halting.mode != "none"
    options = ExportOptions(chunk, layout if halting else "dense", "int8" if int8 else "fp32")
    plan = make_plan(random_network(config))
    if not halting:
        return unroll(plan, options)
    with imposed():
        return unroll(plan, options)


def spikingjelly_model(config: ModelConfig) -> nn.Module:
    """SpikingJelly's Spikformer of this shape, evaluation mode.

    It has no Spikingformer: that differs in where neurons and residuals are, not in the products.
    """
    from spikingjelly.activation_based.model.spikformer import Spikformer

    network: nn.Module = Spikformer(
        T=config.timesteps,
        in_channels=config.channels,
        img_size_h=config.image_size[0],
        img_size_w=config.image_size[1],
        patch_size=16 if all(config.stem.pool) else 4,
        num_classes=config.classes,
        embed_dims=config.dim,
        num_heads=config.heads,
        mlp_ratio=config.mlp_ratio,
        depths=config.depth,
    )
    return network.eval()


def has_peer(config: ModelConfig) -> bool:
    """Whether SpikingJelly's model is of this very architecture."""
    return config.architecture is SPIKFORMER


def spikingjelly_name(config: ModelConfig) -> str:
    """What it is, in words."""
    missing = "" if has_peer(config) else f" (it has no {config.arch.capitalize()})"
    return f"Spikformer of this shape{missing}"


class Fresh(nn.Module):
    """A stateful SpikingJelly network that starts every image at rest."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        """float32 [B, 3, H, W] to logits."""
        from spikingjelly.activation_based import functional

        functional.reset_net(self.network)
        return self.network(images)  # type: ignore[no-any-return]


class DenseBlock(nn.Module):
    """Softmax attention and a ReLU MLP, each with a residual; normalisation counts as folded."""

    def __init__(self, dim: int, heads: int, hidden: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv, self.proj = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)
        self.mlp = nn.Sequential(nn.Linear(dim, hidden), nn.ReLU(), nn.Linear(hidden, dim))

    def forward(self, x: Tensor) -> Tensor:
        """[B, K, D] to [B, K, D]."""
        q, k, v = (
            part.unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for part in self.qkv(x).chunk(3, -1)
        )
        weights = (q @ k.transpose(-1, -2) * q.shape[-1] ** -0.5).softmax(-1)
        x = x + self.proj((weights @ v).transpose(1, 2).flatten(2))
        return x + self.mlp(x)  # type: ignore[no-any-return]


class DenseTransformer(nn.Module):
    """The same convolutions, blocks and head without spikes or timesteps: one pass."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        widths = [config.channels] + [config.dim // ratio for ratio in (8, 4, 2, 1)]
        stages: list[nn.Module] = []
        for stage, pool in enumerate(config.stem.pool):
            stages += [nn.Conv2d(widths[stage], widths[stage + 1], 3, padding=1), nn.ReLU()]
            stages += [nn.MaxPool2d(3, 2, 1)] if pool else []
        self.stem = nn.Sequential(*stages)
        self.position = nn.Conv2d(config.dim, config.dim, 3, padding=1)
        self.blocks = nn.Sequential(
            *(DenseBlock(config.dim, config.heads, config.hidden) for _ in range(config.depth))
        )
        self.head = nn.Linear(config.dim, config.classes)

    def forward(self, images: Tensor) -> Tensor:
        """float32 [B, C, H, W] to logits."""
        x = self.stem(images)
        x = x + self.position(x).relu()
        return self.head(self.blocks(x.flatten(2).transpose(1, 2)).mean(1))  # type: ignore[no-any-return]


def plain_onnx(network: nn.Module, images: Tensor) -> bytes:
    """`torch.onnx.export` as a user would call it; raises what it raises."""
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(network, (images,), dynamo=True, verbose=False)
    assert program is not None
    model: bytes = program.model_proto.SerializeToString()
    return model


def int8_dynamic(model: bytes, folder: Path) -> bytes:
    """ONNX Runtime's own dynamic int8 quantisation, per channel: what an ANN's user would take."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    source, target = folder / "float.onnx", folder / "int8.onnx"
    source.write_bytes(model)
    logging.disable(logging.WARNING)
    quantize_dynamic(
        source,
        target,
        per_channel=True,
        weight_type=QuantType.QInt8,
        op_types_to_quantize=["MatMul"],
    )  # fmt: skip
    return target.read_bytes()


def stem_macs(config: ModelConfig) -> list[int]:
    """Multiply-accumulates of the stem's five convolutions on one image, one pass."""
    before, macs = config.channels, []
    for stage, ratio in enumerate((8, 4, 2, 1, 1)):
        height, width = config.resolution(stage)
        after = config.dim // ratio
        macs.append(9 * before * after * height * width)
        before = after
    return macs


def token_macs(config: ModelConfig) -> int:
    """Of the linear layers of one block, per live token."""
    return 4 * config.dim**2 + 2 * config.dim * config.hidden


def attention_macs(config: ModelConfig) -> int:
    """Of both attention products of one block, over all slots, in the cheaper order."""
    width = config.dim // config.heads
    return 2 * config.tokens * config.dim * min(config.tokens, width)


def dense_macs(config: ModelConfig) -> int:
    """Of the dense ANN on one image; softmax leaves its attention no cheaper order."""
    attention = 2 * config.tokens**2 * config.dim
    blocks = config.depth * (config.tokens * token_macs(config) + attention)
    return sum(stem_macs(config)) + blocks


def spiking_macs(config: ModelConfig, live: np.ndarray, timesteps: int) -> int:
    """Multiply-accumulates our graphs do for one image with these live tokens [T, L].

    With I-SPS the tokens that enter block 1 do not depend on t. A block that begins with the q/k/v
    product runs it once then; one that begins with a neuron does not, since its spikes do depend.
    """
    first, *rest = stem_macs(config)
    static = config.stem.kind == "isps"
    passes = 1 if static else timesteps
    hoisted = static and not config.architecture.lif_first
    once = config.tokens * 3 * config.dim**2 if hoisted else 0
    blocks = int(live[:timesteps].sum()) * token_macs(config)
    attention = timesteps * config.depth * attention_macs(config)
    return first + passes * sum(rest) + blocks - (timesteps - 1) * once + attention
