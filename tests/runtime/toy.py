"""A toy network that follows the graph contract, as ONNX built by hand and as numpy.

Four 2×2 patches are the tokens; h is a token's mean brightness in [0, 1].

    hist(t) = Σ_{t'≤t} h          C(1, t) = hist, C(2, t) = 2 hist
    block 1 runs every token; block 2 those with C(1, t) < 1 − ε
    y_t = GAIN · t · mean_k token_k, logits = 1/t Σ y_t, halt_score = mean_k C(2, t)

Its classes are the colour channels. `state.where` holds the packed (image, token) rows still live
in block 2, so its first dimension depends on the data.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from runtime.bundle import HaltingSpec, InputSpec, Manifest
from tests.runtime.manifests import small_manifest

GAIN = 4.0
SIDE, TOKENS, BLOCKS = 4, 4, 2
COLOURS = ("red", "green", "blue")
_TYPES = {
    np.dtype(np.float32): TensorProto.FLOAT,
    np.dtype(np.int64): TensorProto.INT64,
    np.dtype(np.int32): TensorProto.INT32,
    np.dtype(np.uint8): TensorProto.UINT8,
}


def toy_manifest(**changes: Any) -> Manifest:
    kind = changes.pop("kind", "image")
    timesteps = changes.get("timesteps", 4)
    channels = 3 if kind == "image" else 2
    frames = {"timesteps": timesteps} if kind == "frames" else {}
    fields: dict[str, Any] = {
        "name": "toy",
        "classes": COLOURS[:channels],
        "input": InputSpec(kind=kind, height=SIDE, width=SIDE, channels=channels, **frames),
        "tokens": TOKENS,
        "tokens_per_block": (TOKENS,) * BLOCKS,
        "halting": HaltingSpec(mode="block_time", epsilon=0.01),
        "live_masks": True,
    }
    return small_manifest(**{**fields, **changes})


def toy_files(manifest: Manifest) -> dict[str, bytes]:
    files = {"first.onnx": _first(manifest).SerializeToString()}
    if manifest.chunk < manifest.timesteps:
        files["next.onnx"] = _next(manifest).SerializeToString()
    return files


def toy_reference(manifest: Manifest, data: NDArray[Any], epsilon: float) -> dict[str, Any]:
    """Every output at every timestep: logits [B, T, N_c], halt_score [B, T], live [B, T, 2, 4]."""
    T, B = manifest.timesteps, len(data)
    hist, total = (
        np.zeros((B, TOKENS), np.float32),
        np.zeros((B, manifest.input.channels), np.float32),
    )
    logits, scores, live = [], [], []
    for t in range(1, T + 1):
        x = tokens_of_frame(data[:, t - 1]) if data.ndim == 5 else tokens_of_image(data)
        hist = hist + x.mean(axis=2)
        total = total + np.float32(GAIN * t) * x.mean(axis=1)
        logits.append(total / np.float32(t))
        scores.append((2 * hist).mean(axis=1))
        live.append(np.stack([np.ones_like(hist), hist < np.float32(1) - np.float32(epsilon)], 1))
    halting = manifest.halting.mode != "none"
    return {
        "logits": np.stack(logits, 1),
        "halt_score": np.stack(scores, 1) * np.float32(halting),
        "live": np.stack(live, 1).astype(np.int32),
    }


def tokens_of_image(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    patches = (images.astype(np.float32) / np.float32(255)).reshape(len(images), 2, 2, 2, 2, -1)
    return patches.mean(axis=(2, 4), dtype=np.float32).reshape(len(images), TOKENS, -1)


def tokens_of_frame(frames: NDArray[np.float32]) -> NDArray[np.float32]:
    B, C = frames.shape[:2]
    means = frames.reshape(B, C, 2, 2, 2, 2).mean(axis=(3, 5), dtype=np.float32)
    return means.reshape(B, C, TOKENS).transpose(0, 2, 1)


class Graph:
    """A list of nodes with readable names."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self._numbers = itertools.count()

    def op(self, kind: str, *inputs: str, **attributes: Any) -> str:
        name = f"{kind.lower()}_{next(self._numbers)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], **attributes))
        return name

    def constant(self, value: Any, dtype: Any = np.float32) -> str:
        name = f"constant_{next(self._numbers)}"
        self.constants.append(numpy_helper.from_array(np.array(value, dtype), name))
        return name

    def ints(self, *values: int) -> str:
        return self.constant(values, np.int64)

    def output(self, value: str, name: str) -> None:
        self.nodes.append(helper.make_node("Identity", [value], [name]))

    def model(self, inputs: dict[str, Any], outputs: dict[str, Any]) -> onnx.ModelProto:
        graph = helper.make_graph(
            self.nodes, "toy", _infos(inputs), _infos(outputs), initializer=self.constants
        )
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8, producer_name="tests"
        )
        onnx.checker.check_model(model, full_check=True)
        return model


def _infos(ports: dict[str, Any]) -> list[Any]:
    return [
        helper.make_tensor_value_info(name, _TYPES[np.dtype(dtype)], shape)
        for name, (dtype, *shape) in ports.items()
    ]


def _image_tokens(g: Graph) -> str:
    pixels = g.op("Div", g.op("Cast", "image", to=TensorProto.FLOAT), g.constant(255))
    patches = g.op("Reshape", pixels, g.ints(-1, 2, 2, 2, 2, 3))
    means = g.op("ReduceMean", patches, axes=[2, 4], keepdims=0)
    return g.op("Reshape", means, g.ints(-1, TOKENS, 3))


def _frame_tokens(g: Graph, index: int) -> str:
    frame = g.op("Gather", "frames", g.constant(index, np.int64), axis=1)
    patches = g.op("Reshape", frame, g.ints(-1, 2, 2, 2, 2, 2))
    means = g.op("ReduceMean", patches, axes=[3, 5], keepdims=0)
    flat = g.op("Reshape", means, g.ints(-1, 2, TOKENS))
    return g.op("Transpose", flat, perm=[0, 2, 1])


def _timestep(g: Graph, x: str, state: dict[str, str]) -> dict[str, str]:
    """One timestep: x [B, K, C] and the states → the states, logits, halt score, masks."""
    t = g.op("Add", state["count"], g.constant(1))
    hist = g.op("Add", state["hist"], g.op("ReduceMean", x, axes=[2], keepdims=0))
    readout = g.op("ReduceMean", x, axes=[1], keepdims=0)
    y = g.op("Mul", g.op("Mul", readout, t), g.constant(GAIN))
    total = g.op("Add", state["sum"], y)
    limit = g.op("Sub", g.constant(1), "epsilon")
    # Only rows that were live before are looked at: GatherND, compare, ScatterND.
    rows_live = g.op("Less", g.op("GatherND", hist, state["where"]), limit)
    int_rows = g.op("Cast", rows_live, to=TensorProto.INT32)
    zeros = g.op("Cast", g.op("Mul", hist, g.constant(0)), to=TensorProto.INT32)
    live = g.op("ScatterND", zeros, state["where"], int_rows)
    kept = g.op("Reshape", g.op("NonZero", rows_live), g.ints(-1))
    return {
        "hist": hist,
        "sum": total,
        "count": t,
        "where": g.op("Gather", state["where"], kept, axis=0),
        "logits": g.op("Div", total, t),
        "halt": g.op("Mul", g.op("ReduceMean", hist, axes=[1], keepdims=0), g.constant(2)),
        "ones": g.op("Add", zeros, g.constant(1, np.int32)),
        "live": live,
    }


def _finish(g: Graph, manifest: Manifest, x: str | None, steps: list[dict[str, str]]) -> Any:
    C, chunk = manifest.input.channels, manifest.chunk
    axis1 = g.ints(1)
    masks = [
        g.op("Concat", *(g.op("Unsqueeze", step[key], axis1) for step in steps), axis=1)
        for key in ("ones", "live")
    ]
    counts = [g.op("ReduceSum", mask, g.ints(2), keepdims=1) for mask in masks]
    halting = float(manifest.halting.mode != "none")
    last = steps[-1]
    g.output(last["logits"], "logits")
    g.output(g.op("Mul", last["halt"], g.constant(halting)), "halt_score")
    g.output(g.op("Concat", *counts, axis=2), "live_tokens")
    g.output(masks[0], "live.block1")
    g.output(masks[1], "live.block2")
    for name in ("hist", "sum", "count", "where"):
        g.output(last[name], f"next.state.{name}")
    outputs: dict[str, Any] = {
        "logits": (np.float32, "B", C),
        "halt_score": (np.float32, "B"),
        "live_tokens": (np.int32, "B", chunk, BLOCKS),
        "live.block1": (np.int32, "B", chunk, TOKENS),
        "live.block2": (np.int32, "B", chunk, TOKENS),
    }
    if manifest.instrumented:
        # 10 multiply-accumulates per timestep; one accumulate per live token.
        live = g.op(
            "Cast",
            g.op("ReduceSum", g.op("Concat", *counts, axis=2), g.ints(2), keepdims=0),
            to=TensorProto.FLOAT,
        )
        g.output(live, "ac_ops")
        g.output(g.op("Add", g.op("Mul", live, g.constant(0)), g.constant(10)), "mac_ops")
        outputs["ac_ops"] = outputs["mac_ops"] = (np.float32, "B", chunk)
    outputs.update({f"next.{name}": shape for name, shape in _states(C).items()})
    if x is not None:
        g.output(x, "next.state.tokens")
        outputs["next.state.tokens"] = (np.float32, "B", TOKENS, C)
    return outputs


def _states(C: int) -> dict[str, Any]:
    return {
        "state.hist": (np.float32, "B", TOKENS),
        "state.sum": (np.float32, "B", C),
        "state.count": (np.float32,),
        "state.where": (np.int64, "M", 2),
    }


def _first(manifest: Manifest) -> onnx.ModelProto:
    g, C, chunk = Graph(), manifest.input.channels, manifest.chunk
    image = manifest.input.kind == "image"
    x = _image_tokens(g) if image else None
    example = x if x is not None else _frame_tokens(g, 0)
    hist = g.op("Mul", g.op("ReduceMean", example, axes=[2], keepdims=0), g.constant(0))
    everywhere = g.op("NonZero", g.op("Add", hist, g.constant(1)))
    state = {
        "hist": hist,
        "sum": g.op("Mul", g.op("ReduceMean", example, axes=[1], keepdims=0), g.constant(0)),
        "count": g.constant(0),
        "where": g.op("Transpose", everywhere, perm=[1, 0]),
    }
    outputs = _finish(g, manifest, x, _unroll(g, manifest, x, state))
    source = (np.uint8, "B", SIDE, SIDE, C) if image else (np.float32, "B", chunk, C, SIDE, SIDE)
    ports = {"image" if image else "frames": source, "epsilon": (np.float32,)}
    return g.model(ports, outputs)


def _next(manifest: Manifest) -> onnx.ModelProto:
    g, C, chunk = Graph(), manifest.input.channels, manifest.chunk
    image = manifest.input.kind == "image"
    state = {name: g.op("Gather", f"state.{name}", "alive", axis=0) for name in ("hist", "sum")}
    state["count"] = "state.count"
    state["where"] = _renumber(g)
    x = g.op("Gather", "state.tokens", "alive", axis=0) if image else None
    outputs = _finish(g, manifest, x, _unroll(g, manifest, x, state))
    ports: dict[str, Any] = {"alive": (np.int64, "N"), "epsilon": (np.float32,), **_states(C)}
    if image:
        ports["state.tokens"] = (np.float32, "B", TOKENS, C)
    else:
        ports["frames"] = (np.float32, "N", chunk, C, SIDE, SIDE)
    return g.model(ports, outputs)


def _renumber(g: Graph) -> str:
    """Rows of images that left disappear; the others get their image's new position."""
    owner = g.op("Gather", "state.where", g.ints(0), axis=1)  # [M, 1]
    token = g.op("Gather", "state.where", g.ints(1), axis=1)
    same = g.op("Cast", g.op("Equal", owner, "alive"), to=TensorProto.INT64)  # [M, N]
    position = g.op("ArgMax", same, axis=1, keepdims=1)
    goes_on = g.op("ReduceMax", same, axes=[1], keepdims=0)
    kept = g.op("Reshape", g.op("NonZero", goes_on), g.ints(-1))
    return g.op("Gather", g.op("Concat", position, token, axis=1), kept, axis=0)


def _unroll(
    g: Graph, manifest: Manifest, x: str | None, state: dict[str, str]
) -> list[dict[str, str]]:
    steps = []
    for index in range(manifest.chunk):
        state = _timestep(g, x if x is not None else _frame_tokens(g, index), state)
        steps.append(state)
    return steps
