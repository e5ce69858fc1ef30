"""TokenHalt and TokenHaltSum in the table of ops."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from plugins.common.attributes import Attribute
from plugins.common.bodies import Bodies
from plugins.common.op import Op
from plugins.token_halt.reference import token_halt

if TYPE_CHECKING:
    import onnx

HALT: Final = {
    "alpha": Attribute(float),
    "beta": Attribute(float),
    "last": Attribute(int, 0, choices=(0, 1)),
}
"""What every op that halts tokens has."""
_INPUTS: Final = ("x", "size", "hist", "cum", "live", "epsilon")
_OUTPUTS: Final = ("readout", "hist_next", "cum_next", "live_next")


def _body(_: Bodies) -> onnx.FunctionProto:
    from plugins.token_halt.function import token_halt_function

    return token_halt_function()


def _sum_body(_: Bodies) -> onnx.FunctionProto:
    from plugins.token_halt.function import token_halt_sum_function

    return token_halt_sum_function()


OP: Final = Op(
    name="TokenHalt",
    inputs=_INPUTS,
    outputs=_OUTPUTS,
    reference=partial(token_halt, reduce=False),
    body=_body,
    attributes=HALT,
    plugin=True,
)
SUM_OP: Final = Op(
    name="TokenHaltSum",
    inputs=_INPUTS,
    outputs=_OUTPUTS,
    reference=partial(token_halt, reduce=True),
    body=_sum_body,
    attributes=HALT,
    plugin=True,
)
OPS: Final = (OP, SUM_OP)
