import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plugins.spike_linear import spike_linear, spike_linear_integer
from tests.plugins import samples
from tests.plugins.onnx_models import one_node_model, run

sizes = st.integers(1, 70)


@settings(max_examples=25, deadline=None)
@given(samples.seeds, sizes, sizes, sizes)
def test_function_bodies_equal_the_references(seed, M, inputs, outputs):
    rng = np.random.default_rng(seed)
    feeds = samples.layer(rng, (M, inputs), inputs, outputs, density=0.3)
    wanted = {"current": spike_linear(**feeds)[0]}
    got = run(one_node_model("SpikeLinear", feeds, wanted), feeds)
    np.testing.assert_array_equal(got["current"], wanted["current"], strict=True)


@settings(max_examples=25, deadline=None)
@given(samples.seeds, sizes, sizes, sizes)
def test_integer_function_bodies_equal_the_references(seed, M, inputs, outputs):
    rng = np.random.default_rng(seed)
    feeds = samples.integer_layer(rng, (M, inputs), inputs, outputs, density=0.3, highest=128)
    feeds["scale"] = rng.random(outputs, np.float32)
    feeds["bias"] = rng.normal(size=outputs).astype(np.float32)
    wanted = {"current": spike_linear_integer(**feeds)[0]}
    got = run(one_node_model("SpikeLinearInteger", feeds, wanted), feeds)
    np.testing.assert_array_equal(got["current"], wanted["current"], strict=True)


def test_sums_of_bytes_are_exact():
    x, weight = np.full((1, 4096), 255, np.uint8), np.full((4096, 1), 127, np.int8)
    one, zero = np.ones(1, np.float32), np.zeros(1, np.float32)
    (current,) = spike_linear_integer(x, weight, one, zero)
    assert current == np.float32(255 * 127 * 4096)


def test_what_does_not_fit_is_named():
    x, weight, bias = np.ones((2, 3)), np.ones((4, 5)), np.ones(5)
    with pytest.raises(ValueError, match=r"x \(2, 3\), weight \(4, 5\)"):
        spike_linear(x, weight, bias)
