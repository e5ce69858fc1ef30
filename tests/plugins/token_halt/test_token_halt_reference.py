import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plugins.token_halt import token_halt
from tests.plugins import samples

ATTRIBUTES = {"alpha": 2.0, "beta": -1.0}


@settings(max_examples=40, deadline=None)
@given(samples.seeds, samples.tokens, st.integers(1, 6))
def test_weights_of_a_token_sum_to_one_over_the_blocks(seed, K, blocks):
    rng = np.random.default_rng(seed)
    live, cum, total = np.ones(K, np.int32), np.zeros(K, np.float32), np.zeros(K, np.float32)
    for block in range(blocks):
        x = np.concatenate([rng.normal(size=(K, 1)), np.ones((K, 1))], axis=1).astype(np.float32)
        readout, _, cum, live = token_halt(
            x, np.ones(K, np.float32), np.zeros(K, np.float32), cum, live,
            np.array(0.01, np.float32), **ATTRIBUTES, last=block == blocks - 1, reduce=False,
        )  # fmt: skip
        total += readout[:, 1]
    np.testing.assert_allclose(total, 1, atol=1e-6)
    assert not live.any()


@settings(max_examples=40, deadline=None)
@given(samples.seeds, samples.tokens, samples.dtypes, st.booleans())
def test_a_dead_token_contributes_nothing(seed, K, dtype, last):
    feeds = samples.halt_inputs(seed, (2, K), 5, dtype, "some")
    dead = feeds["live"] == 0
    other = feeds | {"x": np.where(dead[..., None], dtype(100), feeds["x"])}
    for reduce in (False, True):
        first = token_halt(**feeds, **ATTRIBUTES, last=last, reduce=reduce)
        second = token_halt(**other, **ATTRIBUTES, last=last, reduce=reduce)
        for a, b in zip(first, second, strict=True):
            np.testing.assert_array_equal(a, b)
    assert not first[3][dead].any()


def test_score_is_of_the_mean_original_token():
    """A merged token's first element is divided by how many tokens it stands for."""
    x = np.array([[3.0, 1.0]], np.float32)
    zero, one = np.zeros(1, np.float32), np.ones(1, np.int32)
    readout, hist, _, _ = token_halt(
        x, np.array([3], np.float32), zero, zero, one, np.array(0, np.float32),
        alpha=1.0, beta=0.0, last=0, reduce=False,
    )  # fmt: skip
    np.testing.assert_allclose(hist, 1 / (1 + np.exp(-1)), atol=1e-6)
    np.testing.assert_allclose(readout[0, 1], hist[0], atol=1e-7)


def test_extreme_scores_do_not_overflow():
    feeds = samples.halt_inputs(1, (4,), 3, np.float32, "all")
    for alpha in (-1e30, 1e30):
        outputs = token_halt(**feeds, alpha=alpha, beta=0.0, last=0, reduce=False)
        assert all(np.isfinite(array).all() for array in outputs)


def test_wrong_shapes_are_named():
    feeds = samples.halt_inputs(1, (2, 3), 4, np.float32, "all")
    with pytest.raises(ValueError, match=r"hist must have shape \(2, 3\)"):
        token_halt(**(feeds | {"hist": feeds["hist"][0]}), **ATTRIBUTES, last=0, reduce=False)
    packed = samples.halt_inputs(1, (3,), 4, np.float32, "all")
    with pytest.raises(ValueError, match=r"\[B, K, D\]"):
        token_halt(**packed, **ATTRIBUTES, last=0, reduce=True)
