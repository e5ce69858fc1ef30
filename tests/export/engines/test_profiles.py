from __future__ import annotations

from pathlib import Path
from typing import Any

import onnx
import pytest

from export.engines.build import load_graphs
from export.engines.profiles import ROW_STEP, BatchRange, row_bucket, shape_graph
from export.errors import UnsupportedError
from tests.fakes.bundles import write_small_bundle


@pytest.mark.parametrize(
    ("text", "sizes"), [("8", (8, 8, 8)), ("1:4:16", (1, 4, 16)), ("2:2:2", (2, 2, 2))]
)
def test_a_batch_is_one_number_or_three(text: str, sizes: tuple[int, int, int]) -> None:
    batch = BatchRange.parse(text)
    assert (batch.smallest, batch.typical, batch.largest) == sizes
    assert BatchRange.parse(str(batch)) == batch


@pytest.mark.parametrize("text", ["", "0", "4:2:8", "1:9:8", "1:2", "1:2:3:4", "a", "1:-2:4", "²"])
def test_other_batches_are_refused(text: str) -> None:
    with pytest.raises(UnsupportedError, match="batch"):
        BatchRange.parse(text)


@pytest.mark.parametrize(
    ("text", "ranges"),
    [
        ("1:8:32", [(1, 1), (2, 8), (9, 32)]),
        ("2:4:4", [(2, 2), (3, 4)]),
        ("8", [(8, 8)]),
        ("1:1:2", [(1, 1), (2, 2)]),
    ],
)
def test_split_ranges_meet_without_gap_or_overlap(text: str, ranges: list[tuple[int, int]]) -> None:
    split = BatchRange.parse(text).split()
    assert [(each.smallest, each.largest) for each in split] == ranges
    assert all(each.typical == each.largest for each in split)


@pytest.mark.parametrize(("tokens", "rows"), [(0, 64), (63, 64), (64, 128), (127, 128), (128, 192)])
def test_a_row_list_always_has_room_for_one_padding(tokens: int, rows: int) -> None:
    assert row_bucket(tokens) == rows > tokens
    assert rows % ROW_STEP == 0


def shapes_of(model: onnx.ModelProto) -> dict[str, list[Any]]:
    return {
        value.name: [d.dim_param or d.dim_value for d in value.type.tensor_type.shape.dim]
        for value in model.graph.input
    }


def test_with_one_batch_size_a_dense_graph_is_static(tmp_path: Path) -> None:
    graphs = load_graphs(write_small_bundle(tmp_path, "dense"))
    for model in graphs.values():
        shaped = shape_graph(model, (BatchRange(3, 3, 3),), (64, 64))
        assert shaped.profiles == ({},)
        assert all(isinstance(d, int) for dims in shapes_of(shaped.model).values() for d in dims)
    assert shapes_of(shaped.model)["state.block1.qkv_lif"] == [3, 64, 48]
    assert shapes_of(model)["alive"] == ["B"], "the bundle's own graph must not change"


def test_states_have_the_largest_size_whatever_runs(tmp_path: Path) -> None:
    model = load_graphs(write_small_bundle(tmp_path, "lagged"))["next"]
    shaped = shape_graph(model, (BatchRange(1, 4, 16),), (64, 64))
    shapes = shapes_of(shaped.model)
    assert shapes["state.block1.qkv_lif"] == [16, 64, 48]
    assert shapes["state.block2.qkv_lif"] == [row_bucket(16 * 64), 48]
    assert shapes["alive"] == ["B"] and shapes["rows.block2"] == ["M_block2"]
    assert shaped.rows == {"rows.block2": row_bucket(16 * 64)}


def test_row_lists_range_from_no_token_to_all_of_the_largest_batch(tmp_path: Path) -> None:
    model = load_graphs(write_small_bundle(tmp_path, "lagged"))["next"]
    shaped = shape_graph(model, BatchRange(1, 4, 16).split(), (64, 64))
    rows = [profile["rows.block2"] for profile in shaped.profiles]
    assert [each.smallest for each in rows] == [(64,)] * 3
    assert [each.largest for each in rows] == [(row_bucket(n * 64),) for n in (1, 4, 16)]
    alive = [profile["alive"] for profile in shaped.profiles]
    assert [(a.smallest, a.largest) for a in alive] == [((1,), (1,)), ((2,), (4,)), ((5,), (16,))]


def test_a_graph_whose_shapes_depend_on_the_data_is_refused(tmp_path: Path) -> None:
    model = load_graphs(write_small_bundle(tmp_path, "packed"))["first"]
    with pytest.raises(
        UnsupportedError, match=r"first\.onnx has the packed layout.*--layout lagged"
    ):
        shape_graph(model, (BatchRange(1, 1, 1),), (64, 64))
