"""SpikeLinear and SpikeLinearInteger in the table of ops."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from plugins.common.bodies import Bodies
from plugins.common.op import Op
from plugins.spike_linear.reference import spike_linear, spike_linear_integer

if TYPE_CHECKING:
    import onnx


def _body(_: Bodies) -> onnx.FunctionProto:
    from plugins.spike_linear.function import spike_linear_function

    return spike_linear_function()


def _integer_body(_: Bodies) -> onnx.FunctionProto:
    from plugins.spike_linear.function import spike_linear_integer_function

    return spike_linear_integer_function()


OP: Final = Op(
    name="SpikeLinear",
    inputs=("x", "weight", "bias"),
    outputs=("current",),
    reference=spike_linear,
    body=_body,
    attributes={},
    sparse=True,
)
INTEGER_OP: Final = Op(
    name="SpikeLinearInteger",
    inputs=("x", "weight", "scale", "bias"),
    outputs=("current",),
    reference=spike_linear_integer,
    body=_integer_body,
    attributes={},
    sparse=True,
)
OPS: Final = (OP, INTEGER_OP)
