"""What one would use instead: SpikingJelly's network of a shape, and a dense ANN of it."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader
from spikingjelly.activation_based import functional
from spikingjelly.activation_based.model.spikformer import Spikformer
from spikingjelly.activation_based.precision import prepare_model_for_precision
from torch import Tensor, nn

from spikehalt.errors import MissingExtraError
from spikehalt.extras import require_extra
from train.architectures.spikformer import SPIKFORMER
from train.config import ModelConfig


def spikingjelly_model(config: ModelConfig) -> nn.Module:
    """Return SpikingJelly's Spikformer of this shape, in evaluation mode.

    It has no Spikingformer: that differs in where neurons and residuals are, not in the products.
    """
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
    """Name SpikingJelly's network, and say where it differs from ours."""
    missing = "" if has_peer(config) else f" (it has no {config.arch.capitalize()})"
    return f"Spikformer of this shape{missing}"


class Fresh(nn.Module):
    """A stateful SpikingJelly network that starts every image at rest."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        """float32 [B, 3, H, W] to logits."""
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


class RandomImages(CalibrationDataReader):  # type: ignore[misc]  # ONNX Runtime is untyped
    """Batches for a calibration.

    Args:
        name: of the model's input.
        images: float32 [B, C, H, W], the same shape in every batch.
        count: batches.
    """

    def __init__(self, name: str, images: NDArray[np.float32], count: int = 16) -> None:
        rng = np.random.default_rng(1)
        self._batches = iter([{name: rng.random(images.shape, np.float32)} for _ in range(count)])

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        """Return the next feed, or None at the end."""
        return next(self._batches, None)


def int8_static(model: bytes, images: Tensor, folder: Path) -> bytes:
    """Quantise statically as ONNX Runtime does: Q/DQ pairs, one scale per output channel."""
    from onnxruntime.quantization import QuantFormat, QuantType, quant_pre_process, quantize_static

    source, ready, target = (folder / name for name in ("float.onnx", "ready.onnx", "int8.onnx"))
    source.write_bytes(model)
    logging.disable(logging.WARNING)
    quant_pre_process(source, ready)
    name = onnx.load(ready).graph.input[0].name
    quantize_static(
        ready, target, RandomImages(name, images.numpy()), quant_format=QuantFormat.QDQ,
        per_channel=True, activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8,
    )  # fmt: skip
    return target.read_bytes()


def openvino_model(model: bytes, threads: int) -> Any:
    """Compile an ONNX model in OpenVINO for the least latency on the processor.

    In float32 as ONNX Runtime computes: OpenVINO would take bfloat16 where the processor has it.

    Raises:
        MissingExtraError: OpenVINO is not installed.
    """
    openvino = require_extra("openvino", "openvino", "this candidate", MissingExtraError)
    core = openvino.Core()
    options = {
        "PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1,
        "INFERENCE_PRECISION_HINT": "f32",
    }  # fmt: skip
    return core.compile_model(core.read_model(model), "CPU", options)


def choose_fused_neurons(peer: nn.Module, device: torch.device, precision: str) -> str:
    """Let SpikingJelly's neurons run fused where it can, and name what they run with.

    In float32 SpikingJelly chooses by itself. Under autocast its membranes take the activations'
    dtype, for which it has no fused neurons and silently runs its reference loop, unless a neuron
    precision is set: here membranes are stored as the activations are and arithmetic is float32,
    which is what ours do.

    Raises:
        RuntimeError: a CUDA device, and no fused neurons for it.
    """
    chosen = functional.neuron_implementation("lif", device)
    name = str(chosen["implementation"])
    if name.startswith("torch"):
        # Where only the loop was asked for (SJ_LIF_CUDA_IMPLEMENTATION), nothing is unavailable.
        if device.type == "cuda" and chosen["unavailable"]:
            raise RuntimeError(
                "SpikingJelly finds no fused neurons for this device, so a comparison would not be "
                f"fair: {chosen['unavailable']}. Install spikingjelly[triton], or set "
                "SJ_LIF_CUDA_IMPLEMENTATION=torch to measure its reference loop"
            )
        return "reference"
    if precision == "fp32":
        return name
    prepare_model_for_precision(peer, device, {"mode": precision, "neuron_storage": precision})
    return "triton"
