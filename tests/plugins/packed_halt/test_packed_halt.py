import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plugins.packed_halt import packed_token_halt
from plugins.token_halt import token_halt
from tests.plugins import samples
from tests.plugins.onnx_models import OUTPUTS, one_node_model, run


def packed_inputs(seed, B, K, D, dtype, pattern):
    """Inputs on rows of live tokens, and the dense ones with the same tokens."""
    dense = samples.halt_inputs(seed, (B, K), D, dtype, pattern)
    index = samples.index_of(dense["live"])
    rows = {name: dense[name] for name in ("size", "hist", "cum", "epsilon")}
    return {"x": dense["x"].reshape(-1, D)[index], "index": index, **rows}, dense


sizes = (samples.seeds, samples.batches, samples.tokens, samples.widths)


@settings(max_examples=30, deadline=None)
@given(*sizes, samples.dtypes, samples.live_patterns, st.integers(0, 1))
def test_function_body_equals_reference(seed, B, K, D, dtype, pattern, last):
    feeds, _ = packed_inputs(seed, B, K, D, dtype, pattern)
    attributes = {"alpha": 2.0, "beta": -1.0, "last": last}
    wanted = dict(
        zip(OUTPUTS["PackedTokenHalt"], packed_token_halt(**feeds, **attributes), strict=True)
    )
    got = run(one_node_model("PackedTokenHalt", feeds, wanted, **attributes), feeds)
    for name in ("readout", "hist_next", "cum_next"):
        np.testing.assert_allclose(got[name], wanted[name], atol=1e-5, rtol=1e-5, strict=True)
    np.testing.assert_array_equal(got["live"], wanted["live"], strict=True)


@settings(max_examples=30, deadline=None)
@given(*sizes, samples.live_patterns, st.integers(0, 1))
def test_it_is_token_halt_sum_without_the_absent_tokens(seed, B, K, D, pattern, last):
    feeds, dense = packed_inputs(seed, B, K, D, np.float32, pattern)
    attributes = {"alpha": 2.0, "beta": -1.0, "last": last}
    found = packed_token_halt(**feeds, **attributes)
    wanted = token_halt(**dense, **attributes, reduce=True)
    np.testing.assert_allclose(found[0], wanted[0], atol=1e-4, rtol=1e-5)
    for array, expected in zip(found[1:], wanted[1:], strict=True):
        np.testing.assert_array_equal(array, expected)


@pytest.mark.parametrize("index", [[1, 0], [0, 6], [0]])
def test_an_index_that_does_not_ascend_or_fit_is_refused(index):
    grid, x = np.zeros((2, 3), np.float32), np.zeros((2, 4), np.float32)
    inputs = (x, np.array(index), grid, grid, grid, np.float32(0.01))
    with pytest.raises(ValueError, match=r"ascend|do not fit"):
        packed_token_halt(*inputs, alpha=1.0, beta=0.0, last=0)
