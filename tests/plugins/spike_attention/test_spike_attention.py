import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import plugins
from plugins.spike_attention import packed_attention, spike_attention
from tests.plugins import samples
from tests.plugins.onnx_models import one_node_model, run

heads_of = st.integers(1, 4)
types = st.sampled_from([np.float32, np.float16, np.uint8])


@settings(max_examples=30, deadline=None)
@given(
    samples.seeds, samples.batches, samples.tokens, heads_of, st.integers(1, 9), types,
    samples.live_patterns, st.booleans(), st.booleans(),
)  # fmt: skip
def test_function_bodies_equal_references(seed, B, K, H, d, dtype, pattern, keys_first, packed):
    rng = np.random.default_rng(seed)
    live = samples.live_mask(rng, (B, K), pattern) if packed else np.ones((B, K), np.int32)
    index = samples.index_of(live)
    feeds = {"spikes": samples.spikes(rng, (len(index), 3 * H * d), dtype)}
    op, compute = "SpikeAttention", spike_attention
    if packed:
        feeds |= {"index": index, "place": samples.place_of(live)}
        op, compute = "PackedAttention", packed_attention
    (mixed,) = compute(**feeds, heads=H, slots=K)
    bodies = plugins.Bodies(heads=H, dim=H * d, keys_first=keys_first)
    model = one_node_model(op, feeds, {"mixed": mixed}, bodies=bodies, heads=H, slots=K)
    np.testing.assert_array_equal(run(model, feeds)["mixed"], mixed, strict=True)


@given(samples.seeds, samples.batches, samples.live_patterns)
def test_absent_tokens_are_zero_rows(seed, B, pattern):
    rng, K, H, d = np.random.default_rng(seed), 9, 2, 5
    live = samples.live_mask(rng, (B, K), pattern)
    everyone = samples.spikes(rng, (B * K, 3 * H * d), np.float32) * live.reshape(-1, 1)
    index = samples.index_of(live)
    (found,) = packed_attention(everyone[index], index, heads=H, slots=K)
    (wanted,) = spike_attention(everyone, heads=H, slots=K)
    np.testing.assert_array_equal(found, wanted[index])


def test_heads_that_do_not_divide_the_width_are_refused():
    with pytest.raises(ValueError, match="heads 2"):
        spike_attention(np.zeros((4, 9), np.float32), heads=2, slots=4)
