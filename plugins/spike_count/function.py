"""SpikeCount as an ONNX function: a comparison per step, and their sum."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx

from plugins.common.body import Body
from plugins.common.types import UINT8


def spike_count_function(
    weights: Sequence[int] = (1,), count_type: int = onnx.TensorProto.FLOAT
) -> onnx.FunctionProto:
    """Return SpikeCount's body for the `weights` and the `count_type` of a model's nodes."""
    body = Body()
    terms = [term for step, weight in enumerate(weights) for term in [_step(body, step)] * weight]
    if count_type == UINT8:
        _added(body, terms)
        attributes = ["count_type"]
    else:
        unit = body.op("CastLike", body.attribute("unit", onnx.AttributeProto.FLOAT), terms[0])
        body.op("Mul", body.op("Sum", *terms), unit, out="count")
        attributes = ["unit", "count_type"]
    return body.function("SpikeCount", ["x", "at"], ["count"], attributes)


def _step(body: Body, step: int) -> str:
    """1 where the step is reached, in the type of the count."""
    position = body.op("Gather", "at", body.const(step, np.int64), axis=0)
    reached = body.op("GreaterOrEqual", "x", position)
    return body.cast_to_attribute(reached, "count_type", out=f"reached_{step}")


def _added(body: Body, terms: Sequence[str]) -> None:
    """Add bytes one by one, since Sum does not take them."""
    total = terms[0]
    for number, term in enumerate(terms[1:], start=2):
        total = body.op("Add", total, term, out="count" if number == len(terms) else None)
    if len(terms) == 1:
        body.op("Identity", total, out="count")
