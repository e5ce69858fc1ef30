"""What a finished checkpoint says of itself, measured on its validation images."""

from __future__ import annotations

from typing import Any

from train.data.base import ImageSource
from train.measure.evaluate import Evaluation, evaluate
from train.measure.firing_rates import measure_firing_rates
from train.models import SpikingTransformer


def finished_metrics(
    network: SpikingTransformer, validation: ImageSource
) -> tuple[Evaluation, dict[str, Any]]:
    """Accuracy and tokens, and with the firing rates as `Checkpoint.metrics` has them.

    Raises:
        DataError: there are no validation images.
    """
    found = evaluate(network, validation)
    metrics = {
        "validation_accuracy": list(found.accuracy),
        "average_tokens": found.average_tokens,
        "firing_rates": measure_firing_rates(network, validation),
    }
    return found, metrics
