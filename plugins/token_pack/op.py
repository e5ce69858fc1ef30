"""TokenPack in the table of ops."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from plugins.common.bodies import Bodies
from plugins.common.op import Op
from plugins.token_pack.reference import token_pack

if TYPE_CHECKING:
    import onnx


def _body(_: Bodies) -> onnx.FunctionProto:
    from plugins.token_pack.function import token_pack_function

    return token_pack_function()


OP: Final = Op(
    name="TokenPack",
    inputs=("x", "index", "live"),
    outputs=("packed", "packed_index", "place"),
    reference=token_pack,
    body=_body,
    attributes={},
)
OPS: Final = (OP,)
