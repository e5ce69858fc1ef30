"""Spikes from graphs that give them out (export/graph/observers/spikes.py), in ONNX Runtime."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from export.graph.observers.spike_names import PREFIX, split_output
from plugins.libraries import find_onnxruntime
from runtime.backends import ports as graph_io
from runtime.backends.layouts import DUTIES
from runtime.bundle import FIRST_GRAPH, NEXT_GRAPH, Manifest

Values = dict[str, NDArray[Any]]
Models = Mapping[str, onnx.ModelProto]


def run_with_spikes(
    models: Models, manifest: Manifest, data: NDArray[Any], *, native: bool = False
) -> Values:
    """Run all chunks of spying graphs in ONNX Runtime.

    Args:
        models: graphs exported with `ExportOptions.spikes` and `live_masks`.
        manifest: of the bundle they were exported like.
        data: uint8 [B, H, W, C], or frames float32 [B, T, C, H, W].
        native: with native ops, which must be there.

    Returns:
        `spike.NEURON` uint8 [B, T, N].
    """
    sessions = {name: _session(model, native) for name, model in models.items()}
    chunks: list[Values] = []
    outputs: Values = {}
    for start in range(0, manifest.timesteps, manifest.chunk):
        session = sessions[FIRST_GRAPH if start == 0 else NEXT_GRAPH]
        feed = _feed(session, manifest, data, start, outputs)
        names = [each.name for each in session.get_outputs()]
        outputs = dict(zip(names, session.run(names, feed), strict=True))
        chunks.append({n: outputs.pop(n) > 0 for n in names if n.startswith(PREFIX)})
    return gather_spikes(chunks)


def gather_spikes(chunks: Sequence[Values]) -> Values:
    """Outputs `spike.T.NEURON` of a batch's chunks, in order, to `spike.NEURON` uint8 [B, T, N]."""
    steps: dict[str, list[NDArray[Any]]] = {}
    for chunk in chunks:
        for name in sorted(chunk, key=split_output):
            steps.setdefault(split_output(name)[1], []).append(chunk[name])
    return {PREFIX + neuron: by_image(np.stack(each, 1)) for neuron, each in steps.items()}


def _feed(
    session: Any, manifest: Manifest, data: NDArray[Any], start: int, outputs: Values
) -> Values:
    """Inputs of the chunk after `start` timesteps, from the outputs of the one before."""
    feed: Values = {graph_io.EPSILON: np.array(manifest.halting.epsilon, np.float32)}
    if manifest.input.kind == "frames":
        feed[graph_io.FRAMES] = np.ascontiguousarray(data[:, start : start + manifest.chunk])
    else:
        feed[graph_io.IMAGE] = data
    if start:
        alive = np.arange(len(data))
        masks = [outputs[name] for name in graph_io.live_masks(manifest.blocks)]
        rows = DUTIES[manifest.layout].next_inputs(masks, alive)
        feed |= {graph_io.ALIVE: alive, **rows}
        feed |= {n.removeprefix("next."): v for n, v in outputs.items() if n.startswith("next.")}
    return {each.name: feed[each.name] for each in session.get_inputs()}


def _session(model: onnx.ModelProto, native: bool) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    if native:
        options.register_custom_ops_library(str(find_onnxruntime()))
    data = model.SerializeToString()
    return onnxruntime.InferenceSession(data, options, ["CPUExecutionProvider"])


def by_image(spikes: NDArray[Any]) -> NDArray[np.uint8]:
    """0 and 1 in any type to uint8, without axes of length 1 (SDT's gate has one over tokens)."""
    flat = spikes.reshape(*spikes.shape[:2], -1)
    return np.ascontiguousarray(flat > 0).astype(np.uint8)
