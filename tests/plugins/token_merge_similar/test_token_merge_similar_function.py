import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from plugins.token_merge_similar import token_merge_similar
from tests.plugins import samples
from tests.plugins.onnx_models import OUTPUTS, one_node_model, run

OP = "TokenMergeSimilar"


@settings(max_examples=50, deadline=None)
@given(
    samples.seeds,
    samples.batches,
    samples.tokens,
    samples.widths,
    samples.dtypes,
    samples.live_patterns,
    st.sampled_from([0.25, 0.5, 0.8, 1.0]),
    st.booleans(),
)
def test_function_body_equals_reference(seed, B, K, D, dtype, pattern, threshold, given_source):
    assume(K >= 2)
    feeds = samples.merge_inputs(seed, B, K, D, dtype, pattern)
    if given_source:
        feeds["source"] = random_mask(seed, B, K)
    outputs = token_merge_similar(**feeds, threshold=threshold)
    wanted = dict(zip(OUTPUTS[OP], outputs, strict=True))
    got = run(one_node_model(OP, feeds, wanted, threshold=threshold), feeds)
    for name, array in wanted.items():
        np.testing.assert_array_equal(got[name], array, strict=True, err_msg=name)


def random_mask(seed, B, K):
    """Some of the even positions."""
    mask = np.random.default_rng(seed + 1).integers(0, 2, (B, K)).astype(np.int32)
    mask[:, 1::2] = 0
    return mask
