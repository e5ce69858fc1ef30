import numpy as np
import pytest

from benchmarks.studies import accuracy_time
from benchmarks.studies.accuracy_time import chart, median_ms, rows_of
from runtime.calibration.evidence import Point


def point(accuracy: float, timesteps: float, ms: float) -> Point:
    return Point(
        policy="confidence", threshold=0.5, epsilon=0.0, images=10, accuracy=accuracy, harmful=0,
        helpful=0, average_timesteps=timesteps, average_tokens=1.0, energy_mj=None, time_ms=ms,
    )  # fmt: skip


CURVES = {"halting": [point(0.78, 4.0, 8.0), point(0.79, 2.0, 4.0), point(0.76, 1.0, 2.0)]}


def test_rows_are_the_ends_and_the_best_and_peers_have_no_accuracy() -> None:
    rows = rows_of(CURVES, {"dense ANN": 1.5})
    assert [row.name for row in rows] == [
        "halting, all timesteps", "halting, most accurate", "halting, fastest", "dense ANN",
    ]  # fmt: skip
    assert [row.figures["ms"] for row in rows] == [8.0, 4.0, 2.0, 1.5]
    assert rows[1].figures["accuracy"] == 0.79 and "accuracy" not in rows[3].figures


def test_the_chart_has_a_line_per_candidate_and_works_in_the_dark() -> None:
    text = chart(CURVES, {"dense ANN": 1.5, "SpikingJelly": 30.0})
    assert text.count("<polyline") == 3 and text.count("<circle") == 2
    assert "prefers-color-scheme: dark" in text and "SpikingJelly" in text


def test_times_are_medians_per_image_of_calls_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, order = [0.0], []
    monkeypatch.setattr(accuracy_time.time, "process_time", lambda: clock[0])

    def call(name: str, seconds: list[float]):
        def one(image: np.ndarray) -> None:
            assert image.shape == (1, 4)
            order.append(name)
            clock[0] += seconds[len([each for each in order if each == name]) // 3 % len(seconds)]

        return one

    calls = {"a": call("a", [0.001]), "b": call("b", [0.002])}
    ms = median_ms(calls, np.zeros((2, 4)), rounds=3)
    assert ms == pytest.approx({"a": 1.0, "b": 2.0})
    assert order == ["a", "a", "b", "b"] * 3
