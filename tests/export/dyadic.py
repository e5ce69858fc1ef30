"""Networks whose arithmetic is exact, and every way of running them (design section 9).

Weights are small multiples of 2^-3 and BatchNorm is the identity, so every sum is exact in
float32 and all
implementations must agree bit for bit, whatever the order of summation.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import onnx
import onnxruntime
import torch
from onnx.reference import ReferenceEvaluator
from onnx.reference.op_run import OpRun

import plugins
from train.architectures import ARCHITECTURES
from train.config import HaltingConfig, ModelConfig, StemConfig
from train.models import SpikingTransformer

# Architectures whose stem is spike patch splitting, which I-SPS knows too.
PATCH_SPLITTING = [name for name, each in ARCHITECTURES.items() if not each.forms]
EPSILON = 0.01
TIMESTEPS = 4
# Slope and offset of the halting score under which some tokens halt, by architecture and mode: in
# mode `block` one timestep's scores alone must reach 1 - epsilon.
SPIKES, CURRENTS = (1.0, -1.5), (0.25, -1.0)
SCORES = {name: CURRENTS if each.lif_first else SPIKES for name, each in ARCHITECTURES.items()}
BLOCK_SCORES = {
    name: (0.25, 0.5) if each.lif_first else (1.0, -0.5) for name, each in ARCHITECTURES.items()
}


def dyadic_config(arch: str, stem: str, mode: str, gamma: int, **changes: object) -> ModelConfig:
    """A tiny model on 8 x 8 pixels: 64 tokens (4 behind stages), three blocks."""
    alpha, beta = (BLOCK_SCORES if mode == "block" else SCORES)[arch]
    architecture = ARCHITECTURES[arch]
    form = next((each for each in architecture.forms if each == "cifar"), "imagenet")
    values: dict[str, object] = {
        "arch": arch, "depth": 3, "dim": 16, "heads": 2, "image_size": (8, 8), "channels": 3,
        "classes": 5, "timesteps": 1 if architecture.integer else TIMESTEPS, "merge_gamma": gamma,
        "pixel_mean": (128 / 255,), "pixel_std": (32 / 255,),
        "stem": StemConfig(kind=stem, pool=(False, False, False, False), form=form),
        "halting": HaltingConfig(mode=mode, alpha=alpha, beta=beta, epsilon=EPSILON),
    }  # fmt: skip
    return ModelConfig(**{**values, **changes})  # type: ignore[arg-type]


def dyadic_network(config: ModelConfig, seed: int = 0) -> SpikingTransformer:
    """Weights and biases are multiples of 1/8, sized so that a fair share of neurons fires."""
    generator = torch.Generator().manual_seed(seed)
    network = SpikingTransformer(config)
    for name, parameter in network.named_parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        if name.endswith("bn.weight"):
            value = torch.ones_like(noise)
        elif parameter.ndim > 1:
            value = noise * 1.6 / (parameter[0].numel() / 4) ** 0.5
        else:
            value = noise * 0.3 + 0.4
        parameter.data = torch.round(value * 8) / 8
    for module in network.modules():
        if isinstance(module, (torch.nn.BatchNorm1d, torch.nn.BatchNorm2d)):
            # var + eps rounds to one, so the identity survives a checkpoint, which stores no eps.
            module.running_var.fill_(1 - module.eps)
    return network.eval()


def pictures(batch: int, seed: int = 0) -> np.ndarray:
    """uint8 [batch, 8, 8, 3]."""
    return np.random.default_rng(seed).integers(0, 256, (batch, 8, 8, 3), dtype=np.uint8)


@dataclass
class Trace:
    """What a run yields, per timestep.


    Attributes:
        tokens: per timestep and block, the live tokens [M, D] in order of image and position.
        live: per timestep and block, int [B, K_l].
        logits: per timestep [B, N_c] (only after chunks, else None).
        halt_score: likewise [B].
    """

    tokens: list[list[np.ndarray]]
    live: list[list[np.ndarray]]
    logits: list[np.ndarray | None]
    halt_score: list[np.ndarray | None]


def run_torch(network: SpikingTransformer, images: np.ndarray) -> Trace:
    """PyTorch, all timesteps at once."""
    captured: list[torch.Tensor] = []
    hooks = [b.register_forward_hook(lambda m, i, o: captured.append(o)) for b in network.blocks]
    with torch.no_grad():
        output = network(as_input(network, images), EPSILON)
    for hook in hooks:
        hook.remove()
    live = [part.numpy() > 0 for part in output.live]  # L of [T, B, K]
    steps = range(network.config.timesteps)
    return Trace(
        tokens=[
            [x.numpy()[t][part[t]] for x, part in zip(captured, live, strict=False)] for t in steps
        ],
        live=[[part[t].astype(np.int32) for part in live] for t in steps],
        logits=[output.logits[t].numpy() for t in steps],
        halt_score=[output.halt_score[t].numpy() for t in steps],
    )


def as_input(network: SpikingTransformer, images: np.ndarray) -> torch.Tensor:
    """Channels first for images; frames [B, T, C, H, W] as they are."""
    tensor = torch.from_numpy(images)
    return tensor if network.config.input == "frames" else tensor.permute(0, 3, 1, 2)


@lru_cache(maxsize=8)
def session_of(model: bytes) -> onnxruntime.InferenceSession:
    """A session; inlining the function bodies takes long, and some tests run a graph twice."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(model, options, ["CPUExecutionProvider"])


class OnnxRuntime:
    """A graph with its intermediate tokens given out, in ONNX Runtime."""

    def __init__(self, model: onnx.ModelProto, extra: list[str]) -> None:
        self.session = session_of(with_outputs(model, extra).SerializeToString())
        self.inputs = [value.name for value in self.session.get_inputs()]
        self.outputs = [value.name for value in self.session.get_outputs()]

    def __call__(self, feed: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        return dict(zip(self.outputs, self.session.run(None, feed), strict=False))


class MatMulIntegerToFloat(OpRun):
    """ONNX Runtime's op, for products of unsigned by signed bytes without zero points."""

    op_domain = "com.microsoft"

    def _run(self, a, b, a_scale, b_scale, a_zero, b_zero, bias):  # type: ignore[no-untyped-def]
        assert a_zero is None and b_zero is None
        sums = a.astype(np.int32) @ b.astype(np.int32)
        return (sums.astype(np.float32) * (a_scale * b_scale) + bias,)


class Numpy:
    """The same in numpy: onnx's evaluator with the ops' numpy references, not their bodies."""

    def __init__(self, model: onnx.ModelProto, extra: list[str]) -> None:
        bare = with_outputs(model, extra)
        del bare.functions[:]
        ops = [*plugins.reference_ops(), MatMulIntegerToFloat]
        self.evaluator = ReferenceEvaluator(bare, new_ops=ops)
        self.inputs = list(self.evaluator.input_names)
        self.outputs = list(self.evaluator.output_names)

    def __call__(self, feed: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        return dict(zip(self.outputs, self.evaluator.run(None, feed), strict=False))


def with_outputs(model: onnx.ModelProto, names: list[str]) -> onnx.ModelProto:
    """A copy that also gives out intermediate values."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    copy.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    for value in copy.graph.output[-len(names) :]:
        value.type.tensor_type.elem_type = onnx.TensorProto.FLOAT
    return copy


def token_names(depth: int) -> list[str]:
    """Names of the tokens after each block, as the exporter calls them."""
    return [f"block{n}/mlp_residual" for n in range(1, depth + 1)]


class Bundle:
    """The graphs of one export, loaded once, and run chunk by chunk.

    Args:
        kind: OnnxRuntime or Numpy.
        graphs: `first.onnx` and, where there is one, `next.onnx`.
        config: the model.
        chunk: timesteps per graph.
    """

    def __init__(
        self,
        kind: type[OnnxRuntime] | type[Numpy],
        graphs: dict[str, onnx.ModelProto],
        config: ModelConfig,
        chunk: int,
    ) -> None:
        extra = token_names(config.depth)
        self.config, self.chunk = config, chunk
        self.graphs = {name: kind(model, extra) for name, model in graphs.items()}

    def run(self, images: np.ndarray) -> Trace:
        """All timesteps, states fed back by name."""
        trace = Trace([], [], [], [])
        epsilon = np.array(EPSILON, np.float32)
        feed = {"epsilon": epsilon, **source(self.config, images, 0, self.chunk)}
        outputs = self.graphs["first.onnx"](feed)
        collect(trace, outputs, self.config, self.chunk)
        for start in range(self.chunk, self.config.timesteps, self.chunk):
            following = self.graphs["next.onnx"]
            feed = {n: outputs[f"next.{n}"] for n in following.inputs if n.startswith("state.")}
            feed |= {"epsilon": epsilon, "alive": np.arange(len(images))}
            if self.config.input == "frames":
                feed |= source(self.config, images, start, self.chunk)
            outputs = following(feed)
            collect(trace, outputs, self.config, self.chunk)
        return trace


def source(
    config: ModelConfig, images: np.ndarray, start: int, chunk: int
) -> dict[str, np.ndarray]:
    """The graph's image or frames input."""
    if config.input == "frames":
        return {"frames": images[:, start : start + chunk]}
    return {"image": images}


def collect(trace: Trace, outputs: dict[str, np.ndarray], config: ModelConfig, chunk: int) -> None:
    """Append a chunk's timesteps to the trace; dense rows are reduced to the live ones."""
    masks = [outputs[f"live.block{n}"] for n in range(1, config.depth + 1)]
    tokens = [
        live_rows(outputs[name], mask)
        for name, mask in zip(token_names(config.depth), masks, strict=True)
    ]
    for t in range(chunk):
        live = [mask[:, t] for mask in masks]
        trace.live.append(live)
        trace.tokens.append([rows[t] for rows in tokens])
        counts = outputs["live_tokens"][:, t]
        assert np.array_equal(counts, np.stack([mask.sum(1) for mask in live], 1))
        last = t == chunk - 1
        trace.logits.append(outputs["logits"] if last else None)
        trace.halt_score.append(outputs["halt_score"] if last else None)


def live_rows(x: np.ndarray, mask: np.ndarray) -> list[np.ndarray]:
    """Rows of all timesteps, one after the other, to the live rows of each; mask [B, C, K]."""
    by_step = mask.transpose(1, 0, 2)
    if len(x) == mask.size:
        x = x[by_step.reshape(-1) > 0]
    ends = np.cumsum(by_step.sum((1, 2)))[:-1]
    return np.split(x, ends)


def assert_same(expected: Trace, found: Trace) -> None:
    """Tokens and live sets bit for bit; logits and scores, which hold a sigmoid, to 1e-5."""
    assert len(expected.live) == len(found.live)
    for t, (live, other) in enumerate(zip(expected.live, found.live, strict=False)):
        for number, (a, b) in enumerate(zip(live, other, strict=False), 1):
            np.testing.assert_array_equal(b, a, err_msg=f"live set, t {t + 1}, block {number}")
            x, y = expected.tokens[t][number - 1], found.tokens[t][number - 1]
            np.testing.assert_array_equal(y, x, err_msg=f"tokens, t {t + 1}, block {number}")
    for name in ("logits", "halt_score"):
        for a, b in zip(getattr(expected, name), getattr(found, name), strict=False):
            if a is not None and b is not None:
                np.testing.assert_allclose(b, a, rtol=1e-5, atol=1e-5, err_msg=name)
