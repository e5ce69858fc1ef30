import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from plugins.token_merge import token_merge
from tests.plugins import samples
from tests.plugins.onnx_models import OUTPUTS, one_node_model, run


@settings(max_examples=50, deadline=None)
@given(
    samples.seeds,
    samples.batches,
    samples.tokens,
    samples.widths,
    samples.dtypes,
    samples.live_patterns,
    st.floats(0, 1),
    st.booleans(),
)
def test_function_body_equals_reference(seed, B, K, D, dtype, pattern, fraction, given_source):
    assume(K >= 2)
    gamma = 1 + int(fraction * (K // 2 - 1))
    feeds = samples.merge_inputs(seed, B, K, D, dtype, pattern)
    if given_source:
        feeds["source"] = random_sources(seed, B, K, gamma)
    wanted = dict(zip(OUTPUTS["TokenMerge"], token_merge(**feeds, gamma=gamma), strict=True))
    got = run(one_node_model("TokenMerge", feeds, wanted, gamma=gamma), feeds)
    for name, array in wanted.items():
        np.testing.assert_array_equal(got[name], array, strict=True, err_msg=name)


def random_sources(seed, B, K, gamma):
    rng = np.random.default_rng(seed + 1)
    even = np.arange(0, K, 2)
    picks = [np.sort(rng.permutation(even)[:gamma]) for _ in range(B)]
    return np.stack(picks).astype(np.int32)
