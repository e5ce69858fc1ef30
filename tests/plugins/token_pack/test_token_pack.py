import numpy as np
import pytest
from hypothesis import given, settings

from plugins.token_pack import token_pack
from tests.plugins import samples
from tests.plugins.onnx_models import OUTPUTS, one_node_model, run


@settings(max_examples=40, deadline=None)
@given(
    samples.seeds, samples.batches, samples.tokens, samples.widths, samples.dtypes,
    samples.live_patterns, samples.live_patterns,
)  # fmt: skip
def test_function_body_equals_reference(seed, B, K, D, dtype, before, after):
    rng = np.random.default_rng(seed)
    had = samples.live_mask(rng, (B, K), before)
    live = had * samples.live_mask(rng, (B, K), after)
    index = samples.index_of(had)
    feeds = {"x": samples.dyadic(rng, (len(index), D), dtype), "index": index, "live": live}
    wanted = dict(zip(OUTPUTS["TokenPack"], token_pack(**feeds), strict=True))
    got = run(one_node_model("TokenPack", feeds, wanted), feeds)
    for name, array in wanted.items():
        np.testing.assert_array_equal(got[name], array, strict=True)
    np.testing.assert_array_equal(wanted["packed_index"], samples.index_of(live))
    np.testing.assert_array_equal(wanted["place"], samples.place_of(live))


def test_an_index_that_does_not_exist_is_refused():
    x, live = np.zeros((1, 4), np.float32), np.ones((2, 3), np.int32)
    with pytest.raises(ValueError, match=r"outside 0\.\.5"):
        token_pack(x, np.array([6]), live)
