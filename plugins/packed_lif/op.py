"""PackedLIF in the table of ops."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from plugins.common.bodies import Bodies
from plugins.common.op import Op
from plugins.common.types import SPIKE_DTYPES, Array
from plugins.lif.op import NEURON
from plugins.packed_lif.reference import packed_lif, packed_lif_steps

if TYPE_CHECKING:
    import onnx


def _reference(*inputs: Array, spike_type: int, **attributes: Any) -> tuple[Array, ...]:
    return packed_lif(*inputs, spike_type=SPIKE_DTYPES[spike_type], **attributes)


def _steps_reference(*inputs: Array, spike_type: int, **attributes: Any) -> tuple[Array, ...]:
    return packed_lif_steps(*inputs, spike_type=SPIKE_DTYPES[spike_type], **attributes)


def _body(of: Bodies) -> onnx.FunctionProto:
    from plugins.packed_lif.function import packed_lif_function

    OP.check(reset=of.reset)
    return packed_lif_function(reset=of.reset, to_zero=of.reset_to_zero)


def _steps_body(of: Bodies) -> onnx.FunctionProto:
    from plugins.packed_lif.function import packed_lif_steps_function

    STEPS_OP.check(reset=of.reset)
    return packed_lif_steps_function(reset=of.reset, steps=of.steps, to_zero=of.reset_to_zero)


OP: Final = Op(
    name="PackedLIF",
    inputs=("x", "v", "row"),
    outputs=("spike", "v_next"),
    reference=_reference,
    body=_body,
    attributes=NEURON,
)
STEPS_OP: Final = Op(
    name="PackedLIFSteps",
    inputs=("x", "v", "row", "count"),
    outputs=("spike", "v_next"),
    reference=_steps_reference,
    body=_steps_body,
    attributes=NEURON,
)
OPS: Final = (OP, STEPS_OP)
