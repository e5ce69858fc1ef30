"""Folded weights must be numbers: a network that diverged answers, and nobody sees why."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from export.errors import UnsupportedError
from export.fold.folded import Array, NetworkPlan


def check_finite(plan: NetworkPlan) -> None:
    """Refuse a network whose folded weights are no numbers.

    Raises:
        UnsupportedError: a product of a weight, BatchNorm and 1/tau overflows; names it.
    """
    for name, values in (*weights(plan), *_head(plan), *_forecasts(plan)):
        if not np.isfinite(values).all():
            raise UnsupportedError(
                f"{name} cannot be exported: folded with BatchNorm and 1/tau they hold NaN or "
                "infinity; the network diverged in training, take an older checkpoint"
            )


def weights(plan: NetworkPlan) -> Iterator[tuple[str, Array]]:
    """Weights and biases of stem and blocks, by a readable name."""
    for number, conv in enumerate(plan.stem.convs, 1):
        yield f"the weights of stem convolution {number}", conv.weight
        yield f"the bias of stem convolution {number}", conv.bias
    for number, block in enumerate(plan.blocks, 1):
        for name in ("linear", "qkv", "proj", "fc1", "fc2"):
            layer = getattr(block, name)
            if layer is None:
                continue
            yield f"the weights of {name} in block {number}", layer.weight
            yield f"the bias of {name} in block {number}", layer.bias


def _head(plan: NetworkPlan) -> Iterator[tuple[str, Array]]:
    yield "the weights of the head", plan.head.weight
    yield "the bias of the head", plan.head.bias


def _forecasts(plan: NetworkPlan) -> Iterator[tuple[str, Array]]:
    for number, forecast in enumerate(plan.forecasts, 1):
        for layer in (forecast.value, forecast.certainty):
            yield f"the forecast weights behind block {number}", layer.weight
            yield f"the forecast bias behind block {number}", layer.bias
