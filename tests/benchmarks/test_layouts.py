from __future__ import annotations

from typing import Any

import pytest

from benchmarks import layouts
from benchmarks.layouts import BATCHES, POOLS, WIDTHS, row_of, shape, thinned_batch


@pytest.mark.parametrize("tokens", POOLS)
@pytest.mark.parametrize("dim", WIDTHS)
def test_a_shape_has_the_width_and_the_tokens_that_the_table_says(dim: int, tokens: int) -> None:
    config = shape(dim, tokens)
    assert (config.dim, config.tokens, config.depth) == (dim, tokens, 3)
    assert config.dim % config.heads == 0


def test_the_gain_is_the_second_time_over_the_first() -> None:
    row = row_of(shape(96, 64), 8, [2.0, 5.0], "packed")
    assert layouts.table().cells(row) == [
        "96", "64", "8", "2.000", "5.000", "2.50", "packed",
    ]  # fmt: skip
    assert [column.title for column in layouts.table().columns][3:] == [
        "packed ms", "dense ms", "dense / packed", "auto",
    ]  # fmt: skip


def test_there_are_images_for_the_largest_batch_and_half_of_their_tokens_go_on() -> None:
    config = shape(32, 64)
    live = thinned_batch(layouts.SHARE, config).live
    assert len(live) == max(BATCHES)
    assert (live[..., 0] == 64).all() and (live[..., 1:] == 32).all()


class Network:
    """Takes so many milliseconds of process time an image, whatever its batch."""

    def __init__(self, config: Any, graphs: float, replay: Any, **how: Any) -> None:
        self.ms, self.how = graphs, how


@pytest.fixture
def stand_ins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Networks whose graphs are their milliseconds."""
    speeds = {"packed": 2.0, "dense": 3.0}
    monkeypatch.setattr(layouts, "Ours", Network)
    monkeypatch.setattr(layouts, "process_ms", lambda network: network.ms)
    monkeypatch.setattr(
        layouts.networks, "our_graphs",
        lambda config, layout=None: speeds[layout] if layout else 1.0 + 3.0 * config.merge_gamma,
    )  # fmt: skip


@pytest.mark.usefixtures("stand_ins")
def test_packed_rows_stand_beside_masks_at_every_batch() -> None:
    rows = layouts.measure(shape(384, 64), rounds=1, native_ops=None)
    assert [row["batch"] for row in rows] == list(BATCHES)
    assert all((row["first_ms"], row["second_ms"], row["gain"]) == (2.0, 3.0, 1.5) for row in rows)
    assert {row.figures["chosen"] for row in rows} <= {"packed", "dense"}


@pytest.mark.usefixtures("stand_ins")
def test_merging_stands_beside_the_same_network_without_it() -> None:
    first, _ = layouts.measure_merging(shape(64, 64), rounds=1, native_ops=None)
    assert (first["first_ms"], first["second_ms"]) == (1.0 + 3.0 * 25, 1.0)  # 25 of 64 tokens
    assert first.figures["chosen"] in ("warns", "silent")
    assert layouts.merging_table().cells(first)[5] == f"{1 / 76:.2f}"
