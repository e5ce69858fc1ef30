"""Emit the stem: raw pixels or frames to token rows, once (I-SPS) or per timestep (SPS)."""

from __future__ import annotations

import numpy as np
from onnx import TensorProto

from export.fold.exact import rate_range
from export.graph.emitter import Emitter
from export.graph.stem.rates import rate


def normalised(e: Emitter, image: str) -> str:
    """uint8 [B, H, W, C] -> normalised [B, C, H, W].

    The mean cannot move into the first convolution's bias: that would change the zero-padded
    border.
    It is computed in float32 and rounded once.
    """
    graph = e.graph
    scale, shift = (graph.const(x, np.float32) for x in (e.plan.pixel_scale, e.plan.pixel_shift))
    pixels = graph.op("Cast", image, to=TensorProto.FLOAT, name="pixels")
    planes = graph.op("Transpose", pixels, perm=[0, 3, 1, 2], name="planes")
    scaled = graph.op("Mul", planes, scale, name="scaled")
    return _in_graph_type(e, graph.op("Add", scaled, shift, name="normalised"))


def _in_graph_type(e: Emitter, x: str) -> str:
    """float32 `x` in the graph's dtype."""
    same = e.graph.float_type == TensorProto.FLOAT
    return x if same else e.graph.op("Cast", x, to=e.graph.float_type, name="in_float16")


def first_current(e: Emitter, x: str) -> str:
    """Current of the first convolution: for images the same at every timestep."""
    return e.conv(x, e.plan.stem.convs[0], "conv1")


def _spike_conv(e: Emitter, x: str, number: int) -> str:
    """Convolution `number` (2 to 5), which takes spikes or firing rates."""
    layer = e.plan.stem.convs[number - 1]
    return e.conv(x, layer, f"conv{number}", rate_range(e.plan.config))


def tokens_once(e: Emitter, current: str) -> str:
    """I-SPS: the first convolution's current to tokens [B, K, D], each convolution once."""
    for stage in range(3):
        current = _spike_conv(e, _rate_stage(e, current, stage), stage + 2)
    return _to_tokens(e, _tail_once(e, current))


def _rate_stage(e: Emitter, current: str, stage: int) -> str:
    """Firing rates of a stage; the staircase is monotone, so pooling may come first."""
    assert e.plan.stem.stairs is not None
    if e.plan.config.stem.pool[stage]:
        current = e.pool(current, f"pool{stage + 1}")
    return rate(e.graph, current, e.plan.stem.stairs, f"rate{stage + 1}")


def _tail_once(e: Emitter, current: str) -> str:
    plan, arch = e.plan.stem, e.plan.config.arch
    assert plan.stairs is not None and plan.residual_stairs is not None
    if arch == "sdt":
        current = e.pool(current, "pool4") if e.plan.config.stem.pool[3] else current
        rates = rate(e.graph, current, plan.residual_stairs, "rate4")
        return e.graph.op("Add", current, _spike_conv(e, rates, 5), name="embedded")
    x = _rate_stage(e, current, 3)
    current = _spike_conv(e, x, 5)
    if arch == "spikingformer":
        return current
    return e.graph.op("Add", x, rate(e.graph, current, plan.stairs, "rate5"), name="embedded")


def tokens_of_chunk(e: Emitter, current: str, *, constant: bool) -> str:
    """SPS: the stem at every timestep, the first convolution's current to tokens [C * B, K, D].

    `constant`: the current is one timestep's, and the same at every other.
    """
    for stage in range(3):
        x = _spike_stage(e, current, stage, constant=constant and stage == 0)
        current = _spike_conv(e, x, stage + 2)
    return _to_tokens(e, _tail_at(e, current))


def _spike_stage(e: Emitter, current: str, stage: int, *, constant: bool = False) -> str:
    config = e.plan.config
    pools, before = config.stem.pool[stage], config.stem.pool_position == "before_lif"
    if pools and before:
        current = e.pool(current, f"pool{stage + 1}")
    tail = _map_shape(e, stage, pooled=pools and before)
    name, lif = f"stem.lif{stage + 1}", e.plan.stem.lif
    x = e.lif_per_image(name, current, lif, tail, constant=constant)
    return e.pool(x, f"pool{stage + 1}") if pools and not before else x


def _tail_at(e: Emitter, current: str) -> str:
    plan, arch = e.plan.stem, e.plan.config.arch
    if arch == "sdt":
        current = e.pool(current, "pool4") if e.plan.config.stem.pool[3] else current
        tail = _map_shape(e, 3, pooled=True)
        spike = e.lif_per_image("stem.lif4", current, plan.residual_lif, tail)
        return e.graph.op("Add", current, _spike_conv(e, spike, 5), name="embedded")
    x = _spike_stage(e, current, 3)
    current = _spike_conv(e, x, 5)
    if arch == "spikingformer":
        return current
    spike = e.lif_per_image("stem.lif5", current, plan.lif, _map_shape(e, 4, pooled=False))
    return e.graph.op("Add", x, spike, name="embedded")


def _map_shape(e: Emitter, stage: int, pooled: bool) -> list[int]:
    """[C, H, W] of a stage's feature map; `pooled` counts the stage's own pool."""
    channels = e.plan.stem.convs[stage].bias.shape[0]
    return [channels, *e.plan.config.resolution(stage + pooled)]


def _to_tokens(e: Emitter, x: str) -> str:
    """[B, D, H, W] -> [B, K, D]."""
    config, graph = e.plan.config, e.graph
    flat = graph.op("Reshape", x, graph.ints(-1, config.dim, config.tokens), name="flat")
    return graph.op("Transpose", flat, perm=[0, 2, 1], name="tokens")


def chunk_frames(e: Emitter, frames: str) -> str:
    """float32 [B, C, channels, H, W] -> [C * B, channels, H, W] in the graph's dtype."""
    graph, config = e.graph, e.plan.config
    if e.steps.count > 1:
        frames = graph.op("Transpose", frames, perm=[1, 0, 2, 3, 4], name="by_step")
    shape = graph.ints(-1, config.channels, *config.image_size)
    return _in_graph_type(e, graph.op("Reshape", frames, shape, name="frames_of_chunk"))
