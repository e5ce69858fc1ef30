"""PackedLIF as an ONNX function: Gather, then the body of LIF."""

from __future__ import annotations

import onnx

from plugins.common.body import Body
from plugins.lif.function import lif_body


def packed_lif_function(*, reset: str = "hard", to_zero: bool = False) -> onnx.FunctionProto:
    """Return PackedLIF's body for one `reset`; see `plugins.lif.function.lif_function`."""
    body = Body()
    potential = body.op("Gather", "v", "row", axis=0)
    attributes = lif_body(body, potential, reset=reset, steps=1, to_zero=to_zero)
    return body.function("PackedLIF", ["x", "v", "row"], ["spike", "v_next"], attributes)
