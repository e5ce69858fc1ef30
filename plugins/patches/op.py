"""Patches in the table of ops."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from plugins.common.bodies import Bodies
from plugins.common.op import Op
from plugins.patches.reference import patches

if TYPE_CHECKING:
    import onnx


def _body(_: Bodies) -> onnx.FunctionProto:
    from plugins.patches.function import patches_function

    return patches_function()


OP: Final = Op(
    name="Patches",
    inputs=("x",),
    outputs=("neighbours",),
    reference=patches,
    body=_body,
    attributes={},
)
OPS: Final = (OP,)
