import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from plugins.token_merge_similar import token_merge_similar
from tests.plugins import samples

CHOOSE = np.array([[-1]], np.int32)


def merge(x, live=None, threshold=0.9, source=CHOOSE):
    x = np.asarray(x, np.float32)[None]
    live = np.ones(x.shape[1], np.int32) if live is None else np.asarray(live, np.int32)
    ones = np.ones(x.shape[:2], np.float32)
    return [
        part[0] for part in token_merge_similar(x, ones, live[None], source, threshold=threshold)
    ]


def test_pairs_as_similar_as_the_threshold_merge_and_leave_dead_slots():
    x_next, size, live, source = merge([[1, 0], [0, 1], [2, 2], [3, 3]])
    np.testing.assert_array_equal(x_next, [[1, 0], [0, 1], [0, 0], [5, 5]])
    np.testing.assert_array_equal(size, [1, 1, 1, 2])
    np.testing.assert_array_equal(live, [1, 1, 0, 1])
    np.testing.assert_array_equal(source, [0, 0, 1, 0])


def test_the_threshold_itself_is_similar_enough():
    tokens = [[3, 4], [1, 0]]  # their cosine is 3/5, rounded to float32
    cosine = float(np.float32(3) / np.float32(5))
    above = float(np.nextafter(np.float32(cosine), np.float32(1)))
    assert merge(tokens, threshold=0.6)[-1].tolist() == [1, 0]  # 0.6 rounds to it
    assert merge(tokens, threshold=cosine)[-1].tolist() == [1, 0]
    assert merge(tokens, threshold=above)[-1].tolist() == [0, 0]


def test_dead_tokens_neither_merge_nor_receive():
    x_next, size, live, source = merge([[1, 1], [1, 1], [1, 1], [2, 2]], live=[0, 0, 1, 1])
    np.testing.assert_array_equal(source, [0, 0, 1, 0])
    np.testing.assert_array_equal(x_next, [[1, 1], [1, 1], [0, 0], [3, 3]])
    np.testing.assert_array_equal(size, [1, 1, 1, 2])
    np.testing.assert_array_equal(live, [0, 0, 0, 1])


def test_given_sources_merge_whatever_their_similarity_into_what_is_similar_now():
    source = np.array([[1, 0, 0, 0]], np.int32)
    x_next, size, live, out = merge([[1, 0], [0, 1], [1, 1], [2, 1]], source=source)
    np.testing.assert_array_equal(out, source[0])
    np.testing.assert_array_equal(x_next, [[0, 0], [0, 1], [1, 1], [3, 1]])
    np.testing.assert_array_equal(size, [1, 1, 1, 2])
    np.testing.assert_array_equal(live, [0, 1, 1, 1])


def test_given_sources_with_no_live_target_disappear():
    source = np.array([[1, 0, 1, 0]], np.int32)
    x_next, size, live, _ = merge(np.ones((4, 2)), live=[1, 0, 1, 0], source=source)
    np.testing.assert_array_equal(x_next[:, 0], [0, 1, 0, 1])
    np.testing.assert_array_equal(size, [1, 1, 1, 1])
    assert not live.any()


def test_ties_go_to_the_lower_position():
    _, size, live, _ = merge(np.ones((5, 3)), threshold=1.0)
    np.testing.assert_array_equal(size, [1, 4, 1, 1, 1])
    np.testing.assert_array_equal(live, [0, 1, 0, 1, 0])


@settings(max_examples=50, deadline=None)
@given(samples.seeds, samples.tokens, samples.dtypes, samples.live_patterns, st.floats(0.1, 1))
def test_live_tokens_and_sizes_are_conserved(seed, K, dtype, pattern, threshold):
    assume(K >= 2)
    feeds = samples.merge_inputs(seed, 2, K, 5, dtype, pattern)
    x_next, size_next, live_next, source = token_merge_similar(**feeds, threshold=threshold)
    for b in range(2):
        before, after = feeds["live"][b] == 1, live_next[b] == 1
        np.testing.assert_array_equal(x_next[b][after].sum(0), feeds["x"][b][before].sum(0))
        assert size_next[b][after].sum() == feeds["size"][b][before].sum()
        np.testing.assert_array_equal(after, before & (source[b] == 0))


@settings(max_examples=50, deadline=None)
@given(samples.seeds, samples.tokens, st.floats(0.1, 1))
def test_a_dead_tokens_values_change_nothing_else(seed, K, threshold):
    assume(K >= 2)
    feeds = samples.merge_inputs(seed, 2, K, 4, np.float32, "some")
    dead = feeds["live"] == 0
    other = feeds | {"x": np.where(dead[..., None], np.float32(9), feeds["x"])}
    first = token_merge_similar(**feeds, threshold=threshold)
    second = token_merge_similar(**other, threshold=threshold)
    np.testing.assert_array_equal(first[0][first[2] == 1], second[0][second[2] == 1])
    for a, b in zip(first[1:], second[1:], strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"threshold": 0.0}, r"in \(0, 1\], got 0.0"),
        ({"threshold": 1.5}, r"in \(0, 1\], got 1.5"),
        ({"x": np.ones((1, 2))}, "K >= 2"),
        ({"source": np.array([[0, 0]], np.int32)}, r"shape \(1, 4\), or be \[\[-1\]\]"),
        ({"source": np.array([[0, 1, 0, 0]], np.int32)}, "0 at odd positions"),
        ({"source": np.array([[2, 0, 0, 0]], np.int32)}, "must be 0 or 1"),
    ],
)
def test_what_cannot_be_merged_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        merge(**{"x": np.ones((4, 2)), **changes})
