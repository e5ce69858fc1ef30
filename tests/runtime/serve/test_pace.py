from __future__ import annotations

import numpy as np
import pytest

from runtime import Engine
from runtime.bundle.read import Bundle
from runtime.serve.pace import BatchCost, Pace, measure_pace


@pytest.fixture
def pace() -> Pace:
    return Pace([BatchCost(1, 0.002, 0.001), BatchCost(4, 0.004, 0.002)])


def test_a_batch_takes_what_the_next_larger_measured_one_took(pace: Pace) -> None:
    assert pace.batch_s(1, 1) == pytest.approx(0.002)
    assert pace.batch_s(1, 4) == pytest.approx(0.005)
    assert pace.batch_s(3, 2) == pytest.approx(0.006)
    assert pace.batch_s(8, 2) == pytest.approx(0.012)  # beyond the largest: in proportion


def test_as_many_chunks_as_the_time_allows_with_a_margin(pace: Pace) -> None:
    assert [pace.chunks_within(s, 1, 4) for s in (0.002, 0.0026, 0.004, 0.1)] == [0, 1, 2, 4]


def test_what_batches_really_take_is_learnt(pace: Pace) -> None:
    for _ in range(100):
        pace.observe(np.array([3, 3, 3, 3]), 0.016)  # alone it would be 0.008
    assert pace.slowness == pytest.approx(2, rel=0.01)
    assert pace.chunks == pytest.approx(3, rel=0.01)
    assert pace.batch_s(1, 1) == pytest.approx(0.004, rel=0.01)


def test_an_engine_is_measured_at_powers_of_two(bundle: Bundle) -> None:
    with Engine(bundle, max_batch=6) as engine:
        pace = measure_pace(engine, 6)
    assert [cost.images for cost in pace._costs] == [1, 2, 4, 6]
    assert all(cost.first_s > 0 and cost.next_s > 0 for cost in pace._costs)
