"""One candidate of `benchmarks.gpu` in a process of its own (benchmarks/common/serving.py).

    python -m benchmarks.gpu.worker NAME --networks DIR --batch 1 --precision fp16 --device cuda

Every repetition takes uint8 images from host memory and gives logits in host memory.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnxruntime
import torch
from torch import Tensor, nn

from benchmarks.common import peers
from benchmarks.common.serving import Candidate, serve
from benchmarks.gpu.networks import POLICY, Prepared, noise
from export.bundle.write import export_bundle
from export.engines.build import build_engines
from export.engines.profiles import BatchRange
from export.engines.targets.base import EngineOptions
from export.engines.targets.choose import open_target, this_capability
from export.options import AUTO, ExportOptions, LayoutOption
from runtime import Engine
from runtime.bundle.read import Bundle
from runtime.results.result import Result
from spikehalt.commands import Parser, whole
from train.checkpoint import load_checkpoint
from train.config import ModelConfig

IMAGES = 32  # in a repetition, or one batch where that is more
DTYPES = {"fp32": torch.float32, "fp16": torch.float16}
ORT_PROVIDERS = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
}
Provider = Literal["own", "tensorrt"]  # `own`: that of the device


@dataclass(frozen=True)
class Conditions:
    """What the candidates of a table share.

    Attributes:
        networks: folder that `benchmarks.gpu.networks.prepare` filled; engines are built in it.
        batch: images at once.
        precision: of all; what cannot have it says so.
        device: `cuda`, or `cpu` to see that the benchmark works.
    """

    networks: Path
    batch: int
    precision: Literal["fp32", "fp16"]
    device: Literal["cpu", "cuda"]

    @property
    def model(self) -> ModelConfig:
        """The shape that is timed, static."""
        return load_checkpoint(self.networks / "static.pt").model

    @property
    def images(self) -> int:
        """Whole batches, in a repetition."""
        return self.batch * max(1, IMAGES // self.batch)


@dataclass(frozen=True)
class Ours:
    """One of our bundles in a backend.

    Attributes:
        network: `static` or `halting`.
        backend: of `runtime.backends.names()`.
        whole: one graph for all timesteps, else one per timestep.
        exits: images leave as soon as they are certain.
        plugins: for TensorRT; without, function bodies run.
    """

    network: Literal["static", "halting"]
    backend: str
    whole: bool = False
    exits: bool = False
    plugins: bool = True


def main() -> None:
    """Serve until standard input ends."""
    parser = Parser()
    parser.add_argument("name", choices=[*CANDIDATES])
    parser.add_argument("--networks", type=Path, required=True)
    parser.add_argument("--batch", type=whole(1), default=1)
    parser.add_argument("--precision", choices=[*DTYPES], default="fp16")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cuda")
    given = vars(parser.parse_args())
    build = CANDIDATES[given.pop("name")]
    conditions = Conditions(**given)
    serve(lambda: build(conditions), conditions.device)


def ours(kind: Ours, conditions: Conditions) -> Candidate:
    """A bundle through `runtime.Engine`, exported and built as a user would."""
    bundle = our_bundle(kind, conditions)
    threshold = Prepared.load(conditions.networks).threshold
    policy: dict[str, Any] = {"policy": POLICY, "threshold": threshold} if kind.exits else {}
    engine = Engine(
        bundle, backend=kind.backend, max_batch=conditions.batch, **policy or {"policy": "never"}
    )
    images = noise(conditions.model, conditions.images)
    parts = np.split(images, len(images) // conditions.batch)
    seen: list[Result] = []

    def step() -> int:
        seen[:] = [engine(part) for part in parts]
        return len(images)

    def about() -> Mapping[str, Any]:
        return {
            "tokens": float(np.mean([each.average_tokens.mean() for each in seen])),
            "timesteps": float(np.mean([each.timesteps.mean() for each in seen])),
            "runs_with": f"{engine.info.name} {engine.info.version}",
        }

    return Candidate(step, about)


def our_bundle(kind: Ours, conditions: Conditions) -> Bundle:
    """The bundle of a kind, with engines in it where its backend wants some."""
    model = load_checkpoint(conditions.networks / f"{kind.network}.pt").model
    chunk = model.timesteps if kind.whole else 1
    engines = kind.backend.startswith("tensorrt")
    halting = model.halting.mode != "none"
    built = engine_options(kind, conditions)
    layout: LayoutOption = AUTO if engines else "packed" if halting else "dense"
    name = f"{kind.network}-{kind.backend}-{chunk}-{conditions.batch}-{kind.plugins}-{kind.exits}"
    bundle = export_bundle(
        conditions.networks / f"{kind.network}.pt",
        conditions.networks / f"{name}.bundle",
        ExportOptions(
            chunk=chunk,
            layout=layout,
            precision=conditions.precision,
            engine_batch=built.batch.largest if engines else None,
        ),
        force=True,
    )
    return build_engines(bundle, open_target(kind.backend, built), built) if engines else bundle


def engine_options(kind: Ours, conditions: Conditions) -> EngineOptions:
    """Static shapes where no image leaves, else every number of images up to the batch."""
    batch, rtx = conditions.batch, kind.backend == "tensorrt-rtx"
    return EngineOptions(
        batch=BatchRange(1 if kind.exits else batch, batch, batch),
        plugins=kind.plugins and not rtx,
        compute_capabilities=(this_capability(),) if rtx else (),
    )


def spikingjelly(conditions: Conditions, *, compiled: bool = False) -> Candidate:
    """SpikingJelly's model of this shape, with fused neurons where it has them."""
    device = torch.device(conditions.device)
    network = peers.spikingjelly_model(conditions.model).to(device)
    neurons = peers.choose_fused_neurons(network, device, conditions.precision)
    if compiled:
        network.compile()
    lower = conditions.precision != "fp32"
    cast: AbstractContextManager[Any] = (
        torch.autocast(device.type, DTYPES[conditions.precision]) if lower else nullcontext()
    )
    return in_torch(Pixels(peers.Fresh(network)), conditions, f"{neurons} neurons", cast)


def dense(conditions: Conditions, *, compiled: bool = False) -> Candidate:
    """The ANN of this shape; compiled: as CUDA graphs, PyTorch's fastest for small batches."""
    network = dense_network(conditions).to(conditions.device)
    if compiled:
        on_gpu = conditions.device == "cuda"
        network.compile(mode="reduce-overhead" if on_gpu else "default")
    return in_torch(network, conditions, "")


def dense_network(conditions: Conditions) -> nn.Module:
    """From uint8 pixels to logits, weights and activations in the precision that is asked for."""
    torch.manual_seed(0)
    dtype = DTYPES[conditions.precision]
    return Pixels(peers.DenseTransformer(conditions.model), dtype).eval().to(dtype)


class Pixels(nn.Module):
    """A network that takes uint8 pixels [B, C, H, W] and gives float32 logits [B, N_c]."""

    def __init__(self, network: nn.Module, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.network, self.dtype = network, dtype

    def forward(self, pixels: Tensor) -> Tensor:
        """See the class."""
        logits: Tensor = self.network((pixels.to(self.dtype) / 255 - 0.5) / 0.25)
        return logits.float()


def in_torch(
    network: nn.Module,
    conditions: Conditions,
    how: str,
    cast: AbstractContextManager[Any] | None = None,
) -> Candidate:
    """Pinned images to the device, one pass, logits back."""
    pixels = batch_of_pixels(conditions)
    pixels = pixels.pin_memory() if conditions.device == "cuda" else pixels

    def step() -> int:
        with torch.inference_mode(), cast or nullcontext():
            network(pixels.to(conditions.device, non_blocking=True)).cpu()
        return len(pixels)

    runs_with = ", ".join(filter(None, (f"PyTorch {torch.__version__}", how)))
    return Candidate(step, lambda: {"runs_with": runs_with})


def spikingjelly_onnx(conditions: Conditions) -> Candidate:
    """SpikingJelly's model through plain `torch.onnx.export`, which leaves it in float32."""
    network = Pixels(peers.Fresh(peers.spikingjelly_model(conditions.model)))
    return in_onnxruntime(network, conditions, "own")


def dense_onnx(conditions: Conditions, *, provider: Provider = "own") -> Candidate:
    """The ANN through plain `torch.onnx.export`."""
    return in_onnxruntime(dense_network(conditions), conditions, provider)


def in_onnxruntime(network: nn.Module, conditions: Conditions, provider: Provider) -> Candidate:
    """ONNX Runtime on the device; a provider that falls back to another one is an error."""
    pixels = batch_of_pixels(conditions)
    model = peers.plain_onnx(network.eval(), pixels)
    wanted = ORT_PROVIDERS[conditions.device if provider == "own" else provider]
    if wanted not in onnxruntime.get_available_providers():
        raise RuntimeError(f"this build of ONNX Runtime has no {wanted}")
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model, options, [wanted], enable_fallback=0)
    if session.get_providers()[0] != wanted:
        raise RuntimeError(f"ONNX Runtime could not start its {wanted}")
    feed = {session.get_inputs()[0].name: pixels.numpy()}

    def step() -> int:
        session.run(None, feed)
        return len(pixels)

    runs_with = f"ONNX Runtime {onnxruntime.__version__}, {wanted}"
    return Candidate(step, lambda: {"runs_with": runs_with})


def batch_of_pixels(conditions: Conditions) -> Tensor:
    """uint8 [B, C, H, W]."""
    images = noise(conditions.model, conditions.batch)
    return torch.from_numpy(images.transpose(0, 3, 1, 2).copy())


def _ours(network: Literal["static", "halting"], backend: str, **how: bool) -> Build:
    return partial(ours, Ours(network, backend, **how))


def _of_backend(backend: str) -> dict[str, Build]:
    return {
        f"{backend}-static": _ours("static", backend, whole=True),
        f"{backend}-halting": _ours("halting", backend, whole=True),
        f"{backend}-halting-steps": _ours("halting", backend),
        f"{backend}-exit": _ours("halting", backend, exits=True),
    }


Build = Callable[[Conditions], Candidate]
BACKENDS = ("onnxruntime", "onnxruntime-cuda", "tensorrt-rtx", "tensorrt")
CANDIDATES: dict[str, Build] = {
    "spikingjelly": spikingjelly,
    "spikingjelly-compiled": partial(spikingjelly, compiled=True),
    "spikingjelly-onnx": spikingjelly_onnx,
    "ann": dense,
    "ann-compiled": partial(dense, compiled=True),
    "ann-onnx": dense_onnx,
    "ann-tensorrt": partial(dense_onnx, provider="tensorrt"),
    **{name: build for backend in BACKENDS for name, build in _of_backend(backend).items()},
    "tensorrt-exit-bodies": _ours("halting", "tensorrt", exits=True, plugins=False),
}


if __name__ == "__main__":
    main()
