import numpy as np
import pytest

from plugins.patches import patches
from plugins.spike_attention import packed_attention
from plugins.spike_count import spike_count
from tests.plugins import samples
from tests.plugins.onnxruntime.nodes import assert_equal

HEADS = {1: 1, 12: 2, 15: 3, 64: 2, 96: 2, 128: 2}  # heads by width


@pytest.mark.parametrize("dtype", [np.float32, np.uint8])
@pytest.mark.parametrize("K", samples.TOKENS)
def test_attention_equals_the_reference(native, K, dtype):
    for seed, (D, heads) in enumerate(HEADS.items()):
        rng = np.random.default_rng(seed)
        spikes = (rng.random((2 * K, 3 * D)) < 0.3).astype(dtype)
        if seed % 2:  # integers, or integers over four
            spikes *= rng.integers(1, 5, spikes.shape).astype(dtype)
            spikes = spikes if dtype == np.uint8 else spikes / 4
        attributes = {"heads": heads, "slots": K}
        every = packed_attention(spikes, np.arange(2 * K), **attributes)
        place = np.zeros(2 * K, np.int64)
        for threads in (1, 2):
            got = native.run("SpikeAttention", {"spikes": spikes}, threads, **attributes)
            assert_equal(got, every)
            for index in (np.flatnonzero(rng.integers(0, 2, 2 * K)), np.zeros(0, np.int64)):
                feeds = {"spikes": spikes[index], "index": index, "place": place}
                got = native.run("PackedAttention", feeds, threads, **attributes)
                assert_equal(got, packed_attention(spikes[index], index, **attributes))


@pytest.mark.parametrize("count_type", [1, 2])
@pytest.mark.parametrize("dtype", [np.float32, np.int32])
@pytest.mark.parametrize("C", [1, 3, 63, 64, 65, 197])
def test_counts_equal_the_reference(native, C, dtype, count_type):
    rng = np.random.default_rng(C)
    for rows, weights in ((0, [1]), (33, [2]), (65, [1, 2, 1, 3])):
        x = (rng.normal(0, 3, (1, rows, C))).astype(dtype)
        for channels in {1, C}:
            at = np.sort(rng.normal(0, 3, (len(weights), channels)), axis=0).astype(dtype)
            unit = 0.25 if count_type == 1 else 1.0
            numpy_type = np.float32 if count_type == 1 else np.uint8
            wanted = spike_count(x, at, weights=weights, unit=unit, count_type=numpy_type)
            given = {"weights": weights, "unit": unit, "count_type": count_type}
            for threads in (1, 2):
                assert_equal(native.run("SpikeCount", {"x": x, "at": at}, threads, **given), wanted)


@pytest.mark.parametrize("size", [(1, 1), (1, 5), (5, 1), (2, 2), (8, 9), (33, 31)])
def test_patches_equal_the_reference(native, size):
    for B, C in ((0, 3), (1, 1), (2, 48)):
        x = np.random.default_rng(0).integers(0, 256, (B, *size, C), dtype=np.uint8)
        for threads in (1, 2):
            assert_equal(native.run("Patches", {"x": x}, threads), patches(x))
