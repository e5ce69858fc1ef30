"""Graphs of standard ops alone, for programs that do not know model-local functions.

Every op of the project is replaced by its body, node by node. What runs such a graph cannot use the
project's native ops or plugins, and sees many small nodes.
"""

from __future__ import annotations

import onnx
from onnx import inliner

from export.errors import UnsupportedError


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
    return inlined
