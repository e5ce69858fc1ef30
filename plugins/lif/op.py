"""LIF in the table of ops."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from plugins.common.attributes import Attribute
from plugins.common.bodies import Bodies
from plugins.common.op import Op
from plugins.common.types import FLOAT, FLOAT16, INT8, SPIKE_DTYPES, UINT8, Array
from plugins.lif.reference import lif

if TYPE_CHECKING:
    import onnx

NEURON: Final = {
    "decay": Attribute(float),
    "threshold": Attribute(float),
    "v_reset": Attribute(float, 0.0),
    "reset": Attribute(str, "hard", choices=("hard", "soft")),
    "spike_type": Attribute(int, FLOAT, choices=(FLOAT, FLOAT16, INT8, UINT8)),
}
"""What every op of LIF neurons has."""


def _reference(*inputs: Array, spike_type: int, **attributes: Any) -> tuple[Array, ...]:
    return lif(*inputs, spike_type=SPIKE_DTYPES[spike_type], **attributes)


def _body(of: Bodies) -> onnx.FunctionProto:
    from plugins.lif.function import lif_function

    OP.check(reset=of.reset, steps=of.steps)
    return lif_function(reset=of.reset, steps=of.steps, to_zero=of.reset_to_zero)


OP: Final = Op(
    name="LIF",
    inputs=("x", "v"),
    outputs=("spike", "v_next"),
    reference=_reference,
    body=_body,
    attributes={**NEURON, "steps": Attribute(int, 1, minimum=1)},
    plugin=True,
)
OPS: Final = (OP,)
