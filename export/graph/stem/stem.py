"""Emit the stem: raw pixels or frames to token rows, once (I-SPS) or per timestep (SPS)."""

from __future__ import annotations

import numpy as np
from onnx import TensorProto

from export.fold.exact import rate_range
from export.graph.emitter import Emitter
from export.graph.rates import rate
from train.architectures.base import FIFTH, FOURTH


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


def in_order(e: Emitter, current: str) -> str:
    """The first convolution's current with its axes as the float stem takes them."""
    return _channels_last(e, current) if e.spike_ops else current


def _channels_last(e: Emitter, x: str) -> str:
    """[B, C, H, W] -> [B, H, W, C], as SpikeConv takes it."""
    return e.graph.op("Transpose", x, perm=[0, 2, 3, 1], name="channels_last")


def _spike_conv(e: Emitter, x: str, stage: int) -> str:
    """Convolution of a stage after the first, which takes spikes or firing rates."""
    return e.conv(x, e.plan.stem.convs[stage], f"conv{stage + 1}", rate_range(e.plan.config))


def tokens_once(e: Emitter, current: str) -> str:
    """I-SPS: the first convolution's current to tokens [B, K, D], each convolution once."""
    current = in_order(e, current)
    for stage in range(3):
        current = _spike_conv(e, _rate_stage(e, current, stage), stage + 1)
    return to_tokens(e, _tail_once(e, current))


def _rate_stage(e: Emitter, current: str, stage: int) -> str:
    """Firing rates of a stage; the staircase is monotone, so pooling may come first."""
    assert e.plan.stem.stairs is not None
    current = _pooled(e, current, stage)
    return rate(e.graph, current, e.plan.stem.stairs, f"rate{stage + 1}")


def _tail_once(e: Emitter, current: str) -> str:
    """The fourth convolution's current to a feature map of tokens."""
    plan, kept = e.plan.stem, e.plan.config.architecture.kept_currents
    assert plan.stairs is not None and plan.residual_stairs is not None
    if FOURTH in kept:
        embedded = _pooled(e, current, FOURTH)
        x = rate(e.graph, embedded, plan.residual_stairs, "rate4")
    else:
        embedded = x = _rate_stage(e, current, FOURTH)
    last = _spike_conv(e, x, FIFTH)
    if FIFTH not in kept:
        last = rate(e.graph, last, plan.stairs, "rate5")
    return with_position(e, embedded, last)


def tokens_of_chunk(e: Emitter, current: str, *, constant: bool) -> str:
    """SPS: the stem at every timestep, the first convolution's current to tokens [C * B, K, D].

    `constant`: the current is one timestep's, and the same at every other.
    """
    for stage in range(3):
        x = _spike_stage(e, current, stage, constant=constant and stage == 0)
        current = _spike_conv(e, x, stage + 1)
    return to_tokens(e, _tail_at(e, current))


def _spike_stage(e: Emitter, current: str, stage: int, *, constant: bool = False) -> str:
    config = e.plan.config
    pools, before = config.stem.pool[stage], config.stem.pool_position == "before_lif"
    if before:
        current = _pooled(e, current, stage)
    tail = _map_shape(e, stage, pooled=pools and before)
    name, lif = f"stem.lif{stage + 1}", e.plan.stem.lif
    x = e.lif_per_image(name, current, lif, tail, constant=constant)
    return x if before else _pooled(e, x, stage)


def _pooled(e: Emitter, x: str, stage: int) -> str:
    """Max-pool a feature map where the stage has one."""
    return pool(e, x, f"pool{stage + 1}") if e.plan.config.stem.pool[stage] else x


def pool(e: Emitter, x: str, name: str) -> str:
    """Max-pool a feature map, its axes as the float stem takes them."""
    if not e.spike_ops:
        return e.pool(x, name)
    planes = e.graph.op("Transpose", x, perm=[0, 3, 1, 2], name=f"{name}_planes")
    return _channels_last(e, e.pool(planes, name))


def _tail_at(e: Emitter, current: str) -> str:
    """The fourth convolution's current to a feature map of tokens."""
    plan, kept = e.plan.stem, e.plan.config.architecture.kept_currents
    if FOURTH in kept:
        embedded = _pooled(e, current, FOURTH)
        tail = _map_shape(e, FOURTH, pooled=True)
        x = e.lif_per_image("stem.lif4", embedded, plan.residual_lif, tail)
    else:
        embedded = x = _spike_stage(e, current, FOURTH)
    last = _spike_conv(e, x, FIFTH)
    if FIFTH not in kept:
        tail = _map_shape(e, FIFTH, pooled=False)
        last = e.lif_per_image("stem.lif5", last, plan.lif, tail)
    return with_position(e, embedded, last)


def with_position(e: Emitter, embedded: str, last: str, name: str = "embedded") -> str:
    """The fifth convolution's result, added to what it embeds where it is a position."""
    adds = e.plan.config.architecture.adds_position
    return e.graph.op("Add", embedded, last, name=name) if adds else last


def first_shape(e: Emitter) -> list[int]:
    """Of the first convolution's current."""
    return _map_shape(e, 0, pooled=False)


def _map_shape(e: Emitter, stage: int, pooled: bool) -> list[int]:
    """[C, H, W] of a stage's feature map, or [H, W, C]; `pooled` counts the stage's own pool."""
    channels = e.plan.stem.convs[stage].bias.shape[0]
    sides = e.plan.config.resolution(stage + pooled)
    return [*sides, channels] if e.spike_ops else [channels, *sides]


def to_tokens(e: Emitter, x: str) -> str:
    """[B, D, H, W], or [B, H, W, D], -> [B, K, D]."""
    config, graph = e.plan.config, e.graph
    if e.spike_ops:
        return graph.op("Reshape", x, graph.ints(-1, config.tokens, config.dim), name="tokens")
    flat = graph.op("Reshape", x, graph.ints(-1, config.dim, config.tokens), name="flat")
    return graph.op("Transpose", flat, perm=[0, 2, 1], name="tokens")


def chunk_frames(e: Emitter, frames: str) -> str:
    """float32 [B, C, channels, H, W] -> [C * B, channels, H, W] in the graph's dtype."""
    graph, config = e.graph, e.plan.config
    if e.steps.count > 1:
        frames = graph.op("Transpose", frames, perm=[1, 0, 2, 3, 4], name="by_step")
    shape = graph.ints(-1, config.channels, *config.image_size)
    return _in_graph_type(e, graph.op("Reshape", frames, shape, name="frames_of_chunk"))
