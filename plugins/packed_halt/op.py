"""PackedTokenHalt in the table of ops."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from plugins.common.bodies import Bodies
from plugins.common.op import Op
from plugins.packed_halt.reference import packed_token_halt
from plugins.token_halt.op import HALT

if TYPE_CHECKING:
    import onnx


def _body(_: Bodies) -> onnx.FunctionProto:
    from plugins.packed_halt.function import packed_token_halt_function

    return packed_token_halt_function()


OP: Final = Op(
    name="PackedTokenHalt",
    inputs=("x", "index", "size", "hist", "cum", "epsilon"),
    outputs=("readout", "hist_next", "cum_next", "live"),
    reference=packed_token_halt,
    body=_body,
    attributes=HALT,
)
OPS: Final = (OP,)
