from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from spikehalt.datasets.preprocessing import Preprocessing
from spikehalt.errors import ConfigError
from tests.train.samples import lively_network, tiny_model
from train.averaging import averaged
from train.checkpoint import Checkpoint
from train.errors import CheckpointError


def checkpoint(seed: int = 0, **changes: object) -> Checkpoint:
    config = tiny_model(**changes)
    weights = lively_network(config, seed).state_dict()
    return Checkpoint(config, weights, ("a", "b"), "static", {"validation_accuracy": [0.5]})


def test_weights_and_statistics_are_means_in_any_order() -> None:
    parts = [checkpoint(seed) for seed in range(3)]
    found = averaged(parts)
    for name, weight in found.weights.items():
        values = [part.weights[name] for part in parts]
        if weight.is_floating_point():
            expected = sum(value.double() for value in values) / 3
            torch.testing.assert_close(weight.double(), expected, rtol=1e-6, atol=1e-7)
            assert weight.dtype == values[0].dtype
        else:
            assert torch.equal(weight, values[0])
    again = averaged(parts[::-1]).weights
    assert all(torch.equal(weight, again[name]) for name, weight in found.weights.items())
    found.network()


def test_the_average_is_finished_and_has_no_figures_of_another_network() -> None:
    found = averaged([replace(checkpoint(), training={"phase": "static"}), checkpoint(1)])
    assert (found.training, found.metrics) == (None, {})
    assert (found.phase, found.classes) == ("static", ("a", "b"))


@pytest.mark.parametrize(
    ("others", "told"),
    [
        ([], "two checkpoints or more"),
        ([checkpoint(dim=64)], "dim is 32 and 64"),
        ([checkpoint(), checkpoint(halting="block_time")], "halting.mode is none and block_time"),
        ([replace(checkpoint(), classes=("b", "a"))], "classes is a, b and b, a"),
        (
            [replace(checkpoint(), preprocessing=Preprocessing(fit="crop"))],
            "preprocessing.fit is resize and crop",
        ),
    ],
)
def test_what_has_no_average_is_refused(others: list[Checkpoint], told: str) -> None:
    with pytest.raises(ConfigError, match=told.replace(".", r"\.")):
        averaged([checkpoint(), *others])


def test_weights_that_do_not_fit_their_network_are_refused() -> None:
    broken = checkpoint(1)
    del broken.weights["head.bias"]
    with pytest.raises(CheckpointError, match="weights do not fit"):
        averaged([checkpoint(), broken])
