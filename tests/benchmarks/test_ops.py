from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import plugins
from benchmarks import ops
from plugins.ops import run_reference


def test_every_op_that_graphs_of_this_shape_have_is_timed() -> None:
    assert set(plugins.OP_NAMES) - {case.op for case in ops.cases()} <= {
        "TokenHalt", "SpikeLinear", "SpikeConv",
    }  # fmt: skip


@pytest.mark.parametrize("case", ops.cases(), ids=lambda case: f"{case.op} {case.size}")
def test_a_case_is_a_valid_node(case: ops.Case) -> None:
    complete = plugins.node_attributes(case.op, **case.attributes)
    (body,) = (f for f in plugins.onnx_functions(case.bodies) if f.name == case.op)
    assert set(case.feeds) == set(body.input)
    outputs = run_reference(case.op, complete, *(case.feeds[name] for name in body.input))
    model = ops.model_of(case)
    shapes = [
        tuple(axis.dim_value for axis in each.type.tensor_type.shape.dim)
        for each in model.graph.output
    ]
    assert shapes == [array.shape for array in outputs]


def test_a_measurement_ends_when_it_has_had_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, ran = Clock(), []
    monkeypatch.setattr(ops, "time", clock)

    def run() -> None:
        ran.append(1)
        clock.now += 0.4 * ops.ENOUGH_S

    assert ops.microseconds(run) == pytest.approx(0.4e6 * ops.ENOUGH_S)
    assert len(ran) == 4  # the clock is looked at after 1, 2 and 4


@pytest.mark.parametrize("rows", ops.ROWS)
def test_packed_cases_have_as_many_rows_as_their_size_says(rows: int) -> None:
    for case in ops._of_rows(np.random.default_rng(0), rows):
        assert case.size.startswith(f"{rows} x ")
        first = case.feeds["spikes" if "spikes" in case.feeds else "x"]
        assert len(first) == rows * len(case.feeds.get("count", [1]))


class Clock:
    now = 0.0

    def process_time(self) -> float:
        return self.now


def test_microseconds_are_of_one_run(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr(ops, "time", clock)

    def run() -> None:
        clock.now += 0.002

    assert ops.microseconds(run) == pytest.approx(2000)
    assert ops.measure([run, lambda: None], rounds=3) == [pytest.approx(2000), 0.0]


def test_the_gain_is_the_body_over_the_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    def runner(_: Any, feeds: Any, *, native: bool) -> float:
        return 4.0 if native else 50.0

    monkeypatch.setattr(ops, "runner", runner)
    monkeypatch.setattr(ops, "measure", lambda functions, rounds: functions)
    (case, *_) = ops.cases()
    row = ops.row_of(case, rounds=1)
    assert ops.table(1.0).cells(row) == ["LIF", "29 x 384", "4.0", "50.0", "12.5"]


def test_the_smallest_model_runs() -> None:
    ops.runner(*ops.nothing(), native=False)()
    model, feeds = ops.nothing()
    assert [node.op_type for node in model.graph.node] == ["Identity"]
    assert sum(array.size for array in feeds.values()) == 1


def density(case: ops.Case) -> float:
    return float((case.feeds["x"] != 0).mean())


@pytest.mark.parametrize("share", ops.DENSITIES)
@pytest.mark.parametrize("make", [ops._linear, ops._conv])
def test_as_many_inputs_are_spikes_as_the_size_says(make: Any, share: float) -> None:
    for case in make(np.random.default_rng(0), 32, 96, 192, share):
        assert case.size.endswith(f", {share:.0%}")
        assert density(case) == pytest.approx(share, abs=0.03)


@pytest.mark.parametrize("make", [ops._linear, ops._conv])
def test_no_spike_at_all_and_all_of_them_are_exact(make: Any) -> None:
    rng = np.random.default_rng(0)
    assert {density(case) for case in make(rng, 8, 16, 16, 0.0)} == {0.0}
    assert {density(case) for case in make(rng, 8, 16, 16, 1.0)} == {1.0}


@pytest.mark.parametrize("make", [ops._linear, ops._conv])
def test_integers_and_floats_take_the_same_spikes_and_weights(make: Any) -> None:
    integer, floating = make(np.random.default_rng(0), 8, 16, 24, 0.2)
    assert integer.op == f"{floating.op}Integer"
    np.testing.assert_array_equal(integer.feeds["x"], floating.feeds["x"])
    np.testing.assert_array_equal(integer.feeds["weight"], floating.feeds["weight"])
    assert integer.feeds["x"].dtype == np.uint8 and floating.feeds["x"].dtype == np.float32


def test_linear_spikes_are_ones_and_those_of_convolutions_sums_over_timesteps() -> None:
    rng = np.random.default_rng(0)
    linear, conv = ops._linear(rng, 64, 96, 8, 0.5)[0], ops._conv(rng, 16, 96, 8, 0.5)[0]
    assert set(np.unique(linear.feeds["x"])) == {0, 1}
    assert set(np.unique(conv.feeds["x"])) == {0, 1, 2, 3, 4}


def test_a_convolution_has_nine_weights_for_every_pair_of_channels() -> None:
    for case in ops._conv(np.random.default_rng(0), 8, 16, 24, 0.2):
        assert case.feeds["x"].shape == (1, 8, 8, 16)
        assert case.feeds["weight"].shape == (9 * 16, 24)


def test_every_layer_is_timed_at_every_density() -> None:
    sizes = [case.size for case in ops._of_densities(np.random.default_rng(0))]
    layers = {size.rpartition(", ")[0] for size in sizes}
    assert len(layers) == 5 and len(set(sizes)) == 5 * len(ops.DENSITIES)
    assert len(sizes) == 2 * len(set(sizes))  # integers and floats


def test_weights_are_constants_of_the_graph_and_spikes_are_fed() -> None:
    for case in ops._linear(np.random.default_rng(0), 4, 8, 8, 0.5):
        graph = ops.model_of(case).graph
        assert {each.name for each in graph.initializer} == set(case.constants)
        assert [each.name for each in graph.input] == ["x"]


@pytest.mark.parametrize("rows", ops.ROWS)
def test_places_of_live_tokens_lead_back_to_their_slots(rows: int) -> None:
    cases = ops._of_rows(np.random.default_rng(0), rows)
    (case,) = (each for each in cases if each.op == "PackedAttention")
    index, place = case.feeds["index"], case.feeds["place"]
    np.testing.assert_array_equal(place[index], np.arange(rows))
    assert (np.delete(place, index) == rows).all()
    assert len(np.unique(index)) == rows


def test_three_in_ten_spikes_of_attention_are_ones() -> None:
    spikes = ops._spikes(np.random.default_rng(0), ops.SLOTS, 3 * ops.DIM)
    assert spikes.mean() == pytest.approx(0.3, abs=0.01)
    assert spikes.dtype == np.uint8


def test_the_title_gives_the_run_of_an_empty_node() -> None:
    assert ops.table(3.456).title == "µs of a run; 3.5 of an empty one"
