"""Networks that take turns: whose time is whose. The clock is a stand-in."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.common.replay import Replay
from benchmarks.common.table import console
from benchmarks.cpu import turns


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def process_time(self) -> float:
        return self.now


class Session:
    """A graph whose run takes so many seconds."""

    label = "a graph"

    def __init__(self, clock: Clock, seconds: float) -> None:
        self.clock, self.seconds = clock, seconds

    def run_with_iobinding(self, _: Any) -> None:
        self.clock.now += self.seconds


class Network:
    """Runs its first graph once and its next graph three times, on two images."""

    def __init__(
        self, clock: Clock, first: float, later: float, order: list[str], name: str
    ) -> None:
        self.sessions: dict[str, Any] = {
            "first.onnx": Session(clock, first), "next.onnx": Session(clock, later),
        }  # fmt: skip
        self.order, self.name = order, name
        self.replay: Any = None
        self.timesteps = 4

    def __call__(self) -> int:
        self.order.append(self.name)
        self.sessions["first.onnx"].run_with_iobinding(None)
        for _ in range(self.timesteps - 1):
            self.sessions["next.onnx"].run_with_iobinding(None)
        return 2


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr(turns, "time", found)
    return found


def network(clock: Clock, order: list[str] | None = None, name: str = "x", speed: float = 1) -> Any:
    made: Any = Network(clock, 0.5 / speed, 0.1 / speed, [] if order is None else order, name)
    return turns.clocked(made)


def test_an_image_is_paid_in_full_and_a_timestep_on_its_own(clock: Clock) -> None:
    found = turns.turn("ours", network(clock))
    assert found == {"ours": pytest.approx(400.0), "ours:step": pytest.approx(100.0)}


def test_every_turn_counts_its_own_runs_alone(clock: Clock) -> None:
    same = network(clock)
    assert turns.turn("ours", same) == pytest.approx(turns.turn("ours", same))


def test_one_graph_for_all_timesteps_has_no_later_ones(clock: Clock) -> None:
    whole = network(clock)
    whole.timesteps = 1
    assert turns.turn("whole", whole) == {"whole": pytest.approx(250.0)}
    del whole.sessions["next.onnx"]
    assert list(turns.turn("whole", whole)) == ["whole"]


def test_a_clocked_session_is_the_session_otherwise(clock: Clock) -> None:
    session = turns.Clocked(Session(clock, 0.2))
    session.run_with_iobinding(None)
    session.run_with_iobinding(None)
    assert (session.runs, session.seconds) == (2, pytest.approx(0.4))
    assert session.label == "a graph"


def test_rounds_go_forwards_and_backwards_after_a_warm_up(clock: Clock) -> None:
    order: list[str] = []
    running = {name: network(clock, order, name) for name in ("a", "b", "c")}
    found = turns.measure(running, 3, console)
    assert order == ["a", "b", "c", *"abc", *"cba", *"abc"]
    assert [set(each) for each in found] == [{"a", "b", "c", "a:step", "b:step", "c:step"}] * 3


def test_a_network_twice_as_fast_takes_half_of_the_time(clock: Clock) -> None:
    running = {"slow": network(clock), "fast": network(clock, speed=2)}
    found = turns.medians(turns.measure(running, 3, console))
    assert found["slow"] / found["fast"] == pytest.approx(2)
    assert found["slow:step"] / found["fast:step"] == pytest.approx(2)


@given(st.lists(st.floats(0.1, 100), min_size=1, max_size=9))
def test_medians_are_of_every_candidate_over_the_rounds(values: list[float]) -> None:
    rounds = [{"a": value, "b": 2 * value} for value in values]
    found = turns.medians(rounds)
    assert found["a"] == pytest.approx(np.median(values))
    assert found["b"] == pytest.approx(2 * found["a"])


def test_other_live_sets_leave_the_network_they_came_from_alone(clock: Clock) -> None:
    first = network(clock)
    sets = Replay(np.ones((1, 2, 3), np.int64), np.array([2]), 1)
    second = turns.with_sets(first, sets, steps=2)
    assert second.sessions is first.sessions
    assert (second.replay, second.timesteps) == (sets, 2)
    assert (first.replay, first.timesteps) == (None, 4)
