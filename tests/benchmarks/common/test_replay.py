"""Replayed live sets are what the graph then runs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.common.replay import SILENT, Replay, imposed
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
