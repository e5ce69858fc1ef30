import importlib.util
import sys

import numpy as np
import pytest

import plugins
from plugins.ops import run_reference
from plugins.polygraphy import register_references
from spikehalt.errors import MissingExtraError
from tests.plugins import samples
from tests.plugins.onnx_models import INPUTS, OUTPUTS, one_node_model

needs_polygraphy = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("polygraphy", "onnx_graphsurgeon")),
    reason="polygraphy and onnx-graphsurgeon are not installed (the extra `compare`)",
)

X = np.linspace(-1, 2, 24, dtype=np.float32).reshape(2, 3, 4)
SAMPLES = {
    "LIF": ({"x": X, "v": np.zeros(1, np.float32)}, {"decay": 0.5, "threshold": 1.0}),
    "TokenHalt": (
        samples.halt_inputs(1, (2, 9), 4, np.float16, "some"), {"alpha": 5.0, "beta": -1.0},
    ),
    "TokenHaltSum": (
        samples.halt_inputs(2, (2, 9), 4, np.float32, "some"), {"alpha": 5.0, "beta": -1.0},
    ),
    "TokenMerge": (samples.merge_inputs(3, 2, 9, 4, np.float32, "some"), {"gamma": 3}),
    "TokenMergeSimilar": (
        samples.merge_inputs(3, 2, 9, 4, np.float32, "some"), {"threshold": 0.75},
    ),
    "PackedLIF": (
        {"x": X, "v": X, "row": np.array([1, 0])}, {"decay": 0.5, "threshold": 1.0},
    ),
    "PackedLIFSteps": (
        {"x": X, "v": X, "row": np.array([1, 0]), "count": np.array([2])},
        {"decay": 0.5, "threshold": 1.0},
    ),
    "PackedTokenHalt": (
        {
            "x": np.ones((3, 4), np.float32), "index": np.array([1, 2, 5]),
            **{name: np.ones((2, 3), np.float32) for name in ("size", "hist", "cum")},
            "epsilon": np.array(0.01, np.float32),
        },
        {"alpha": 5.0, "beta": -1.0},
    ),
    "TokenPack": (
        {
            "x": np.ones((3, 4), np.float32), "index": np.array([1, 2, 5]),
            "live": np.array([[0, 1, 0], [0, 0, 1]], np.int32),
        },
        {},
    ),
    "SpikeAttention": ({"spikes": np.ones((6, 12), np.float32)}, {"heads": 2, "slots": 3}),
    "PackedAttention": (
        {
            "spikes": np.ones((3, 12), np.float32), "index": np.array([1, 2, 5]),
            "place": np.array([3, 0, 1, 3, 3, 2]),
        },
        {"heads": 2, "slots": 3},
    ),
    "SpikeCount": (
        {"x": X, "at": np.array([[0.5], [1.0]], np.float32)}, {"weights": (1, 2), "unit": 0.25},
    ),
    "Patches": ({"x": np.ones((1, 3, 3, 2), np.uint8)}, {}),
    "SpikeLinear": (
        {
            "x": np.ones((2, 4), np.float32), "weight": np.ones((4, 3), np.float32),
            "bias": np.ones(3, np.float32),
        },
        {},
    ),
    "SpikeLinearInteger": (
        {
            "x": np.ones((2, 4), np.uint8), "weight": np.ones((4, 3), np.int8),
            "scale": np.ones(3, np.float32), "bias": np.ones(3, np.float32),
        },
        {},
    ),
    "SpikeConv": (
        {
            "x": np.ones((1, 3, 3, 2), np.float32), "weight": np.ones((18, 3), np.float32),
            "bias": np.ones(3, np.float32),
        },
        {},
    ),
    "SpikeConvInteger": (
        {"x": np.ones((1, 3, 3, 2), np.uint8), "weight": np.ones((18, 3), np.int8)}, {},
    ),
}  # fmt: skip
BODIES = plugins.Bodies(heads=2, dim=4, count_weights=(1, 2))


@needs_polygraphy
@pytest.mark.parametrize("op", plugins.OP_NAMES)
def test_polygraphy_runs_the_reference(op):
    import onnx_graphsurgeon as gs
    from polygraphy.backend.pluginref import PluginRefRunner

    feeds, attributes = SAMPLES[op]
    complete = plugins.node_attributes(op, **attributes)
    wanted = run_reference(op, complete, *(feeds[name] for name in INPUTS[op]))
    outputs = dict(zip(OUTPUTS[op], wanted, strict=True))
    model = one_node_model(op, feeds, outputs, bodies=BODIES, **attributes)
    del model.functions[:]
    register_references()
    register_references()
    with PluginRefRunner(gs.import_onnx(model)) as runner:
        got = runner.infer(feeds)
    assert list(got) == OUTPUTS[op]
    for name, array in zip(OUTPUTS[op], wanted, strict=True):
        np.testing.assert_array_equal(got[name], array, strict=True)


def test_without_polygraphy_the_error_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "polygraphy.backend.pluginref.references", None)
    with pytest.raises(MissingExtraError, match="registering references needs polygraphy"):
        register_references()
