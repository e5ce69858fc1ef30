"""What float16 can hold, checked before a graph is emitted in it (design section 7).

Spikes, tokens and spike counts are small integers and multiples of 1/T, which float16 holds exactly
up to 2048; only weights and currents are rounded. Scores, readouts and logits are float32 in any
case, and the LIF op computes in float32.
"""

from __future__ import annotations

import numpy as np

from export.errors import UnsupportedError
from export.fold.finite import weights
from export.fold.folded import NetworkPlan

LARGEST = float(np.finfo(np.float16).max)


def check_float16(plan: NetworkPlan) -> None:
    """Refuse a network that float16 cannot hold.

    Raises:
        UnsupportedError: a weight or a sum of spikes would overflow; names it, and says what to do.
    """
    for name, values in weights(plan):
        largest = float(np.abs(values).max())
        if not largest <= LARGEST:
            raise UnsupportedError(
                f"float16 cannot hold {name}: its largest value is {largest:g}, the limit is "
                f"{LARGEST:g}; export in fp32"
            )
    largest_sum = _largest_attention_sum(plan)
    if largest_sum > LARGEST:
        raise UnsupportedError(
            f"float16 cannot hold sums of attention spikes, up to {largest_sum} here (the limit is "
            f"{LARGEST:g}); export in fp32"
        )


def round_up(value: np.float32 | float) -> np.float16:
    """The smallest float16 that is at least `value`.

    For any float16 x, x >= round_up(value) exactly when x >= value: a threshold rounded so decides
    as the float32 one does.
    """
    nearest = np.float16(value)
    if float(nearest) >= float(value):  # numpy would compare a Python float in float16
        return nearest
    return np.float16(np.nextafter(nearest, np.float16(np.inf)))


def _largest_attention_sum(plan: NetworkPlan) -> int:
    config = plan.config
    return config.architecture.attention.largest_sum(config.tokens, config.dim // config.heads)
