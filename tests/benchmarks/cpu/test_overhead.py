from __future__ import annotations

import pytest
from onnx import helper

from benchmarks.cpu.overhead import (
    MERGING,
    NETWORK,
    PACKING,
    SCORES,
    Node,
    by_part,
    named,
    nodes_of,
    part_of,
    rows_of,
    without_timing,
)


def event(name: str, op: str, us: float) -> dict[str, object]:
    return {"cat": "Node", "name": name, "dur": us, "args": {"op_name": op}}


@pytest.mark.parametrize(
    ("place", "op", "part"),
    [
        ("block2/qkv", "SpikeLinear", NETWORK),
        ("block2/t2/fc1_lif:0", "PackedLIF", NETWORK),
        ("block2/fc1_lif:0", "PackedLIFSteps", NETWORK),
        ("block2/mlp_residual", "Add", NETWORK),
        ("block2/t1/halt:0", "PackedTokenHalt", SCORES),
        ("block2/t1/merge:0", "TokenMerge", MERGING),
        ("block2/t1/cum_kept", "GatherElements", MERGING),
        ("block2/unpack", "Gather", MERGING),
        ("block2/pack:0", "TokenPack", PACKING),
        ("block2/all_steps.3", "Concat", PACKING),
    ],
)
def test_a_node_belongs_to_one_part(place: str, op: str, part: str) -> None:
    assert part_of(place, op) == part


def test_nodes_are_the_runs_of_kernels() -> None:
    events = [
        event("block1/qkv_kernel_time", "SpikeLinear", 30),
        event("block1/qkv_fence_before", "SpikeLinear", 1),
        {"cat": "Session", "name": "model_run", "dur": 2000},
    ]
    assert nodes_of(events) == [Node("block1/qkv", "SpikeLinear", 30)]


def test_times_are_means_over_images_by_block() -> None:
    nodes = [
        Node("block1/qkv", "SpikeLinear", 30),
        Node("block1/qkv", "SpikeLinear", 50),
        Node("block10/halt:0", "TokenHaltSum", 8),
        Node("stem/conv2", "SpikeConv", 900),
    ]
    assert by_part(nodes, 2) == {(1, NETWORK): 40, (10, SCORES): 4}


def test_what_timing_adds_is_taken_off_every_node_alike() -> None:
    nodes = [Node("a", "A", 10), Node("b", "B", 20), Node("c", "C", 3)]
    assert [each.us for each in without_timing(nodes, 18)] == [5, 15, 0]
    assert without_timing(nodes, 40) == nodes


def test_the_share_is_what_a_static_network_has_not() -> None:
    rows = rows_of({(1, NETWORK): 60.0, (1, SCORES): 20.0, (2, NETWORK): 60.0, (2, PACKING): 60.0})
    assert [row.name for row in rows] == ["block 1", "block 2", "all blocks"]
    assert [row["share"] for row in rows] == pytest.approx([0.25, 0.5, 0.4])
    assert rows[-1]["network_us"] == 120 and rows[-1]["merging_us"] == 0


def test_nodes_are_named_after_their_first_output() -> None:
    node = helper.make_node("Split", ["x"], ["", "block1/second"])
    model = helper.make_model(helper.make_graph([node], "g", [], []))
    assert named(model).graph.node[0].name == "block1/second"
