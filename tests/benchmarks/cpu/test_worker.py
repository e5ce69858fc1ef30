"""Which images run at which timestep when exits are replayed; sessions are stand-ins."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from benchmarks.common import networks
from benchmarks.common.replay import Replay
from benchmarks.cpu import worker
from benchmarks.cpu.worker import Ours

TIMESTEPS = [1, 3, 2, 4, 1]


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Ours, with a list of its runs: graph, and images that ran."""

    def made(**how: Any) -> tuple[Ours, list[tuple[str, int]]]:
        monkeypatch.setattr(worker, "our_session", lambda *_: None)
        config = networks.config_of("isps", halting=True)
        last = np.full((len(TIMESTEPS), 4, config.tokens), config.depth)
        replay = Replay(last, np.array(TIMESTEPS), config.depth)
        graphs: Any = {}
        ours = Ours(config, graphs, replay, threads=1, **how)
        runs: list[tuple[str, int]] = []

        def run(name: str, feed: dict[str, Any], states: dict[str, Any]) -> dict[str, Any]:
            runs.append((name[:5], len(feed["alive" if "alive" in feed else "image"])))
            rows = {len(v) for k, v in feed.items() if k.startswith("replay.")}
            assert rows == {runs[-1][1]}  # a history for every image that runs
            return {}

        monkeypatch.setattr(ours, "_run", run)
        return ours, runs

    return made


def test_images_leave_when_they_did_in_the_recording(network: Any) -> None:
    ours, runs = network(batch=5, exits=True)
    assert ours() == 5
    assert runs == [("first", 5), ("next.", 3), ("next.", 2), ("next.", 1)]


def test_alone_every_image_runs_its_own_timesteps(network: Any) -> None:
    ours, runs = network(batch=1, exits=True)
    ours()
    assert [name for name, _ in runs].count("first") == len(TIMESTEPS)
    assert len(runs) == sum(TIMESTEPS)


def test_without_exits_all_run_all_timesteps(network: Any) -> None:
    ours, runs = network(batch=2)
    ours()
    assert [count for _, count in runs] == [3] * 4 + [2] * 4


@pytest.mark.parametrize(
    ("how", "count"), [({"steps": 2}, 2), ({"chunk": 4}, 1), ({"chunk": 2}, 2)]
)
def test_fixed_exits_and_longer_graphs_mean_fewer_runs(
    network: Any, how: dict[str, int], count: int
) -> None:
    ours, runs = network(batch=5, **how)
    ours()
    assert len(runs) == count
