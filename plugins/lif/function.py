"""LIF as an ONNX function: Mul, Add, GreaterOrEqual, Cast and one way of resetting per step."""

from __future__ import annotations

from collections.abc import Sequence

import onnx

from plugins.common.body import Body

FLOAT = onnx.TensorProto.FLOAT


def lif_function(
    *, reset: str = "hard", steps: int = 1, to_zero: bool = False
) -> onnx.FunctionProto:
    """Return LIF's body for one `reset` and one number of `steps`.

    The arithmetic is float32; in a float32 model the casts are removed by the runtime.

    Args:
        reset: `hard` or `soft`.
        steps: timesteps in the leading axis of x.
        to_zero: every LIF node of the model has `v_reset` 0, and its currents are finite. The
            reset is then `u - u * spike`, which is exact and which ONNX Runtime computes faster on
            a CPU than the Where that serves everything else.
    """
    body = Body()
    attributes = lif_body(body, "v", reset=reset, steps=steps, to_zero=to_zero)
    return body.function("LIF", ["x", "v"], ["spike", "v_next"], attributes)


def lif_body(body: Body, potential: str, *, reset: str, steps: int, to_zero: bool) -> list[str]:
    """Write `spike` and `v_next` of the current `x` and a `potential`.

    Returns:
        The attributes that the body reads.
    """
    currents = body.split(body.op("Cast", "x", to=FLOAT), steps)
    potential = body.op("Cast", potential, to=FLOAT)
    if to_zero and reset == "hard":
        _reset_to_zero(body, currents, potential)
        return ["decay", "threshold", "spike_type"]
    decay, threshold = (_float(body, name) for name in ("decay", "threshold"))
    v_reset = _float(body, "v_reset") if reset == "hard" else None
    fired: list[str] = []
    choice = ("", "", "")
    for current in currents:
        if fired:
            potential = body.op("Where", *choice)
        u = body.op("Add", body.op("Mul", decay, potential), current)
        fired.append(body.op("GreaterOrEqual", u, threshold))
        choice = (fired[-1], v_reset or body.op("Sub", u, threshold), u)
    _outputs(body, fired, choice)
    return ["decay", "threshold", "spike_type", *(["v_reset"] if reset == "hard" else [])]


class Neuron:
    """Writes timesteps of LIF neurons one by one.

    Args:
        body: what it writes to.
        reset: `hard` or `soft`.
        to_zero: see `lif_function`.
    """

    def __init__(self, body: Body, *, reset: str, to_zero: bool) -> None:
        self._body, self._to_zero = body, to_zero and reset == "hard"
        self._decay, self._threshold = (_float(body, name) for name in ("decay", "threshold"))
        resets = reset == "hard" and not self._to_zero
        self._v_reset = _float(body, "v_reset") if resets else None
        self.attributes = ["decay", "threshold", "spike_type", *(["v_reset"] if resets else [])]

    def step(self, current: str, potential: str) -> tuple[str, str]:
        """Whether each neuron fires, bool, and its potential afterwards, float32."""
        body = self._body
        u = body.op("Add", body.op("Mul", self._decay, potential), current)
        fired = body.op("GreaterOrEqual", u, self._threshold)
        if self._to_zero:
            lost = body.op("Mul", u, body.op("Cast", fired, to=FLOAT))
            return fired, body.op("Sub", u, lost)
        after = self._v_reset or body.op("Sub", u, self._threshold)
        return fired, body.op("Where", fired, after, u)


def _reset_to_zero(body: Body, currents: Sequence[str], potential: str) -> None:
    """The body without a Where: `v_next = u - u * spike`."""
    decay, threshold = (_float(body, name) for name in ("decay", "threshold"))
    fired: list[str] = []
    u = lost = ""
    for current in currents:
        if fired:
            potential = body.op("Sub", u, lost)
        u = body.op("Add", body.op("Mul", decay, potential), current)
        fired.append(body.op("GreaterOrEqual", u, threshold))
        lost = body.op("Mul", u, body.op("Cast", fired[-1], to=FLOAT))
    several = len(fired) > 1
    spikes = body.op("Concat", *fired, axis=0) if several else fired[0]
    body.cast_to_attribute(spikes, "spike_type", out="spike")
    last = [body.op("CastLike", value, "x") for value in (u, lost)]
    if several:
        body.op("Squeeze", body.op("Sub", *last), body.ints([0]), out="v_next")
    else:
        body.op("Sub", *last, out="v_next")


def _outputs(body: Body, fired: list[str], choice: tuple[str, str, str]) -> None:
    """Write `spike` and `v_next`; with several steps both carry a leading axis of one step.

    The casts to the type of x come before the last Where, not after it: a cast that changes
    nothing is removed by the runtime only where it does not write an output of the graph.
    """
    several = len(fired) > 1
    spikes = body.op("Concat", *fired, axis=0) if several else fired[0]
    body.cast_to_attribute(spikes, "spike_type", out="spike")
    condition, *branches = choice
    branches = [body.op("CastLike", branch, "x") for branch in branches]
    if several:
        body.op("Squeeze", body.op("Where", condition, *branches), body.ints([0]), out="v_next")
    else:
        body.op("Where", condition, *branches, out="v_next")


def _float(body: Body, name: str) -> str:
    return body.attribute(name, onnx.AttributeProto.FLOAT)
