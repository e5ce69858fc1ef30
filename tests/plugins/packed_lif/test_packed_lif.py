import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plugins import Bodies
from plugins.common.types import FLOAT, FLOAT16, INT8, SPIKE_DTYPES, UINT8
from plugins.lif import lif
from plugins.packed_lif import packed_lif, packed_lif_steps
from tests.plugins import samples
from tests.plugins.onnx_models import one_node_model, run


@settings(max_examples=30, deadline=None)
@given(
    samples.seeds,
    samples.tokens,
    st.integers(0, 40),
    samples.widths,
    samples.dtypes,
    st.sampled_from([FLOAT, FLOAT16, INT8, UINT8]),
    st.sampled_from(["hard", "soft"]),
)
def test_function_body_equals_reference(seed, N, M, D, dtype, spike_type, reset):
    rng = np.random.default_rng(seed)
    x, v = samples.dyadic(rng, (M, D), dtype), samples.dyadic(rng, (N, D), dtype)
    feeds = {"x": x, "v": v, "row": rng.integers(0, N, M)}
    attributes = {"decay": 0.5, "threshold": 0.75, "v_reset": 0.125, "reset": reset}
    spike, v_next = packed_lif(**feeds, spike_type=SPIKE_DTYPES[spike_type], **attributes)
    model = one_node_model(
        "PackedLIF", feeds, {"spike": spike, "v_next": v_next}, spike_type=spike_type, **attributes
    )
    got = run(model, feeds)
    np.testing.assert_array_equal(got["spike"], spike, strict=True)
    np.testing.assert_array_equal(got["v_next"], v_next, strict=True)


def test_rows_in_order_are_lif():
    rng = np.random.default_rng(0)
    x, v = samples.dyadic(rng, (2, 5, 3), np.float32), samples.dyadic(rng, (2, 5, 3), np.float32)
    found = packed_lif(x, v, np.arange(2), decay=0.5, threshold=1.0)
    for array, wanted in zip(found, lif(x, v, decay=0.5, threshold=1.0), strict=True):
        np.testing.assert_array_equal(array, wanted, strict=True)


@pytest.mark.parametrize("row", [[0, 2], [-1, 0], [0]])
def test_rows_that_do_not_exist_or_do_not_fit_are_refused(row):
    x, v = np.zeros((2, 3), np.float32), np.zeros((2, 3), np.float32)
    with pytest.raises(ValueError, match=r"outside 0\.\.1|do not fit"):
        packed_lif(x, v, np.array(row), decay=0.5, threshold=1.0)


@settings(max_examples=30, deadline=None)
@given(
    samples.seeds,
    st.lists(st.integers(1, 9), min_size=1, max_size=4),
    samples.widths,
    samples.dtypes,
    st.sampled_from([FLOAT, FLOAT16, INT8, UINT8]),
    st.sampled_from(["hard", "soft"]),
    st.booleans(),
)
def test_the_body_of_several_timesteps_equals_the_reference(
    seed, counts, D, dtype, spike_type, reset, to_zero
):
    feeds = samples.packed_steps(np.random.default_rng(seed), counts, D, dtype)
    v_reset = 0.0 if to_zero else 0.125
    attributes = {"decay": 0.5, "threshold": 0.75, "v_reset": v_reset, "reset": reset}
    spike, v_next = packed_lif_steps(**feeds, spike_type=SPIKE_DTYPES[spike_type], **attributes)
    model = one_node_model(
        "PackedLIFSteps", feeds, {"spike": spike, "v_next": v_next}, spike_type=spike_type,
        bodies=Bodies(reset=reset, steps=len(counts), reset_to_zero=to_zero), **attributes,
    )  # fmt: skip
    got = run(model, feeds)
    np.testing.assert_array_equal(got["spike"], spike, strict=True)
    np.testing.assert_array_equal(got["v_next"], v_next, strict=True)


def test_timesteps_are_packed_lif_one_after_the_other():
    feeds = samples.packed_steps(np.random.default_rng(0), (4, 2), 3)
    neuron = {"decay": 0.5, "threshold": 1.0}
    x, row = feeds["x"], feeds["row"]
    first, v = packed_lif(x[:4], feeds["v"], row[:4], **neuron)
    second, v = packed_lif(x[4:], v, row[4:], **neuron)
    spike, v_next = packed_lif_steps(**feeds, **neuron)
    np.testing.assert_array_equal(spike, np.concatenate([first, second]))
    np.testing.assert_array_equal(v_next, v)


@pytest.mark.parametrize("count", [[], [1], [3, -1], [[2]], [2, 1]])
def test_counts_that_do_not_fit_are_refused(count):
    x = np.zeros((2, 3), np.float32)
    with pytest.raises(ValueError, match=r"count .* must be of one timestep or more, 2 rows\."):
        packed_lif_steps(
            x, x, np.array([0, 1]), np.array(count, np.int64), decay=0.5, threshold=1.0
        )


def test_a_row_that_the_timestep_before_does_not_have_is_refused():
    x = np.zeros((3, 2), np.float32)
    with pytest.raises(ValueError, match=r"outside 0\.\.0"):
        packed_lif_steps(x, x, np.array([2, 0, 1]), np.array([1, 2]), decay=0.5, threshold=1.0)
