"""SpikeCount in the table of ops."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from plugins.common.attributes import Attribute
from plugins.common.bodies import Bodies
from plugins.common.op import Op
from plugins.common.types import FLOAT, FLOAT16, SPIKE_DTYPES, UINT8, Array
from plugins.spike_count.reference import spike_count

if TYPE_CHECKING:
    import onnx


def _reference(*inputs: Array, count_type: int, **attributes: Any) -> tuple[Array, ...]:
    return spike_count(*inputs, count_type=SPIKE_DTYPES[count_type], **attributes)


def _body(of: Bodies) -> onnx.FunctionProto:
    from plugins.spike_count.function import spike_count_function

    return spike_count_function(of.count_weights, of.count_type)


OP: Final = Op(
    name="SpikeCount",
    inputs=("x", "at"),
    outputs=("count",),
    reference=_reference,
    body=_body,
    attributes={
        "weights": Attribute(tuple, minimum=1),
        "unit": Attribute(float, 1.0),
        "count_type": Attribute(int, FLOAT, choices=(FLOAT, FLOAT16, UINT8)),
    },
)
OPS: Final = (OP,)
