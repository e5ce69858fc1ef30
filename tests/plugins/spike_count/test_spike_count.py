import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import plugins
from plugins.common.types import FLOAT, SPIKE_DTYPES, UINT8
from plugins.spike_count import spike_count
from tests.plugins import samples
from tests.plugins.onnx_models import one_node_model, run

weights_of = st.lists(st.integers(1, 3), min_size=1, max_size=4).map(tuple)


@settings(max_examples=40, deadline=None)
@given(
    samples.seeds, samples.tokens, samples.widths, weights_of,
    st.sampled_from([np.float32, np.int32]), st.sampled_from([FLOAT, UINT8]), st.booleans(),
)  # fmt: skip
def test_function_body_equals_reference(seed, K, C, weights, dtype, count_type, per_channel):
    rng = np.random.default_rng(seed)
    at = np.sort(rng.integers(-20, 20, (len(weights), C if per_channel else 1)), axis=0)
    feeds = {"x": rng.integers(-25, 25, (2, K, C)).astype(dtype), "at": at.astype(dtype)}
    attributes = {"weights": weights, "unit": 1.0 if count_type == UINT8 else 0.25}
    (count,) = spike_count(**feeds, **attributes, count_type=SPIKE_DTYPES[count_type])
    model = one_node_model(
        "SpikeCount", feeds, {"count": count}, count_type=count_type, **attributes,
        bodies=plugins.Bodies(count_weights=weights, count_type=count_type),
    )  # fmt: skip
    np.testing.assert_array_equal(run(model, feeds)["count"], count, strict=True)


def test_steps_and_weights_must_be_as_many():
    with pytest.raises(ValueError, match="2 weights"):
        spike_count(np.zeros(3, np.float32), np.zeros((1, 1), np.float32), weights=(1, 1))
