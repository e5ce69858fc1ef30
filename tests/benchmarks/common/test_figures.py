from __future__ import annotations

import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.common.figures import in_turn, ratio, spread

positive = st.floats(1e-3, 1e3)


def test_a_ratio_says_how_many_times_less_is_needed() -> None:
    assert ratio(10.0, 4.0) == 2.5
    assert ratio(4.0, 10.0) == 0.4


@pytest.mark.parametrize(("base", "own"), [(None, 1.0), (1.0, None), (None, None)])
def test_what_was_not_measured_has_no_ratio(base: float | None, own: float | None) -> None:
    assert ratio(base, own) is None


@given(positive, positive, positive)
def test_ratios_do_not_depend_on_the_unit(base: float, own: float, unit: float) -> None:
    assert ratio(base * unit, own * unit) == pytest.approx(ratio(base, own))


def test_the_spread_is_the_interquartile_range() -> None:
    assert spread([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]) == 4.0
    assert spread([3.0, 3.0, 3.0]) == 0.0


@given(st.lists(positive, min_size=4, max_size=20), st.randoms())
def test_the_spread_does_not_depend_on_the_order(values: list[float], random) -> None:  # type: ignore[no-untyped-def]
    shuffled = list(values)
    random.shuffle(shuffled)
    assert spread(shuffled) == spread(values)
    assert spread(values) >= 0


def test_one_slow_round_does_not_move_the_spread_much() -> None:
    calm = [1.0, 1.1, 1.2, 1.1, 1.0, 1.2, 1.1, 1.0, 1.1]
    assert spread([*calm[:-1], 100.0]) < 0.3


def test_functions_take_turns_and_their_medians_are_given() -> None:
    order: list[str] = []
    values = {"a": iter([1.0, 9.0, 2.0]), "b": iter([5.0, 4.0, 6.0])}

    def measure(name: str) -> float:
        order.append(name)
        return next(values[name])

    assert in_turn([lambda: measure("a"), lambda: measure("b")], 3) == [2.0, 5.0]
    assert order == ["a", "b"] * 3


@given(st.lists(positive, min_size=1, max_size=9))
def test_a_single_function_has_its_own_median(values: list[float]) -> None:
    left = iter(values)
    assert in_turn([lambda: next(left)], len(values)) == [statistics.median(values)]
