"""TokenMergeSimilar in the table of ops."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from plugins.common.attributes import Attribute
from plugins.common.bodies import Bodies
from plugins.common.op import Op
from plugins.token_merge_similar.reference import token_merge_similar

if TYPE_CHECKING:
    import onnx


def _body(_: Bodies) -> onnx.FunctionProto:
    from plugins.token_merge_similar.function import token_merge_similar_function

    return token_merge_similar_function()


OP: Final = Op(
    name="TokenMergeSimilar",
    inputs=("x", "size", "live", "source"),
    outputs=("x_next", "size_next", "live_next", "source_out"),
    reference=token_merge_similar,
    body=_body,
    attributes={"threshold": Attribute(float, minimum=0)},
    plugin=True,
)
OPS: Final = (OP,)
