import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plugins.patches import patches
from plugins.spike_conv import spike_conv, spike_conv_integer
from tests.plugins import samples
from tests.plugins.onnx_models import one_node_model, run

sides = st.integers(1, 9)


@settings(max_examples=20, deadline=None)
@given(samples.seeds, samples.batches, sides, sides, samples.widths, samples.widths)
def test_function_bodies_equal_the_references(seed, B, H, W, C, outputs):
    rng = np.random.default_rng(seed)
    feeds = samples.layer(rng, (B, H, W, C), 9 * C, outputs, density=0.3)
    wanted = {"current": spike_conv(**feeds)[0]}
    got = run(one_node_model("SpikeConv", feeds, wanted), feeds)
    np.testing.assert_array_equal(got["current"], wanted["current"], strict=True)
    feeds = samples.integer_layer(rng, (B, H, W, C), 9 * C, outputs, density=0.3, highest=128)
    wanted = {"sums": spike_conv_integer(**feeds)[0]}
    got = run(one_node_model("SpikeConvInteger", feeds, wanted), feeds)
    np.testing.assert_array_equal(got["sums"], wanted["sums"], strict=True)


def test_it_is_a_product_with_patches():
    rng = np.random.default_rng(0)
    feeds = samples.integer_layer(rng, (2, 6, 7, 3), 27, 4, density=0.5, highest=4)
    neighbours = patches(feeds["x"])[0].astype(np.int32)
    (sums,) = spike_conv_integer(**feeds)
    np.testing.assert_array_equal(sums, neighbours @ feeds["weight"].astype(np.int32))


def test_what_does_not_fit_is_named():
    with pytest.raises(ValueError, match=r"\[B, H, W, C\] and \[9 C, O\]"):
        spike_conv_integer(np.ones((1, 2, 2, 3), np.uint8), np.ones((9, 4), np.int8))
    with pytest.raises(ValueError, match="do not fit"):
        spike_conv(np.ones((1, 2, 2, 1)), np.ones((9, 4)), np.ones(3))
