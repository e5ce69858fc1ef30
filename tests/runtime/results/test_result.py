from __future__ import annotations

import json

import numpy as np
import pytest
from numpy.typing import NDArray

from runtime import Engine, ImageResult, Result
from runtime.bundle import EnergySpec
from tests.runtime.conftest import MakeBundle

ENERGY = EnergySpec(once_mj=1.0, per_timestep_mj=0.5, per_token_mj=(0.1, 0.01), source="tests")


@pytest.fixture
def result(make_bundle: MakeBundle, images: NDArray[np.uint8]) -> Result:
    with Engine(make_bundle(energy=ENERGY), policy="halting", threshold=1.5) as engine:
        return engine(images, live_masks=True)


def test_arrays_have_the_documented_shapes(result: Result) -> None:
    assert result.logits.shape == result.probabilities.shape == (12, 3)
    assert result.labels.shape == result.timesteps.shape == result.halt_score.shape == (12,)
    assert result.live_tokens.shape == (12, 4, 2)
    assert result.live_masks is not None
    assert [mask.shape for mask in result.live_masks] == [(12, 4, 4), (12, 4, 4)]
    assert len(result.names) == len(result) == 12


def test_one_image_agrees_with_the_batch(result: Result) -> None:
    for i, image in enumerate(result):
        assert isinstance(image, ImageResult)
        assert image.label == result.labels[i] == result.probabilities[i].argmax()
        assert image.name == result.names[i]
        assert image.probability == pytest.approx(result.probabilities[i].max())
        assert image.timesteps == result.timesteps[i] == len(image.live_tokens)
        assert image.average_tokens == pytest.approx(image.live_tokens.mean() / 4)
        assert result.energy_mj is not None
        assert image.energy_mj == pytest.approx(result.energy_mj[i])
        assert image.live_masks is not None
        assert image.live_masks[1].sum() == image.live_tokens[:, 1].sum()


def test_indices_work_as_in_a_list(result: Result) -> None:
    assert result[-1].label == result[11].label
    with pytest.raises(IndexError):
        result[12]


def test_without_energy_constants_there_is_no_estimate(
    make_bundle: MakeBundle, images: NDArray[np.uint8]
) -> None:
    with Engine(make_bundle()) as engine:
        result = engine(images)

    assert result.energy_mj is None
    assert result[0].energy_mj is None


def test_an_image_result_becomes_plain_json(result: Result) -> None:
    data = json.loads(json.dumps(result[3].to_dict()))

    assert data["label"] == result[3].label
    assert data["live_tokens"] == result[3].live_tokens.tolist()


def test_an_instrumented_bundle_counts_its_operations(
    make_bundle: MakeBundle, images: NDArray[np.uint8]
) -> None:
    bundle = make_bundle(energy=ENERGY, instrumented=True)

    with Engine(bundle, policy="halting", threshold=1.5, max_batch=5) as engine:
        result = engine(images)

    tokens = result.live_tokens.sum(axis=(1, 2))
    np.testing.assert_allclose(result.mac_ops, result.timesteps * 10)
    np.testing.assert_allclose(result.ac_ops, tokens)
    expected = (4.6 * result.timesteps * 10 + 0.9 * tokens) / 1e9
    np.testing.assert_allclose(result.energy_mj, expected)
