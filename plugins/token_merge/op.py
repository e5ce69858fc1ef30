"""TokenMerge in the table of ops."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from plugins.common.attributes import Attribute
from plugins.common.bodies import Bodies
from plugins.common.op import Op
from plugins.token_merge.reference import token_merge

if TYPE_CHECKING:
    import onnx


def _body(_: Bodies) -> onnx.FunctionProto:
    from plugins.token_merge.function import token_merge_function

    return token_merge_function()


OP: Final = Op(
    name="TokenMerge",
    inputs=("x", "size", "live", "source"),
    outputs=("x_next", "size_next", "live_next", "keep", "source_out"),
    reference=token_merge,
    body=_body,
    attributes={"gamma": Attribute(int, minimum=1)},
    plugin=True,
)
OPS: Final = (OP,)
