import numpy as np
import pytest

from plugins.token_merge import token_merge
from plugins.token_merge_similar import token_merge_similar
from plugins.token_pack import token_pack
from tests.plugins import samples
from tests.plugins.onnxruntime.nodes import assert_equal


@pytest.mark.parametrize("pattern", samples.LIVE_PATTERNS)
@pytest.mark.parametrize("K", samples.TOKENS[1:])
def test_merging_equals_the_reference(native, K, pattern):
    for seed, D in enumerate((1, 15, 16, 35)):
        feeds = samples.merge_inputs(seed, 3, K, D, np.float32, pattern)
        for gamma in {1, K // 2}:
            chosen = token_merge(**feeds, gamma=gamma)
            for threads in (1, 2):
                assert_equal(native.run("TokenMerge", feeds, threads, gamma=gamma), chosen)
            given = {**feeds, "x": feeds["x"][::-1].copy(), "source": chosen[-1]}
            wanted = token_merge(**given, gamma=gamma)
            assert_equal(native.run("TokenMerge", given, gamma=gamma), wanted)


def test_merging_where_partners_tie_equals_the_reference(native):
    for seed in range(5):
        feeds = samples.tied_merge_inputs(seed, 2, 33, 5)
        wanted = token_merge(**feeds, gamma=16)
        assert_equal(native.run("TokenMerge", feeds, gamma=16), wanted)


@pytest.mark.parametrize("pattern", samples.LIVE_PATTERNS)
@pytest.mark.parametrize("K", samples.TOKENS[1:])
def test_merging_what_is_similar_equals_the_reference(native, K, pattern):
    for seed, D in enumerate((1, 15, 16, 35)):
        feeds = samples.merge_inputs(seed, 3, K, D, np.float32, pattern)
        for threshold in (0.5, 1.0):
            chosen = token_merge_similar(**feeds, threshold=threshold)
            for threads in (1, 2):
                found = native.run("TokenMergeSimilar", feeds, threads, threshold=threshold)
                assert_equal(found, chosen)
            given = {**feeds, "x": feeds["x"][::-1].copy(), "source": chosen[-1]}
            wanted = token_merge_similar(**given, threshold=threshold)
            assert_equal(native.run("TokenMergeSimilar", given, threshold=threshold), wanted)


@pytest.mark.parametrize("threshold", samples.TIED_THRESHOLDS)
def test_merging_where_similarities_are_the_threshold_equals_the_reference(native, threshold):
    for seed in range(5):
        feeds = samples.threshold_inputs(seed, 2, 33)
        wanted = token_merge_similar(**feeds, threshold=threshold)
        assert_equal(native.run("TokenMergeSimilar", feeds, threshold=threshold), wanted)


def test_merging_of_real_tokens(native):
    rng = np.random.default_rng(0)
    feeds = samples.merge_inputs(0, 2, 64, 384, np.float32, "some")
    feeds["x"] = rng.normal(0, 1, (2, 64, 384)).astype(np.float32)
    for mine, other in zip(
        native.run("TokenMerge", feeds, gamma=8), token_merge(**feeds, gamma=8), strict=True
    ):
        np.testing.assert_allclose(mine, other, rtol=1e-6)


def pack_inputs(seed, B, K, D, pattern):
    """Rows of a random half of the tokens, of which those of `pattern` are alive."""
    rng = np.random.default_rng(seed)
    index = np.flatnonzero(rng.integers(0, 2, B * K))
    live = np.zeros(B * K, np.int32)
    live[index] = samples.live_mask(rng, (B * K,), pattern)[index]
    x = rng.normal(0, 1, (len(index), D)).astype(np.float32)
    return {"x": x, "index": index, "live": live.reshape(B, K)}


@pytest.mark.parametrize("pattern", samples.LIVE_PATTERNS)
@pytest.mark.parametrize("K", samples.TOKENS)
def test_packing_equals_the_reference(native, K, pattern):
    for seed, D in enumerate((1, 17, 384)):
        feeds = pack_inputs(seed, 2, K, D, pattern)
        assert_equal(native.run("TokenPack", feeds), token_pack(**feeds))


def test_a_live_slot_without_a_row_has_no_place(native):
    feeds = {
        "x": np.ones((1, 2), np.float32),
        "index": np.array([1]),
        "live": np.array([[1, 1, 0]], np.int32),
    }
    assert native.run("TokenPack", feeds)[2].tolist() == [1, 0, 1]
