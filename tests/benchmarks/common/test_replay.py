"""Replayed live sets are what the graph then runs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.common.replay import SILENT, Replay, _nearest, imposed
from export.fold.network import make_plan
from export.graph.unroll import unroll
from export.options import ExportOptions
from tests.export.dyadic import OnnxRuntime, dyadic_config, dyadic_network, pictures

DEPTH, TOKENS, TIMESTEPS = 3, 64, 4


def random_replay(images: int) -> Replay:
    rng = np.random.default_rng(0)
    first = rng.integers(1, DEPTH + 1, (images, 1, TOKENS))
    falling = first - rng.integers(0, 2, (images, TIMESTEPS, TOKENS)).cumsum(1)
    return Replay(np.maximum(falling, 1), rng.integers(1, TIMESTEPS + 1, images), DEPTH)


@pytest.mark.parametrize("layout", ["packed", "dense"])
@pytest.mark.parametrize(("int8", "chunk"), [(False, 1), (True, 1), (False, 2), (True, TIMESTEPS)])
def test_the_graph_runs_the_recorded_live_sets(layout: str, int8: bool, chunk: int) -> None:
    config = replace(dyadic_config("spikformer", "isps", "none", 0), halting=SILENT)
    with imposed():
        graphs = unroll(
            make_plan(dyadic_network(config)),
            ExportOptions(chunk=chunk, layout=layout, precision="int8" if int8 else "fp32"),  # type: ignore[arg-type]
        )
    recorded, images = random_replay(3), np.arange(3)
    sessions = {name: OnnxRuntime(m, ["block1/mlp_residual"]) for name, m in graphs.items()}
    feed = {"image": pictures(3)}
    outputs: dict[str, np.ndarray] = {}
    for step in range(0, TIMESTEPS, chunk):
        session = sessions["next.onnx" if step else "first.onnx"]
        feed |= recorded.inputs(images, step, chunk) | {"epsilon": np.array(0.01, np.float32)}
        feed |= {n: outputs[f"next.{n}"] for n in session.inputs if n.startswith("state.")}
        outputs = session({name: feed[name] for name in session.inputs})
        ran = recorded.live[:, step : step + chunk]
        np.testing.assert_array_equal(outputs["live_tokens"], ran)
        feed = {"alive": images}


def test_averages_count_executed_timesteps_only_with_early_exit() -> None:
    last = np.full((1, 2, 4), 2)
    last[:, 1] = 1  # at the second timestep all halt in the first of two blocks
    recorded = Replay(last, np.array([1]), 2)
    assert recorded.tokens(early_exit=False) == 0.75
    assert recorded.tokens(early_exit=True) == 1.0


def test_stretching_keeps_who_runs_where_by_position() -> None:
    recorded = Replay(np.array([[[1, 3]]]), np.array([1]), 3)
    wider = recorded.stretched(blocks=6, tokens=4)
    np.testing.assert_array_equal(wider.last_block, [[[2, 2, 6, 6]]])
    np.testing.assert_array_equal(recorded.stretched(3, 2).last_block, recorded.last_block)


def test_a_sample_spans_the_recorded_cost() -> None:
    recorded = random_replay(40)
    sample = recorded.sample(8)
    assert len(sample.timesteps) == 8
    assert set(sample.timesteps) == set(recorded.timesteps)
    assert abs(sample.timesteps.mean() - recorded.timesteps.mean()) < 0.5


@given(st.integers(1, 12), st.integers(1, 12), st.integers(1, 20), st.integers(1, 20))
def test_stretching_keeps_the_average_where_sizes_are_multiples(
    depth: int, factor: int, tokens: int, more: int
) -> None:
    rng = np.random.default_rng(depth * 1000 + tokens)
    last = rng.integers(1, depth + 1, (2, 3, tokens))
    recorded = Replay(last, np.array([1, 3]), depth)
    wider = recorded.stretched(depth * factor, tokens * more)
    assert wider.tokens(early_exit=False) == pytest.approx(recorded.tokens(early_exit=False))
    assert wider.tokens(early_exit=True) == pytest.approx(recorded.tokens(early_exit=True))


@given(st.integers(1, 30), st.integers(1, 30))
def test_every_part_takes_the_nearest_by_its_middle(new: int, old: int) -> None:
    found = _nearest(new, old)
    assert len(found) == new
    assert list(found) == sorted(found)
    assert found.min() >= 0 and found.max() < old
    middles = (np.arange(new) + 0.5) / new
    assert (np.abs((found + 0.5) / old - middles) <= 0.5 / old + 1e-9).all()


def test_live_tokens_are_those_that_have_not_halted_before_a_block() -> None:
    recorded = Replay(np.array([[[1, 2, 3, 3]]]), np.array([1]), 3)
    np.testing.assert_array_equal(recorded.live, [[[4, 3, 2]]])
    assert recorded.tokens(early_exit=False) == pytest.approx((4 + 3 + 2) / 12)


def test_a_token_halts_in_its_block_and_in_no_other() -> None:
    recorded = Replay(np.array([[[1, 2], [2, 1]], [[2, 2], [1, 1]]]), np.array([2, 2]), 2)
    inputs = recorded.inputs(np.array([1, 0]), start=0, chunk=2)
    assert set(inputs) == {f"replay.block{b}.t{t}" for b in (1, 2) for t in (1, 2)}
    np.testing.assert_array_equal(inputs["replay.block1.t1"], [[0, 0], [2, 0]])
    np.testing.assert_array_equal(inputs["replay.block2.t1"], [[2, 2], [0, 2]])
    np.testing.assert_array_equal(inputs["replay.block1.t2"], [[2, 2], [0, 2]])
    total = sum(inputs.values())
    np.testing.assert_array_equal(total, np.full_like(total, 4.0))  # once per timestep


def test_a_later_chunk_takes_its_own_timesteps() -> None:
    recorded = random_replay(2)
    whole = recorded.inputs(np.arange(2), 0, TIMESTEPS)
    later = recorded.inputs(np.arange(2), 2)
    for block in range(1, DEPTH + 1):
        np.testing.assert_array_equal(
            later[f"replay.block{block}.t1"], whole[f"replay.block{block}.t3"]
        )


def test_a_recording_comes_back_from_its_file(tmp_path: Path) -> None:
    recorded = random_replay(5)
    recorded.save(tmp_path / "replay.npz")
    again = Replay.load(tmp_path / "replay.npz")
    np.testing.assert_array_equal(again.last_block, recorded.last_block)
    np.testing.assert_array_equal(again.timesteps, recorded.timesteps)
    assert again.blocks == recorded.blocks


@given(st.integers(1, 40))
def test_a_sample_takes_different_images_in_the_same_order_every_time(count: int) -> None:
    recorded = Replay(
        random_replay(40).last_block, np.arange(40), DEPTH
    )  # timesteps number the images
    first, second = (recorded.sample(count).timesteps for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert len(set(first)) == count


def test_a_sample_of_all_images_has_their_averages() -> None:
    recorded = random_replay(12)
    sample = recorded.sample(12)
    for early_exit in (False, True):
        assert sample.tokens(early_exit=early_exit) == pytest.approx(
            recorded.tokens(early_exit=early_exit)
        )
