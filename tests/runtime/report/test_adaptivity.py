from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from runtime import Engine
from runtime.bundle import Bundle
from runtime.report.adaptivity import adaptivity, computation, rank_correlation
from runtime.report.markup import gaps
from runtime.report.tables import follows
from tests.runtime.conftest import MakeBundle


def test_quarters_go_from_the_surest_images_to_the_least_sure(
    bundle: Bundle, images: NDArray[np.uint8]
) -> None:
    with Engine(bundle, policy="halting", threshold=1.5) as engine:
        result, trajectory = engine(images), engine.record(images)
    found = adaptivity(result, trajectory, result.labels, {})

    assert found is not None
    sure = trajectory.scores("confidence")[:, -1]
    quarters = found["quarters"]
    assert [each["images"] for each in quarters] == [3, 3, 3, 3]
    assert quarters[0]["certainty"] == pytest.approx(np.sort(sure)[-3:].mean())
    assert quarters[3]["certainty"] == pytest.approx(np.sort(sure)[:3].mean())
    hardest = np.argsort(-sure, kind="stable")[-3:]
    assert quarters[3]["timesteps"] == result.timesteps[hardest].mean()
    assert quarters[3]["computation"] == pytest.approx(computation(result)[hardest].mean())
    assert all(each["accuracy"] == 1.0 for each in quarters)
    assert sum(found["computation"]) == len(images)
    ratio = quarters[3]["computation"] / quarters[0]["computation"]
    assert found["hard_over_easy"] == pytest.approx(ratio)


def test_computation_is_a_share_of_all_blocks_and_timesteps(
    bundle: Bundle, images: NDArray[np.uint8]
) -> None:
    manifest = bundle.manifest
    with Engine(bundle, policy="never") as engine:
        result = engine(images[:1])
    every = manifest.timesteps * manifest.blocks * manifest.tokens
    assert computation(result)[0] == result.live_tokens.sum() / every <= 1.0


def test_few_images_are_not_compared(bundle: Bundle, images: NDArray[np.uint8]) -> None:
    reasons: dict[str, str] = {}
    with Engine(bundle) as engine:
        few = images[:7]
        assert adaptivity(engine(few), engine.record(few), None, reasons) is None
    text = follows({"adaptivity": None, "reasons": reasons})
    assert "it compares quarters of the images, which takes 8 or more" in text


def test_correlation_is_of_ranks_with_ties() -> None:
    up = np.array([1.0, 2.0, 4.0, 8.0])
    assert rank_correlation(up, up**3) == pytest.approx(1.0)
    assert rank_correlation(up, -up) == pytest.approx(-1.0)
    assert rank_correlation(up, np.ones(4)) is None
    tied = rank_correlation(np.array([1.0, 1.0, 2.0]), np.array([1.0, 2.0, 3.0]))
    assert tied == pytest.approx(np.sqrt(3) / 2)


def test_the_same_for_everyone_is_said(make_bundle: MakeBundle, images: NDArray[np.uint8]) -> None:
    found = {
        "quarters": [
            {"name": "easiest quarter", "images": 2, "certainty": 0.9, "accuracy": None,
             "timesteps": 4.0, "average_tokens": 1.0, "computation": 1.0, "energy_mj": None}
        ] * 4,
        "hard_over_easy": 1.0, "rank_correlation": None, "computation": [0] * 9 + [8],
    }  # fmt: skip
    text = follows({"adaptivity": found, "reasons": {}})
    assert "every image gets the same" in text
    assert "accuracy" not in text and "estimated" not in text  # no empty columns


def test_one_reason_is_said_once() -> None:
    text = gaps([("first", "no sensor"), ("second", "no sensor"), ("third", "no image")])
    assert text.count("no sensor") == 1 and "first, second: no sensor" in text
