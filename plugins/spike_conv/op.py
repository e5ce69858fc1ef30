"""SpikeConv and SpikeConvInteger in the table of ops."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from plugins.common.bodies import Bodies
from plugins.common.op import Op
from plugins.spike_conv.reference import spike_conv, spike_conv_integer

if TYPE_CHECKING:
    import onnx


def _body(_: Bodies) -> onnx.FunctionProto:
    from plugins.spike_conv.function import spike_conv_function

    return spike_conv_function()


def _integer_body(_: Bodies) -> onnx.FunctionProto:
    from plugins.spike_conv.function import spike_conv_integer_function

    return spike_conv_integer_function()


OP: Final = Op(
    name="SpikeConv",
    inputs=("x", "weight", "bias"),
    outputs=("current",),
    reference=spike_conv,
    body=_body,
    attributes={},
    sparse=True,
)
INTEGER_OP: Final = Op(
    name="SpikeConvInteger",
    inputs=("x", "weight"),
    outputs=("sums",),
    reference=spike_conv_integer,
    body=_integer_body,
    attributes={},
    sparse=True,
)
OPS: Final = (OP, INTEGER_OP)
