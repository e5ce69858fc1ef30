"""PackedLIF as an ONNX function: Gather, then the body of LIF; PackedLIFSteps: step by step."""

from __future__ import annotations

from collections.abc import Sequence

import onnx

from plugins.common.body import Body
from plugins.lif.function import FLOAT, Neuron, lif_body


def packed_lif_function(*, reset: str = "hard", to_zero: bool = False) -> onnx.FunctionProto:
    """Return PackedLIF's body for one `reset`; see `plugins.lif.function.lif_function`."""
    body = Body()
    potential = body.op("Gather", "v", "row", axis=0)
    attributes = lif_body(body, potential, reset=reset, steps=1, to_zero=to_zero)
    return body.function("PackedLIF", ["x", "v", "row"], ["spike", "v_next"], attributes)


def packed_lif_steps_function(
    *, reset: str = "hard", steps: int = 1, to_zero: bool = False
) -> onnx.FunctionProto:
    """Return PackedLIFSteps' body for one `reset` and so many timesteps, the length of `count`.

    See `plugins.lif.function.lif_function`; a single timestep does not read `count`.
    """
    body = Body()
    x, potential = body.op("Cast", "x", to=FLOAT), body.op("Cast", "v", to=FLOAT)
    neuron = Neuron(body, reset=reset, to_zero=to_zero)
    fired = []
    for current, row in zip(_each(body, x, steps), _each(body, "row", steps), strict=True):
        before = body.op("Gather", potential, row, axis=0)
        spike, potential = neuron.step(current, before)
        fired.append(spike)
    spikes = body.op("Concat", *fired, axis=0) if steps > 1 else fired[0]
    body.cast_to_attribute(spikes, "spike_type", out="spike")
    body.op("CastLike", potential, "x", out="v_next")
    inputs = ["x", "v", "row", "count"]
    return body.function("PackedLIFSteps", inputs, ["spike", "v_next"], neuron.attributes)


def _each(body: Body, value: str, steps: int) -> Sequence[str]:
    """The rows of each timestep."""
    if steps == 1:
        return (value,)
    outs = [f"{value}_of_{step}" for step in range(steps)]
    return body.ops("Split", value, "count", outs=outs, axis=0)
