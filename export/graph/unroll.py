"""Unroll a network's timesteps into `first.onnx` and `next.onnx` (design section 5)."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import replace

import onnx
from onnx import TensorProto

import plugins
from export.choose_layout import choose_layout
from export.fold.folded import NetworkPlan
from export.graph.builder import GraphBuilder, Shape
from export.graph.check import check_options
from export.graph.chunk import Chunk
from export.graph.emitter import Emitter
from export.graph.inline import inline_functions
from export.graph.layouts.base import Layout
from export.graph.layouts.table import LAYOUTS
from export.graph.network import counts_in_bytes, emit_network
from export.graph.observers.base import Observer
from export.graph.observers.live_masks import LiveMasks
from export.graph.observers.operations import Operations
from export.graph.observers.spikes import Spikes
from export.graph.readout import emit_readout
from export.graph.states import States
from export.graph.steps import Steps
from export.options import ExportOptions
from train.staircase import Staircase

FLOAT, INT32, INT64 = TensorProto.FLOAT, TensorProto.INT32, TensorProto.INT64
PRODUCER = "spikehalt"


def unroll(plan: NetworkPlan, options: ExportOptions) -> dict[str, onnx.ModelProto]:
    """The graphs of a bundle, by file name.

    What `next` reads is known once it has been emitted; then both graphs give it out.

    Raises:
        UnsupportedError: the options do not fit the model.
    """
    plan = replace(plan, config=options.applied_to(plan.config))
    layout = choose_layout(plan.config, options).layout
    options = replace(options, layout=layout)
    check_options(plan, options, layout)
    kind = LAYOUTS[layout]
    finish = inline_functions if options.inline_functions else lambda model: model
    if options.chunk == plan.config.timesteps:
        return {"first.onnx": finish(_graph(plan, options, kind, "first", frozenset())[0])}
    following, carried = _graph(plan, options, kind, "next", None)
    first, _ = _graph(plan, options, kind, "first", carried)
    return {"first.onnx": finish(first), "next.onnx": finish(following)}


def _graph(
    plan: NetworkPlan,
    options: ExportOptions,
    kind: type[Layout],
    name: str,
    carried: Set[str] | None,
) -> tuple[onnx.ModelProto, set[str]]:
    """One graph and the states it reads; it gives out `carried`, or where None those it reads."""
    graph = GraphBuilder(name, options.dtype)
    resumed = name == "next"
    alive = graph.input("alive", INT64, ["B"]) if resumed else None
    source = _source(graph, plan, options, resumed)
    epsilon = graph.input("epsilon", FLOAT, [])
    batch = graph.op("Shape", alive or str(source), start=0, end=1, name="batch")
    chunk = Chunk(graph, States(graph, alive), Steps(graph, options.chunk), batch)
    layout = kind(chunk, holds=plan.config.halting.mode == "block")
    observers = _observers(chunk, plan, options)
    e = Emitter(
        chunk,
        plan,
        layout,
        epsilon,
        observers,
        options.int8,
        options.qdq,
        options.takes_spike_ops and not layout.for_engines,
    )
    through = emit_network(e, source)
    logits, score = emit_readout(e, through)
    # Names without a scope are the graph's interface.
    graph.output("logits", logits, FLOAT, ["B", plan.config.classes])
    graph.output("halt_score", score, FLOAT, ["B"])
    _give_out_counts(e, through.live_tokens)
    for observer in e.observers:
        observer.give_out()
    chunk.states.emit_outputs(chunk.states.inputs if carried is None else carried)
    return graph.model(plugins.onnx_functions(_bodies(e)), PRODUCER), chunk.states.inputs


def _observers(chunk: Chunk, plan: NetworkPlan, options: ExportOptions) -> tuple[Observer, ...]:
    """Those that were asked for."""
    return (
        *([LiveMasks(chunk)] if options.live_masks else []),
        *([Operations(chunk, plan.config)] if options.instrument else []),
        *([Spikes(chunk)] if options.spikes else []),
    )


def _source(
    graph: GraphBuilder, plan: NetworkPlan, options: ExportOptions, resumed: bool
) -> str | None:
    """The image or frames input; an image enters `first` only."""
    height, width = plan.config.image_size
    if plan.config.input == "frames":
        shape: Shape = ["B", options.chunk, plan.config.channels, height, width]
        return graph.input("frames", FLOAT, shape)
    if resumed:
        return None
    return graph.input("image", TensorProto.UINT8, ["B", height, width, plan.config.channels])


def _give_out_counts(e: Emitter, live_tokens: str) -> None:
    depth = e.plan.config.depth
    with e.graph.scope("record"):
        table = e.steps.by_image(live_tokens, depth)
        e.graph.output("live_tokens", table, INT32, ["B", e.steps.count, depth])


def _bodies(e: Emitter) -> plugins.Bodies:
    """What the nodes of this graph agree on."""
    config = e.plan.config
    return plugins.Bodies(
        reset="soft" if config.lif.v_reset is None else "hard",
        steps=e.steps.count if e.layout.fuses_steps else 1,
        reset_to_zero=True,
        heads=config.heads,
        dim=config.dim,
        keys_first=max(config.tokens_per_block) > config.dim // config.heads,
        attention_type=e.graph.float_type,
        count_weights=_count_weights(e),
        count_type=int(TensorProto.UINT8) if counts_in_bytes(e) else e.graph.float_type,
    )


def _count_weights(e: Emitter) -> tuple[int, ...]:
    """Of the stem's staircases, which are of one shape (`export.fold.staircases.of_one_shape`)."""
    neuron = e.plan.stem.lif
    stairs = neuron if isinstance(neuron, Staircase) else e.plan.stem.stairs
    return (1,) if stairs is None else stairs.weight
