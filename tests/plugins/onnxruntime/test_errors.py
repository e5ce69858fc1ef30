"""What does not fit is a sentence that names op and input, never a crash."""

import numpy as np
import pytest

from tests.plugins.onnxruntime.nodes import Native

F, I32, I64, U8 = np.float32, np.int32, np.int64, np.uint8
LIF = {"decay": 0.5, "threshold": 1.0, "v_reset": 0.0, "reset": "hard", "spike_type": 1}
HALT = {"alpha": 1.0, "beta": 0.0, "last": 0}
COUNT = {"weights": [1, 1], "unit": 1.0, "count_type": 1}
HEADS = {"heads": 2, "slots": 3}


def ones(*shape, dtype=F):
    return np.ones(shape, dtype)


def halting(**changed):
    per_token = {name: ones(2, 3) for name in ("size", "hist", "cum")}
    feeds = {"x": ones(2, 3, 4), **per_token, "live": ones(2, 3, dtype=I32), "epsilon": F(0)}
    return {**feeds, **changed}


def packed(**changed):
    per_token = {name: ones(2, 3) for name in ("size", "hist", "cum")}
    feeds = {"x": ones(2, 4), "index": np.array([1, 4]), **per_token, "epsilon": np.array(0, F)}
    return {**feeds, **changed}


def merging(**changed):
    feeds = {"x": ones(2, 6, 4), "size": ones(2, 6), "live": ones(2, 6, dtype=I32)}
    return {**feeds, "source": np.array([[0, 2], [2, 4]], I32), **changed}


def counting(**changed):
    return {"x": ones(2, 4), "at": ones(2, 4), **changed}


def of_steps(counts, rows):
    count, row = np.array(counts, I64), np.array(rows, I64)
    return {"x": ones(3, 2), "v": ones(5, 2), "row": row, "count": count}


SHAPES = [
    (
        "LIF",
        {"x": ones(2, 3), "v": ones(3, 2)},
        {**LIF, "steps": 1},
        "LIF: v must have shape [2, 3], not [3, 2].",
    ),
    ("LIF", {"x": ones(2, 3), "v": ones(3)}, {**LIF, "steps": 4}, "LIF: the leading axis of x"),
    (
        "LIF",
        {"x": ones(*[1] * 9), "v": ones(1)},
        {**LIF, "steps": 1},
        "LIF: x has more than 8 axes.",
    ),
    (
        "PackedLIF",
        {"x": ones(2, 3), "v": ones(5, 4), "row": np.zeros(2, I64)},
        LIF,
        "PackedLIF: x must have shape",
    ),
    (
        "PackedLIF",
        {"x": ones(2, 3), "v": ones(5, 3), "row": np.zeros(3, I64)},
        LIF,
        "PackedLIF: row must have shape [2]",
    ),
    (
        "PackedLIF",
        {"x": ones(2, 3), "v": ones(5, 3), "row": np.array([0, 5])},
        LIF,
        "PackedLIF: row must name rows of v, 0 to 4, not 5.",
    ),
    ("PackedLIF", {"x": ones(1, 3), "v": ones(5, 3), "row": np.array([-1])}, LIF, "not -1."),
    (
        "PackedLIFSteps",
        of_steps([1, 1], [0, 0, 0]),
        LIF,
        "PackedLIFSteps: count must have one timestep",
    ),
    (
        "PackedLIFSteps",
        of_steps([], [0, 0, 0]),
        LIF,
        "PackedLIFSteps: count must have one timestep",
    ),
    ("PackedLIFSteps", of_steps([4, -1], [0, 0, 0]), LIF, "as many rows as x has."),
    ("PackedLIFSteps", of_steps([1, 2], [4, 0, 1]), LIF, "of the timestep before, 0 to 0, not 1."),
    ("PackedLIFSteps", of_steps([1, 2], [5, 0, 0]), LIF, "row must name rows of v, 0 to 4, not 5."),
    ("PackedLIFSteps", of_steps([3], [0, 0]), LIF, "PackedLIFSteps: row must have shape [3]"),
    (
        "TokenHalt",
        halting(size=ones(2, 2)),
        HALT,
        "TokenHalt: size must have shape [2, 3], not [2, 2].",
    ),
    (
        "TokenHalt",
        halting(epsilon=ones(2)),
        HALT,
        "TokenHalt: epsilon must have shape [], not [2].",
    ),
    ("TokenHalt", halting(x=ones(4)), HALT, "TokenHalt: x must have shape [M, D] or [B, K, D]."),
    ("TokenHaltSum", halting(x=ones(2, 3, 0)), HALT, "at least one element"),
    ("TokenHaltSum", halting(x=ones(6, 4)), HALT, "TokenHaltSum: x must have shape [B, K, D]."),
    ("PackedTokenHalt", packed(index=np.array([4, 1])), HALT, "PackedTokenHalt: index must ascend"),
    ("PackedTokenHalt", packed(index=np.array([1, 6])), HALT, "0 to 5, which 6 in row 1 does not."),
    (
        "PackedTokenHalt",
        packed(index=np.array([-1, 2])),
        HALT,
        "PackedTokenHalt: index must ascend",
    ),
    (
        "PackedTokenHalt",
        packed(cum=ones(3, 2)),
        HALT,
        "PackedTokenHalt: cum must have shape [2, 3]",
    ),
    ("TokenMerge", merging(x=ones(2, 6)), {"gamma": 2}, "TokenMerge: x must have shape [B, K, D]"),
    ("TokenMerge", merging(), {"gamma": 4}, "TokenMerge: attribute gamma must be at most half"),
    (
        "TokenMerge",
        merging(source=np.array([[0, 0], [2, 4]], I32)),
        {"gamma": 2},
        "TokenMerge: source must hold different even",
    ),
    (
        "TokenMerge",
        merging(source=np.array([[0, 2], [3, 4]], I32)),
        {"gamma": 2},
        "which 3 is not.",
    ),
    (
        "TokenMerge",
        merging(source=np.array([[0, 2], [4, 6]], I32)),
        {"gamma": 2},
        "which 6 is not.",
    ),
    (
        "TokenMerge",
        merging(source=np.array([[0, -2], [4, 2]], I32)),
        {"gamma": 2},
        "which -2 is not.",
    ),
    (
        "TokenMerge",
        merging(source=np.array([[-1], [-1]], I32)),
        {"gamma": 2},
        "source must have shape [2, 2]",
    ),
    (
        "TokenMerge",
        merging(source=np.zeros((0, 0), I32)),
        {"gamma": 2},
        "source must have shape [2, 2]",
    ),
    (
        "TokenPack",
        {"x": ones(2, 4), "index": np.array([0, 9]), "live": ones(2, 3, dtype=I32)},
        {},
        "TokenPack: index must ascend",
    ),
    (
        "TokenPack",
        {"x": ones(2), "index": np.array([0, 1]), "live": ones(2, 3, dtype=I32)},
        {},
        "TokenPack: x must have shape [M, D], not [2].",
    ),
    ("SpikeAttention", {"spikes": ones(2, 8)}, HEADS, "SpikeAttention: a row of spikes"),
    (
        "PackedAttention",
        {"spikes": ones(2, 12), "index": np.array([2, 1]), "place": np.zeros(3, I64)},
        HEADS,
        "PackedAttention: index must ascend",
    ),
    (
        "PackedAttention",
        {"spikes": ones(2, 12), "index": np.array([-4, 1]), "place": np.zeros(3, I64)},
        HEADS,
        "PackedAttention: index must ascend",
    ),
    (
        "SpikeCount",
        counting(at=ones(3, 4)),
        COUNT,
        "SpikeCount: at must have shape [2, 4], not [3, 4].",
    ),
    (
        "SpikeCount",
        counting(at=ones(2, 3)),
        COUNT,
        "SpikeCount: at must have shape [2, 4], not [2, 3].",
    ),
    ("SpikeCount", counting(at=ones(2)), COUNT, "SpikeCount: at must have shape [S, 1] or [S, C]"),
    (
        "Patches",
        {"x": ones(2, 3, 4, dtype=U8)},
        {},
        "Patches: x must have shape [B, H, W, C], not [2, 3, 4].",
    ),
]

TYPES = [
    (
        "SpikeAttention",
        {"spikes": ones(3, 12, dtype=I32)},
        HEADS,
        "SpikeAttention: spikes must have element type 1, not 6.",
    ),
    (
        "SpikeCount",
        counting(at=ones(2, 4, dtype=I32)),
        COUNT,
        "SpikeCount: at must have element type 1, not 6.",
    ),
    ("LIF", {"x": ones(2, dtype=I32), "v": ones(2)}, {**LIF, "steps": 1}, "tensor(int32)"),
    (
        "LIF",
        {"x": ones(2), "v": ones(2)},
        {**LIF, "steps": 1, "spike_type": 11},
        "attribute spike_type must be one of 1, 10, 3, 2; not 11.",
    ),
    (
        "LIF",
        {"x": ones(2), "v": ones(2)},
        {**LIF, "steps": 0},
        "LIF: attribute steps must be between 1 and",
    ),
    (
        "LIF",
        {"x": ones(2), "v": ones(2)},
        {**LIF, "steps": 1, "reset": "none"},
        "must be 'hard' or 'soft', not 'none'.",
    ),
    (
        "LIF",
        {"x": ones(2), "v": ones(2)},
        {**LIF, "steps": 1, "decay": float("nan")},
        "LIF: attribute decay must be finite.",
    ),
    ("LIF", {"x": ones(2), "v": ones(2)}, LIF, "LIF: the node needs attribute steps (int)."),
    (
        "LIF",
        {"x": ones(2), "v": ones(2)},
        {**LIF, "steps": 1.0},
        "LIF: the node needs attribute steps (int).",
    ),
    ("TokenHalt", halting(), {**HALT, "last": 2}, "attribute last must be between 0 and 1, not 2."),
    ("TokenMerge", merging(), {"gamma": 0}, "TokenMerge: attribute gamma must be between 1"),
    (
        "SpikeAttention",
        {"spikes": ones(3, 12)},
        {"heads": 0, "slots": 3},
        "attribute heads must be between 1",
    ),
    (
        "SpikeCount",
        counting(),
        {**COUNT, "weights": [1, 0]},
        "SpikeCount: attribute weights must hold positive",
    ),
    (
        "SpikeCount",
        counting(),
        {**COUNT, "weights": [200, 56], "count_type": 2},
        "sum up to 255 at most.",
    ),
    ("SpikeCount", counting(), {**COUNT, "unit": 0.5, "count_type": 2}, "attribute unit must be 1"),
]


@pytest.mark.parametrize(("op", "feeds", "attributes", "sentence"), [*SHAPES, *TYPES])
def test_what_does_not_fit_is_said(native: Native, op, feeds, attributes, sentence):
    arrays = {name: np.asarray(array) for name, array in feeds.items()}
    with pytest.raises(Exception) as caught:
        native.run(op, arrays, **attributes)
    assert sentence in str(caught.value)
