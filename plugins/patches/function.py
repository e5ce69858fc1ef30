"""Patches as an ONNX function: nine slices of the padded image."""

from __future__ import annotations

import numpy as np
import onnx

from plugins.common.body import Body

_END = np.iinfo(np.int64).max  # a slice's end that means the end of the axis


def patches_function() -> onnx.FunctionProto:
    """Return Patches' body."""
    body = Body()
    add_patches(body, "x", out="neighbours")
    return body.function("Patches", ["x"], ["neighbours"], [])


def add_patches(body: Body, x: str, out: str | None = None) -> str:
    """Append the nodes that compute the neighbourhoods of X."""
    padded = body.op("Pad", x, body.ints([0, 1, 1, 0, 0, 1, 1, 0]))
    shifts = [
        body.op(
            "Slice", padded, body.ints([row, column]),
            body.ints([row - 2 or _END, column - 2 or _END]), body.ints([1, 2]),
        )
        for row in range(3)
        for column in range(3)
    ]  # fmt: skip
    return body.op("Concat", *shifts, axis=3, out=out)
