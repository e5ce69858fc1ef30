"""Start and run one graph in ONNX Runtime's CUDA provider: `python session.py GRAPH BATCH`.

Runs in an environment of its own, with tests/fakes/cuda_runtime preloaded; the log on standard
error tells where nodes were placed. Convolutions, for which cuDNN would need a GPU, are replaced by
a mean over the channels of the same shape: they are the provider's plainest op.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from onnx import ModelProto, NodeProto, helper, numpy_helper

TYPES: dict[str, Any] = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(uint8)": np.uint8,
    "tensor(int64)": np.int64,
    "tensor(int32)": np.int32,
    "tensor(bool)": np.bool_,
}


def without_convolutions(model: ModelProto) -> bytes:
    """The model with a mean over the channels in place of every convolution."""
    weights = {each.name: list(each.dims) for each in model.graph.initializer}
    nodes: list[NodeProto] = []
    for node in model.graph.node:
        nodes += _mean(model, node, weights) if node.op_type == "Conv" else [node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    return model.SerializeToString()


def _mean(model: ModelProto, node: NodeProto, weights: dict[str, list[int]]) -> list[NodeProto]:
    (made,) = node.output
    constants = {f"{made}.shape": [1, weights[node.input[1]][0], 1, 1], f"{made}.axes": [1]}
    model.graph.initializer.extend(
        numpy_helper.from_array(np.array(value), name) for name, value in constants.items()
    )
    return [
        helper.make_node("ReduceMean", [node.input[0], f"{made}.axes"], [f"{made}.mean"]),
        helper.make_node("Expand", [f"{made}.mean", f"{made}.shape"], [made]),
    ]


def main() -> None:
    """See the module."""
    options = ort.SessionOptions()
    options.log_severity_level, options.log_verbosity_level = 0, 1
    model = without_convolutions(onnx.load(sys.argv[1]))
    session = ort.InferenceSession(model, options, ["CUDAExecutionProvider"], enable_fallback=0)
    session.disable_fallback()
    batch, feed = int(sys.argv[2]), {}
    for each in session.get_inputs():
        shape = [axis if isinstance(axis, int) else batch for axis in each.shape]
        feed[each.name] = np.zeros(shape, TYPES[each.type])
    if "alive" in feed:
        feed["alive"] = np.arange(batch)
    session.run(None, feed)


if __name__ == "__main__":
    main()
