"""PackedLIF in the table of ops."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from plugins.common.bodies import Bodies
from plugins.common.op import Op
from plugins.common.types import SPIKE_DTYPES, Array
from plugins.lif.op import NEURON
from plugins.packed_lif.reference import packed_lif

if TYPE_CHECKING:
    import onnx


def _reference(*inputs: Array, spike_type: int, **attributes: Any) -> tuple[Array, ...]:
    return packed_lif(*inputs, spike_type=SPIKE_DTYPES[spike_type], **attributes)


def _body(of: Bodies) -> onnx.FunctionProto:
    from plugins.packed_lif.function import packed_lif_function

    OP.check(reset=of.reset)
    return packed_lif_function(reset=of.reset, to_zero=of.reset_to_zero)


OP: Final = Op(
    name="PackedLIF",
    inputs=("x", "v", "row"),
    outputs=("spike", "v_next"),
    reference=_reference,
    body=_body,
    attributes=NEURON,
)
OPS: Final = (OP,)
