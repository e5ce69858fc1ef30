"""What a candidate's process answers, and what becomes of one that fails."""

from __future__ import annotations

import io
import json
import sys
from typing import Any

import pytest

from benchmarks.common import serving
from benchmarks.common.serving import Candidate


class Counter:
    """A sensor that counts a millijoule at every reading but the first."""

    name, min_window_s = "a counter", 0.0

    def __init__(self) -> None:
        self.readings = -1

    def energy_mj(self) -> float:
        self.readings += 1
        return float(self.readings)

    def close(self) -> None:
        pass


def answers(monkeypatch: pytest.MonkeyPatch, build: Any, *words: str) -> list[dict[str, Any]]:
    out = io.StringIO()
    monkeypatch.setattr(sys, "stdin", io.StringIO("".join(f"{word}\n" for word in words)))
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(serving, "ROUND_S", 0.0)
    serving.serve(build)
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_it_says_when_it_is_ready_and_answers_with_figures(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(serving, "open_sensor", lambda *_: Counter())
    candidate = Candidate(lambda: 4, lambda: {"tokens": 0.5})
    ready, run, energy = answers(monkeypatch, lambda: candidate, "run", "energy")
    assert ready == {"ready": True, "tokens": 0.5}
    assert set(run) == {"wall_ms", "cpu_ms"}
    assert energy == {"energy_mj": 0.25, "note": "a counter"}


def test_energy_without_a_sensor_has_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "open_sensor", lambda *_: "there is no sensor")
    _, energy = answers(monkeypatch, lambda: Candidate(lambda: 1), "energy")
    assert energy == {"energy_mj": None, "note": "there is no sensor"}


def test_what_cannot_be_built_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    def build() -> Candidate:
        raise RuntimeError("no such library\nand more")

    assert answers(monkeypatch, build, "run") == [{"failed": "RuntimeError: no such library"}]


def test_a_round_that_fails_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []

    def step() -> int:
        calls.append(1)
        if len(calls) > 2:
            raise MemoryError("out of memory")
        return 1

    _, failed = answers(monkeypatch, lambda: Candidate(step), "run")
    assert failed == {"failed": "MemoryError: out of memory"}


class Clock:
    """Time that passes only when something takes some, on both clocks at different speeds."""

    def __init__(self) -> None:
        self.now = 0.0

    def perf_counter(self) -> float:
        return self.now

    def process_time(self) -> float:
        return self.now / 4


def test_times_are_per_image_over_as_many_repetitions_as_fill_a_round(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock, calls = Clock(), []
    monkeypatch.setattr(serving, "time", clock)

    def step() -> int:
        clock.now += 0.1
        calls.append(1)
        return 5

    found = serving.timed(step)
    assert len(calls) == 3  # 0.1 s each, until 0.25 s are full
    assert found == {"wall_ms": pytest.approx(20.0), "cpu_ms": pytest.approx(5.0)}


def test_a_slow_repetition_is_a_round_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr(serving, "time", clock)

    def step() -> int:
        clock.now += 2.0
        return 1

    assert serving.timed(step)["wall_ms"] == pytest.approx(2000.0)


def test_energy_is_measured_over_the_sensors_window_and_divided_by_its_images(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock, closed = Clock(), []

    class Meter:
        name, min_window_s = "a sensor", 1.0

        def __init__(self, _: object) -> None:
            self.begun = 0.0

        def reset(self) -> None:
            self.begun = clock.now

        def energy_mj(self) -> tuple[float, None]:
            return (clock.now - self.begun) * 500, None  # half a watt

        def close(self) -> None:
            closed.append(True)

    monkeypatch.setattr(serving, "time", clock)
    monkeypatch.setattr(serving, "open_sensor", lambda *_: None)
    monkeypatch.setattr(serving, "EnergyMeter", Meter)

    def step() -> int:
        clock.now += 0.4
        return 2

    found = serving.energy_per_image(step, "cpu")
    assert found == {"energy_mj": pytest.approx(1200 * 0.5 / 6), "note": "a sensor"}
    assert closed == [True]
