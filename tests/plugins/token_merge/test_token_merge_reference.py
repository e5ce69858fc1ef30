import numpy as np
import pytest
from hypothesis import assume, given, settings

from plugins.token_merge import token_merge
from tests.plugins import samples

CHOOSE = np.array([[-1]], np.int32)


def merge(x, live=None, gamma=1, source=CHOOSE):
    x = np.asarray(x, np.float32)[None]
    live = np.ones(x.shape[1], np.int32) if live is None else np.asarray(live, np.int32)
    return [
        part[0]
        for part in token_merge(
            x, np.ones(x.shape[:2], np.float32), live[None], source, gamma=gamma
        )
    ]


def test_the_most_similar_pair_merges():
    x_next, size, live, keep, source = merge([[1, 0], [0, 1], [2, 2], [3, 3]])
    np.testing.assert_array_equal(x_next, [[1, 0], [0, 1], [5, 5]])
    np.testing.assert_array_equal(size, [1, 1, 2])
    np.testing.assert_array_equal(keep, [0, 1, 3])
    np.testing.assert_array_equal(source, [2])
    np.testing.assert_array_equal(live, [1, 1, 1])


def test_dead_sources_disappear_first():
    x_next, size, live, keep, source = merge(
        [[2, 2], [2, 2], [7, 0], [0, 1]], live=[1, 1, 0, 1], gamma=1
    )
    np.testing.assert_array_equal(keep, [0, 1, 3])
    np.testing.assert_array_equal(source, [2])
    np.testing.assert_array_equal(x_next, [[2, 2], [2, 2], [0, 1]])
    np.testing.assert_array_equal(size, [1, 1, 1])
    np.testing.assert_array_equal(live, [1, 1, 1])


def test_nothing_merges_into_a_dead_token():
    x_next, size, *_ = merge([[1, 1], [1, 1], [0, 1], [1, 0]], live=[1, 0, 1, 1], gamma=1)
    np.testing.assert_array_equal(x_next, [[1, 1], [0, 1], [2, 1]])
    np.testing.assert_array_equal(size, [1, 1, 2])


def test_with_no_live_target_the_source_disappears():
    x_next, size, _, keep, _ = merge([[1, 1], [1, 1], [1, 2], [1, 1]], live=[1, 0, 1, 0], gamma=1)
    np.testing.assert_array_equal(keep, [1, 2, 3])
    np.testing.assert_array_equal(x_next, [[1, 1], [1, 2], [1, 1]])
    np.testing.assert_array_equal(size, [1, 1, 1])


def test_ties_go_to_the_lower_position():
    _, size, _, keep, source = merge(np.ones((7, 3)), gamma=2)
    np.testing.assert_array_equal(source, [0, 2])
    np.testing.assert_array_equal(keep, [1, 3, 4, 5, 6])
    np.testing.assert_array_equal(size, [3, 1, 1, 1, 1])


def test_given_sources_merge_into_what_is_similar_now():
    source = np.array([[0]], np.int32)
    x_next, *_, out = merge([[1, 0], [0, 1], [1, 1], [1, 0]], source=source)
    np.testing.assert_array_equal(out, [0])
    np.testing.assert_array_equal(x_next, [[0, 1], [1, 1], [2, 0]])


@settings(max_examples=50, deadline=None)
@given(samples.seeds, samples.tokens, samples.dtypes, samples.live_patterns)
def test_live_tokens_and_sizes_are_conserved(seed, K, dtype, pattern):
    assume(K >= 2)
    feeds = samples.merge_inputs(seed, 2, K, 5, dtype, pattern)
    x_next, size_next, live_next, keep, source = token_merge(**feeds, gamma=max(1, K // 3))
    for b in range(2):
        live = feeds["live"][b].astype(bool)
        if not live[1::2].any():
            live[source[b]] = False
        kept = live_next[b].astype(bool)
        np.testing.assert_array_equal(x_next[b][kept].sum(0), feeds["x"][b][live].sum(0))
        assert size_next[b][kept].sum() == feeds["size"][b][live].sum()
        np.testing.assert_array_equal(np.sort(np.r_[keep[b], source[b]]), np.arange(K))


@settings(max_examples=50, deadline=None)
@given(samples.seeds, samples.tokens)
def test_a_dead_tokens_values_change_nothing_else(seed, K):
    assume(K >= 2)
    feeds = samples.merge_inputs(seed, 2, K, 4, np.float32, "some")
    dead = feeds["live"] == 0
    other = feeds | {"x": np.where(dead[..., None], np.float32(9), feeds["x"])}
    first = token_merge(**feeds, gamma=K // 2)
    second = token_merge(**other, gamma=K // 2)
    np.testing.assert_array_equal(first[0][first[2] == 1], second[0][second[2] == 1])
    for a, b in zip(first[1:], second[1:], strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    ("K", "gamma", "source", "message"),
    [
        (4, 3, CHOOSE, "between 1 and K // 2 = 2, got 3"),
        (4, 0, CHOOSE, "between 1 and K // 2 = 2, got 0"),
        (4, 2, [[0]], r"shape \(1, 2\)"),
        (4, 2, [[0, 1]], "even positions below 4"),
        (4, 2, [[0, 4]], "even positions below 4"),
        (4, 2, [[2, 2]], "twice"),
    ],
)
def test_what_cannot_be_merged_is_refused(K, gamma, source, message):
    with pytest.raises(ValueError, match=message):
        merge(np.ones((K, 2)), gamma=gamma, source=np.asarray(source, np.int32))
