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


@pytest.mark.parametrize("rows", ops.ROWS)
def test_packed_cases_have_as_many_rows_as_their_size_says(rows: int) -> None:
    for case in ops._of_rows(np.random.default_rng(0), rows):
        assert case.size.startswith(f"{rows} x ")
        first = case.feeds["spikes" if "spikes" in case.feeds else "x"]
        assert len(first) == rows


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
