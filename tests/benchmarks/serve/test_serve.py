from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.serve.continuous import Costs, compare, flat, simulate
from benchmarks.serve.hey import read_report, write_body
from spikehalt.errors import ConfigError

REPORT = """
Summary:
  Total:	0.4200 secs
  Requests/sec:	4761.9047

Latency distribution:
  10% in 0.0008 secs
  50% in 0.0015 secs
  99% in 0.0093 secs

Status code distribution:
  [200]	1990 responses
  [503]	10 responses
"""


def test_a_report_of_hey_is_read() -> None:
    load = read_report(REPORT)
    assert load.statuses == {200: 1990, 503: 10} and load.requests_per_s == pytest.approx(4761.9)
    assert (load.p10_ms, load.p50_ms, load.p99_ms) == pytest.approx((0.8, 1.5, 9.3))
    with pytest.raises(ConfigError, match="not understood"):
        read_report("Error: no such host")


def test_a_body_is_json_with_the_images_behind_it(tmp_path: Path) -> None:
    images = np.arange(24, dtype=np.uint8).reshape(2, 2, 2, 3)
    body = write_body(tmp_path / "body", images, {"policy": "never"})
    data = body.path.read_bytes()
    assert json.loads(data[: body.json_length])["parameters"]["policy"] == "never"
    assert data[body.json_length :] == images.tobytes()


def test_an_image_waits_for_a_whole_batch_and_joins_a_continuous_one() -> None:
    costs = Costs(lambda images: 1.0 * bool(images), lambda images: 1.0 * bool(images))
    arrivals, steps = np.array([0.0, 0.5]), np.array([3, 1])
    assert simulate(costs, arrivals, steps, joins=False).tolist() == [3.0, 4.0]
    # After the first chunk the second image runs its own beside the first one's: two costs.
    assert simulate(costs, arrivals, steps, joins=True).tolist() == [4.0, 3.0]


def test_where_all_leave_at_once_nothing_can_be_joined() -> None:
    row = compare(flat(0.005), "nearly all at 1", 0.3, 300)
    assert row["ratio_images_per_s"] == pytest.approx(1, abs=0.05)
