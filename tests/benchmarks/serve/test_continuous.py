"""The simulation of batching: when images are done, and the figures that are made of it."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.common.table import console
from benchmarks.serve import continuous
from benchmarks.serve.continuous import (
    LEAVING,
    LOADS,
    MAX_BATCH,
    SIZES,
    Costs,
    compare,
    flat,
    simulate,
    table,
)

SECOND = flat(1.0)
PER_IMAGE = Costs(lambda images: 2.0 * images, lambda images: 1.0 * images)
BOTH = pytest.mark.parametrize("joins", [False, True])


def done(costs: Costs, arrivals: list[float], steps: list[int], joins: bool) -> list[float]:
    return list(simulate(costs, np.array(arrivals), np.array(steps), joins))


def test_a_flat_cost_is_that_of_any_batch_but_none() -> None:
    costs = flat(0.005)
    assert [costs.first_s(images) for images in (0, 1, MAX_BATCH)] == [0, 0.005, 0.005]
    assert [costs.next_s(images) for images in (0, 1, MAX_BATCH)] == [0, 0.005, 0.005]


def test_costs_between_measured_sizes_are_interpolated() -> None:
    seconds = np.array([1.0, 2.0, 6.0, 7.0, 8.0, 9.0, 11.0])
    cost = continuous._interpolated(seconds)
    assert [cost(size) for size in SIZES] == seconds.tolist()
    assert [cost(images) for images in (3, 48, 0.99)] == pytest.approx([4.0, 10.0, 1.0])


def test_no_images_cost_nothing_though_one_costs_something() -> None:
    assert continuous._interpolated(np.arange(1.0, 8.0))(0) == 0


@BOTH
def test_a_batch_costs_by_the_images_that_it_still_has(joins: bool) -> None:
    # 3 images x 2 s; then 2 x 1 s; then 1 x 1 s.
    assert done(PER_IMAGE, [0, 0, 0], [1, 3, 2], joins) == [6, 9, 8]


@BOTH
def test_an_idle_server_waits_for_the_next_image(joins: bool) -> None:
    assert done(SECOND, [2, 10, 10.5], [1, 1, 1], joins) == [3, 11, 12]


@BOTH
def test_an_image_that_arrives_as_a_batch_ends_is_in_the_next_one(joins: bool) -> None:
    assert done(SECOND, [0, 1], [1, 1], joins) == [1, 2]


@BOTH
def test_no_batch_is_larger_than_the_largest(joins: bool) -> None:
    images = 2 * MAX_BATCH + 2
    times = done(SECOND, [0] * images, [1] * images, joins)
    assert times == [1] * MAX_BATCH + [2] * MAX_BATCH + [3] * 2


def test_nothing_joins_a_full_batch() -> None:
    times = done(SECOND, [0] * (MAX_BATCH + 1), [2] * MAX_BATCH + [1], joins=True)
    assert times == [2] * MAX_BATCH + [3]


def test_an_image_takes_the_place_of_one_that_has_left() -> None:
    steps = [1] + [2] * (MAX_BATCH - 1) + [1]
    # The second chunk is the further one of 63 images, and the first one of the image that joins.
    times = done(SECOND, [0] * (MAX_BATCH + 1), steps, joins=True)
    assert times == [1] + [3] * MAX_BATCH
    assert done(SECOND, [0] * (MAX_BATCH + 1), steps, joins=False) == [1] + [2] * 63 + [3]


def random_traffic(seed: int, images: int = 150) -> tuple[NDArray[Any], NDArray[Any]]:
    rng = np.random.default_rng(seed)
    return np.cumsum(rng.exponential(3.0, images)), rng.integers(1, 5, images)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("costs", [SECOND, PER_IMAGE], ids=["flat", "per image"])
def test_whole_batches_are_what_a_plain_loop_over_batches_gives(costs: Costs, seed: int) -> None:
    arrivals, steps = random_traffic(seed)
    expected, now, begin = np.zeros(len(arrivals)), 0.0, 0
    while begin < len(arrivals):
        now = max(now, arrivals[begin])
        end = min(int((arrivals <= now).sum()), begin + MAX_BATCH)
        batch, now = steps[begin:end], now + costs.first_s(end - begin)
        for step in range(1, batch.max() + 1):
            now += costs.next_s(int((batch >= step).sum())) if step > 1 else 0.0
            expected[begin:end][batch == step] = now
        begin = end
    np.testing.assert_allclose(simulate(costs, arrivals, steps, joins=False), expected)


@BOTH
@pytest.mark.parametrize("seed", range(3))
def test_no_image_is_done_sooner_than_it_would_be_alone(joins: bool, seed: int) -> None:
    arrivals, steps = random_traffic(seed)
    alone = arrivals + PER_IMAGE.first_s(1) + (steps - 1) * PER_IMAGE.next_s(1)
    assert (simulate(PER_IMAGE, arrivals, steps, joins) >= alone - 1e-9).all()


@BOTH
def test_a_server_that_never_idles_needs_the_sum_of_what_its_images_cost(joins: bool) -> None:
    """Where costs grow with the images alone, how they are batched changes no sum."""
    _, steps = random_traffic(0)
    times = simulate(PER_IMAGE, np.zeros(len(steps)), steps, joins)
    assert times.max() == pytest.approx(2 * len(steps) + (steps - 1).sum())


@pytest.mark.parametrize("what", LEAVING)
def test_shares_of_images_that_leave_sum_to_one(what: str) -> None:
    assert sum(LEAVING[what]) == pytest.approx(1)


@pytest.mark.parametrize(("what", "mean"), [("1.4 on average", 1.4), ("2.5 on average", 2.5)])
def test_averages_are_those_that_names_say(what: str, mean: float) -> None:
    steps = np.arange(1, 5)
    assert round(float(steps @ np.array(LEAVING[what])), 1) == mean


def recorded(monkeypatch: pytest.MonkeyPatch) -> list[tuple[NDArray[Any], NDArray[Any], bool]]:
    """Calls of a simulation in which images wait 0..99 s, twice as long where they join."""
    calls = []

    def simulated(
        costs: Costs, arrivals: NDArray[Any], steps: NDArray[Any], joins: bool
    ) -> NDArray[Any]:
        calls.append((arrivals, steps, joins))
        longer = 2.0 if joins else 1.0
        return np.asarray(arrivals + np.arange(len(arrivals)) % 101 * longer)

    monkeypatch.setattr(continuous, "simulate", simulated)
    return calls


def test_both_ways_get_the_same_traffic(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = recorded(monkeypatch)
    compare(SECOND, "2.5 on average", 0.9, 200)
    (arrivals, steps, whole), (others, their_steps, joined) = calls
    assert (whole, joined) == (False, True)
    np.testing.assert_array_equal(arrivals, others)
    np.testing.assert_array_equal(steps, their_steps)


@pytest.mark.parametrize("load", [0.5, 2.0])
def test_a_load_is_a_share_of_what_full_whole_batches_do(
    load: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = recorded(monkeypatch)
    compare(PER_IMAGE, "2.5 on average", load, 20_000)
    arrivals, steps, _ = calls[0]
    # 2 s for the first timestep of each image, and 1 s of 3/4, of 2/4 and of 1/4 of them.
    assert np.diff(arrivals).mean() == pytest.approx(3.5 / load, rel=0.03)
    shares = np.bincount(steps, minlength=5)[1:] / len(steps)
    assert shares == pytest.approx([0.25] * 4, abs=0.02)


def test_percentiles_are_of_the_time_from_arrival_in_milliseconds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    recorded(monkeypatch)
    row = compare(SECOND, "all at 4", 0.7, 101)
    assert (row["whole_p50_ms"], row["whole_p99_ms"]) == pytest.approx((50e3, 99e3))
    assert (row["joined_p50_ms"], row["joined_p99_ms"]) == pytest.approx((100e3, 198e3))


def test_a_rate_is_of_all_images_from_the_first_arrival_to_the_last_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls = recorded(monkeypatch)
    row = compare(SECOND, "all at 4", 0.7, 101)
    arrivals = calls[0][0]
    assert row["whole_images_per_s"] == pytest.approx(101 / (arrivals[-1] + 100 - arrivals[0]))
    assert row["joined_images_per_s"] == pytest.approx(101 / (arrivals[-1] + 200 - arrivals[0]))


def test_ratios_are_continuous_over_whole() -> None:
    row = compare(flat(0.005), "1.4 on average", 0.9, 300)
    for key in ("images_per_s", "p50_ms", "p99_ms"):
        assert row[f"ratio_{key}"] == row[f"joined_{key}"] / row[f"whole_{key}"]
    assert (row.name, row["load"]) == ("1.4 on average", 0.9)


def test_an_idle_server_answers_as_fast_as_images_come_and_a_busy_one_as_it_can() -> None:
    full_per_s = MAX_BATCH / (4 * 0.005)
    idle, busy = (compare(flat(0.005), "all at 4", load, 2000) for load in (0.3, 3.0))
    assert idle["whole_images_per_s"] == pytest.approx(0.3 * full_per_s, rel=0.1)
    assert busy["whole_images_per_s"] == pytest.approx(full_per_s, rel=0.1)
    assert busy["whole_p50_ms"] > 5 * idle["whole_p50_ms"]


def test_images_that_all_leave_at_once_gain_nothing_from_joining() -> None:
    row = compare(PER_IMAGE, "all at 4", 3.0, 640)
    assert row["ratio_images_per_s"] == pytest.approx(1)


class FakeEngine:
    """An engine of T timesteps in chunks, that notes how it was called."""

    def __init__(self, timesteps: int = 4, chunk: int = 1) -> None:
        size = SimpleNamespace(height=2, width=3, channels=1)
        self.manifest = SimpleNamespace(input=size, timesteps=timesteps, chunk=chunk)
        self.shapes: list[tuple[int, ...]] = []

    def __call__(self, images: NDArray[np.uint8], **options: Any) -> None:
        assert options["policy"] == "never"
        self.shapes.append(images.shape)

    def __enter__(self) -> FakeEngine:
        return self

    def __exit__(self, *_: object) -> None:
        return None


@pytest.mark.parametrize(
    ("timesteps", "chunk", "further_s"), [(4, 1, 2.0), (4, 2, 2.0), (6, 2, 2.0), (4, 4, 0.0)]
)
def test_a_further_chunk_costs_its_share_of_what_follows_the_first(
    timesteps: int, chunk: int, further_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a first chunk of 5 s and further ones of 2 s, the least of noisy times is taken."""
    calls = 0

    def cpu_s(call: partial[None]) -> float:
        nonlocal calls
        calls += 1
        call()
        chunks = int(call.keywords["max_timesteps"]) // chunk
        return 5.0 + 2.0 * (chunks - 1) + (0.0 if calls % 9 == 5 else 1.0 + calls)

    monkeypatch.setattr(continuous, "_cpu_s", cpu_s)
    engine: Any = FakeEngine(timesteps, chunk)
    assert continuous._fastest(engine, 8) == (5.0, further_s)
    assert set(engine.shapes) == {(8, 2, 3, 1)} and len(engine.shapes) == 18


def test_measured_costs_are_of_batches_and_shown_by_image(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(continuous, "Engine", lambda *_, **__: FakeEngine())
    monkeypatch.setattr(continuous, "_fastest", lambda _, size: (0.004 * size, 0.001 * size))
    with console.capture() as captured:
        costs = continuous.measured(Path("bundle"))
    assert (costs.first_s(64), costs.next_s(64)) == pytest.approx((0.256, 0.064))
    assert (costs.first_s(5), costs.next_s(5)) == pytest.approx((0.020, 0.005))
    lines = captured.get().splitlines()
    assert lines == [f"batch {size}: 4.000 ms per image, then 1.000" for size in SIZES]


def test_the_table_shows_both_ways_and_their_ratio_side_by_side() -> None:
    row = compare(flat(0.005), "all at 4", 0.3, 200)
    cells = table().cells(row)
    titles = [column.title for column in table().columns]
    assert cells[:2] == ["all at 4", "0.3"] and len(cells) == len(titles) == 2 + 3 * 3
    assert cells[titles.index("p50 ms whole") + 2] == f"{row['ratio_p50_ms']:.2f}"
    assert cells[titles.index("images/s whole")] == f"{row['whole_images_per_s']:.0f}"


def test_every_way_of_leaving_is_simulated_at_every_load() -> None:
    with console.capture() as captured:
        assert continuous.main(["--flat", "5", "--images", "20"]) == 0
    text = captured.get()
    assert all(text.count(what) == len(LOADS) for what in LEAVING)


@pytest.mark.parametrize("arguments", [[], ["bundle", "--flat", "5"]])
def test_costs_come_from_a_bundle_or_are_flat(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        continuous.main(arguments)
    assert "give a BUNDLE, or --flat MS in its place" in capsys.readouterr().err
