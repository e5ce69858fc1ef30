"""A small writer of ONNX function bodies: one method per kind of value, which it also names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper, numpy_helper

from plugins.common.contract import DOMAIN, OPSET


class Body:
    """Collects the nodes of one function body; every method returns the name of a value."""

    def __init__(self) -> None:
        self._nodes: list[onnx.NodeProto] = []

    def op(self, op_type: str, *inputs: str, out: str | None = None, **attributes: Any) -> str:
        """Append an op with one output, called `out` if given; a standard one, or of a `domain`."""
        return self.ops(op_type, *inputs, outs=(out or self._fresh(op_type),), **attributes)[0]

    def ops(
        self, op_type: str, *inputs: str, outs: Sequence[str], **attributes: Any
    ) -> Sequence[str]:
        """Append a standard op with the outputs named in `outs`."""
        self._nodes.append(helper.make_node(op_type, inputs, outs, **attributes))
        return outs

    def split(self, value: str, parts: int) -> Sequence[str]:
        """Split `value` along its first axis into `parts` slices of length one."""
        if parts == 1:
            return (value,)
        outs = [f"{value}_{i}" for i in range(parts)]
        return self.ops("Split", value, self.ints([1] * parts), outs=outs, axis=0)

    def const(self, value: npt.ArrayLike, dtype: npt.DTypeLike) -> str:
        """Append a constant tensor."""
        tensor = numpy_helper.from_array(np.asarray(value, dtype=dtype))
        return self.op("Constant", value=tensor)

    def ints(self, values: Sequence[int]) -> str:
        """Append a constant int64 vector: axes, starts, ends, sizes."""
        return self.const(values, np.int64)

    def attribute(self, name: str, kind: int) -> str:
        """Append a scalar constant that takes the node's attribute `name`.

        Args:
            name: the attribute of the function.
            kind: `onnx.AttributeProto.FLOAT` (gives float32) or `.INT` (gives int64).
        """
        node = helper.make_node("Constant", [], [self._fresh(name)])
        field = "value_float" if kind == onnx.AttributeProto.FLOAT else "value_int"
        node.attribute.append(_reference(field, name, kind))
        self._nodes.append(node)
        return str(node.output[0])

    def cast_to_attribute(self, value: str, name: str, out: str) -> str:
        """Append a Cast whose target type is the node's attribute `name`."""
        node = helper.make_node("Cast", [value], [out])
        node.attribute.append(_reference("to", name, onnx.AttributeProto.INT))
        self._nodes.append(node)
        return out

    def function(
        self, name: str, inputs: Sequence[str], outputs: Sequence[str], attributes: Sequence[str]
    ) -> onnx.FunctionProto:
        """Return the body as a function of the project's domain."""
        foreign = sorted({node.domain for node in self._nodes} - {""})
        opsets = [
            helper.make_opsetid("", OPSET),
            *(helper.make_opsetid(each, 1) for each in foreign),
        ]
        return helper.make_function(DOMAIN, name, inputs, outputs, self._nodes, opsets, attributes)

    def _fresh(self, stem: str) -> str:
        return f"{stem}_{len(self._nodes)}"


def _reference(field: str, name: str, kind: int) -> onnx.AttributeProto:
    """An attribute `field` whose value is the function's attribute `name`."""
    return onnx.AttributeProto(name=field, ref_attr_name=name, type=kind)
