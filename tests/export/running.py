"""Running one exported graph in ONNX Runtime with the spikes of all its neurons given out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray


@dataclass
class Run:
    """Outputs by name, and spikes per LIF node (float32)."""

    outputs: dict[str, NDArray]
    spikes: dict[str, NDArray]


def spike_names(model: onnx.ModelProto) -> list[str]:
    return [node.output[0] for node in model.graph.node if node.op_type == "LIF"]


def run_first(model: onnx.ModelProto, images: NDArray, epsilon: float) -> Run:
    """Run `first.onnx` on uint8 [B, H, W, C]."""
    names = spike_names(model)
    spying = onnx.ModelProto()
    spying.CopyFrom(model)
    spying.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    inferred = onnx.shape_inference.infer_shapes(spying, strict_mode=True, data_prop=True)
    session = onnxruntime.InferenceSession(
        inferred.SerializeToString(), options, ["CPUExecutionProvider"]
    )
    feed = {"image": images, "epsilon": np.array(epsilon, np.float32)}
    wanted = [value.name for value in session.get_outputs()]
    values = dict(zip(wanted, session.run(None, feed), strict=True))
    spikes = {name: values.pop(name).astype(np.float32) for name in names}
    return Run(values, spikes)
