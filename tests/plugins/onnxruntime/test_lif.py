import numpy as np
import pytest

from plugins.lif import lif
from plugins.packed_lif import packed_lif, packed_lif_steps
from tests.plugins import samples
from tests.plugins.onnxruntime.nodes import assert_equal

SPIKE_TYPES = {1: np.float32, 10: np.float16, 3: np.int8, 2: np.uint8}
WIDTHS = (1, 17, 64)


def attributes_for(seed):
    reset = ("hard", "soft")[seed % 2]
    return {"decay": 0.7, "threshold": 0.9, "v_reset": 0.1, "reset": reset}


def normal(rng, *shape):
    return rng.normal(0, 1, shape).astype(np.float32)


@pytest.mark.parametrize("spike_type", SPIKE_TYPES)
@pytest.mark.parametrize("tokens", [0, *samples.TOKENS])
def test_lif_equals_the_reference(native, tokens, spike_type):
    for seed, (width, steps) in enumerate((w, s) for w in WIDTHS for s in (1, 3)):
        rng = np.random.default_rng(seed)
        x = normal(rng, *[steps] * (steps > 1), tokens, width)
        attributes = attributes_for(seed)
        for v in (normal(rng, tokens, width), normal(rng, 1)):
            wanted = lif(x, v, **attributes, steps=steps, spike_type=SPIKE_TYPES[spike_type])
            given = {**attributes, "steps": steps, "spike_type": spike_type}
            for threads in (1, 2):
                assert_equal(native.run("LIF", {"x": x, "v": v}, threads, **given), wanted)


def test_lif_shares_large_tensors_between_threads(native):
    rng = np.random.default_rng(0)
    feeds = {"x": normal(rng, 3, 97, 1023), "v": normal(rng, 97, 1023)}
    attributes = {**attributes_for(0), "steps": 3}
    wanted = lif(**feeds, **attributes, spike_type=np.uint8)
    assert_equal(native.run("LIF", feeds, 2, **attributes, spike_type=2), wanted)


@pytest.mark.parametrize("spike_type", SPIKE_TYPES)
@pytest.mark.parametrize("rows", [0, *samples.TOKENS])
def test_packed_lif_equals_the_reference(native, rows, spike_type):
    for seed, width in enumerate((*WIDTHS, 1536)):
        rng = np.random.default_rng(seed)
        feeds = {
            "x": normal(rng, rows, width),
            "v": normal(rng, 7, width),
            "row": rng.integers(0, 7, rows),
        }
        attributes = attributes_for(seed)
        wanted = packed_lif(**feeds, **attributes, spike_type=SPIKE_TYPES[spike_type])
        for threads in (1, 2):
            got = native.run("PackedLIF", feeds, threads, **attributes, spike_type=spike_type)
            assert_equal(got, wanted)


@pytest.mark.parametrize("spike_type", SPIKE_TYPES)
@pytest.mark.parametrize("counts", [(0,), (5,), (0, 0), (7, 3, 3, 1), (64, 29, 0), (3, 5, 2)])
def test_packed_lif_through_timesteps_equals_the_reference(native, counts, spike_type):
    for seed, width in enumerate((*WIDTHS, 1536)):
        feeds = samples.packed_steps(np.random.default_rng(seed), counts, width)
        attributes = attributes_for(seed)
        wanted = packed_lif_steps(**feeds, **attributes, spike_type=SPIKE_TYPES[spike_type])
        for threads in (1, 2):
            got = native.run("PackedLIFSteps", feeds, threads, **attributes, spike_type=spike_type)
            assert_equal(got, wanted)


def test_nan_and_infinity_are_as_in_numpy(native):
    x = np.array([np.nan, np.inf, -np.inf, 1.0], np.float32)
    attributes = {**attributes_for(1), "steps": 1}
    wanted = lif(x, np.zeros(4, np.float32), **attributes)
    got = native.run("LIF", {"x": x, "v": np.zeros(4, np.float32)}, **attributes, spike_type=1)
    assert_equal(got, wanted)
