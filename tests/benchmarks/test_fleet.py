from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from benchmarks import fleet
from benchmarks.common import table
from tests.runtime.serve.conftest import encoded, write_toy

COSTS = fleet.Costs(
    images=100, read_s=1e-4, image_s=2e-3, image_bytes=1e5, result_bytes=30, head_s=1e-6
)


def test_processors_are_the_limit_of_few_nodes() -> None:
    found = fleet.forecast(COSTS, fleet.Plan(nodes=2, processors=16))
    assert found.limit == "processors"
    assert found.images_per_s == pytest.approx(2 * 16 / 2e-3)


def test_large_files_make_the_network_the_limit() -> None:
    large = fleet.Costs(**{**vars(COSTS), "image_bytes": 1e6})
    found = fleet.forecast(large, fleet.Plan(nodes=3, gigabits=1.0))
    assert found.limit == "network"
    assert found.images_per_s == pytest.approx(3 * 1e9 / 8 / 1e6)


def test_one_head_is_the_limit_of_very_many_nodes() -> None:
    busy = fleet.Costs(**{**vars(COSTS), "shard_s": 4e-3})
    found = fleet.forecast(busy, fleet.Plan(nodes=10_000))
    assert found.limit == "head" and found.shard == 200  # 1 % of 200 images' time
    assert found.images_per_s == pytest.approx(1 / (1e-6 + 4e-3 / 1000))


def test_what_a_cluster_adds_is_counted_by_shards() -> None:
    cluster = fleet.Cluster(nodes=2, seconds=10, images_per_s=9, head_s=0.9, start_s=5)
    found = fleet.with_overhead(COSTS, [cluster], shards=10)
    assert found.shard_s == pytest.approx(0.1) and found.start_s == 5
    assert fleet.with_overhead(COSTS, [], shards=10) is COSTS


def test_costs_are_measured_and_planned_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("pyarrow", reason="needs pip install 'spikehalt[ray]'")
    write_toy(tmp_path / "toy.bundle")
    (tmp_path / "photos").mkdir()
    content = encoded(np.zeros((4, 4, 3), np.uint8), "PNG")
    for number in range(9):
        (tmp_path / f"photos/{number}.png").write_bytes(content)
    written = io.StringIO()
    monkeypatch.setattr(fleet, "console", Console(file=written, width=table.WIDTH))
    line = [str(tmp_path / "toy.bundle"), str(tmp_path / "photos"), "--shard", "4", "--json"]
    assert fleet.main(line) == 0
    told = json.loads(written.getvalue())
    assert told["costs"]["images"] == 9 and told["costs"]["image_bytes"] == len(content)
    assert told["costs"]["image_s"] > told["costs"]["read_s"] > 0
    assert [plan["nodes"] for plan in told["plans"]] == [1, 10, 100]
    assert told["plans"][2]["computed"] == pytest.approx(100 * told["plans"][0]["computed"])
