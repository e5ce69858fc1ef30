"""One-node models of the custom ops, checked as strictly as onnx can, and their runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
from onnx import helper

import plugins
from plugins.ops import OPS

Array = npt.NDArray[Any]

INPUTS = {op.name: list(op.inputs) for op in OPS}
OUTPUTS = {op.name: list(op.outputs) for op in OPS}


def one_node_model(
    op: str,
    feeds: Mapping[str, Array],
    outputs: Mapping[str, Array],
    *,
    bodies: plugins.Bodies | None = None,
    **attributes: Any,
) -> onnx.ModelProto:
    """A checked model of one node, with the types and shapes of the arrays given.

    `bodies`: by default what the attributes say.
    """
    node = helper.make_node(
        op,
        INPUTS[op],
        OUTPUTS[op],
        name=f"block0.{op}",
        domain=plugins.DOMAIN,
        **plugins.node_attributes(op, **attributes),
    )
    graph = helper.make_graph(
        [node],
        "one_node",
        [_value(name, feeds[name]) for name in INPUTS[op]],
        [_value(name, outputs[name]) for name in OUTPUTS[op]],
    )
    bodies = bodies or plugins.Bodies(attributes.get("reset", "hard"), attributes.get("steps", 1))
    functions = [f for f in plugins.onnx_functions(bodies) if f.name == op]
    model = helper.make_model(
        graph,
        functions=functions,
        ir_version=plugins.IR_VERSION,
        opset_imports=[
            helper.make_opsetid("", plugins.OPSET),
            helper.make_opsetid(plugins.DOMAIN, plugins.VERSION),
        ],
    )
    check(model)
    return model


def check(model: onnx.ModelProto) -> None:
    """Full check, and strict shape inference with and without data propagation."""
    onnx.checker.check_model(model, full_check=True)
    for data_prop in (False, True):
        onnx.shape_inference.infer_shapes(
            model, check_type=True, strict_mode=True, data_prop=data_prop
        )


def run(model: onnx.ModelProto, feeds: Mapping[str, Array]) -> dict[str, Array]:
    """Run the model in ONNX Runtime on one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(None, dict(feeds)), strict=True))


def _value(name: str, array: Array) -> onnx.ValueInfoProto:
    dtype = helper.np_dtype_to_tensor_dtype(np.asarray(array).dtype)
    return helper.make_tensor_value_info(name, dtype, np.asarray(array).shape)
