"""Graphs of standard ops alone, for programs that do not know model-local functions.

Every op of the project is replaced by its body, node by node. What runs such a graph cannot use the
project's native ops or plugins, and sees many small nodes. Not every such program divides, or
computes on integers of 32 bits as such: quotients that decide which tokens merge are rounded
correctly by what the graph says, and the end behind every position is a number that float32 has.
"""

from __future__ import annotations

import numpy as np
import onnx
from onnx import inliner, numpy_helper

from export.errors import UnsupportedError
from export.graph.quotients import round_quotients

_END = int(np.iinfo(np.int32).max)  # which bodies take for a position behind all others
_FLOAT_END = 2**24


def inline_functions(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same graph without model-local functions.

    Args:
        model: a graph of a bundle.

    Returns:
        A model whose nodes are all of ONNX's own domain.

    Raises:
        UnsupportedError: nodes are left that are not standard, as int8 products for ONNX Runtime.
    """
    inlined = inliner.inline_local_functions(model, convert_version=False)
    foreign = sorted({node.op_type for node in inlined.graph.node if node.domain})
    if foreign:
        raise UnsupportedError(
            f"{', '.join(foreign)} are not standard ops and have no body to put in their place: "
            "leave --int8 out, or add --qdq"
        )
    opsets = [each for each in inlined.opset_import if not each.domain]
    del inlined.opset_import[:]
    inlined.opset_import.extend(opsets)
    round_quotients(inlined)
    _lower_ends(inlined)
    return inlined


def _lower_ends(model: onnx.ModelProto) -> None:
    """OpenVINO computes on them as floats, and makes the lowest integer of the highest."""
    for node in model.graph.node:
        for attribute in node.attribute if node.op_type == "Constant" else ():
            if attribute.name != "value" or attribute.t.data_type != onnx.TensorProto.INT32:
                continue
            value = numpy_helper.to_array(attribute.t)
            lowered = np.where(value == _END, np.int32(_FLOAT_END), value).astype(np.int32)
            attribute.t.CopyFrom(numpy_helper.from_array(lowered, attribute.t.name))
