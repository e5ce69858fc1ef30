import numpy as np
import pytest

from plugins.lif import lif


def test_fires_at_the_threshold_not_only_above_it():
    spike, v_next = lif(
        np.array([0.75, 0.5], np.float32), np.array([0.5, 0.5], np.float32), decay=0.5, threshold=1
    )
    np.testing.assert_array_equal(spike, [1, 0])
    np.testing.assert_array_equal(v_next, [0, 0.75])


def test_soft_reset_keeps_what_is_above_the_threshold():
    x = np.array([2.5], np.float32)
    _, v_next = lif(x, np.zeros(1, np.float32), decay=0.5, threshold=1, reset="soft")
    assert v_next == 1.5


def test_several_steps_equal_one_step_repeated():
    rng = np.random.default_rng(1)
    x = rng.normal(size=(3, 2, 5)).astype(np.float32)
    v = np.zeros(1, np.float32)
    spikes, last = lif(x, v, decay=0.5, threshold=0.25, steps=3)
    for step in range(3):
        spike, v = lif(x[step], v, decay=0.5, threshold=0.25)
        np.testing.assert_array_equal(spikes[step], spike)
    np.testing.assert_array_equal(last, v)


def test_matches_the_spiking_neuron_of_the_papers():
    """u = v + (x - (v - v_reset)) / tau with tau folded into x: decay 1 - 1/tau, x / tau."""
    rng = np.random.default_rng(2)
    x, v = rng.normal(size=(2, 64)).astype(np.float32)
    u = v + (x - v) / 2
    spike, v_next = lif(x / 2, v, decay=0.5, threshold=0.5)
    np.testing.assert_array_equal(spike, u >= 0.5)
    np.testing.assert_allclose(v_next, np.where(u >= 0.5, 0, u), atol=1e-6)


@pytest.mark.parametrize(
    ("x_shape", "v_shape", "options", "message"),
    [
        ((2, 3), (3,), {}, r"v must have shape \(2, 3\) or \(1,\)"),
        ((2, 3), (2, 3), {"steps": 3}, "steps=3 does not fit"),
        ((2, 3), (2, 3), {"reset": "zero"}, "reset must be"),
        ((2, 3), (2, 3), {"steps": 0}, "steps=0"),
    ],
)
def test_wrong_arguments_are_named(x_shape, v_shape, options, message):
    with pytest.raises(ValueError, match=message):
        lif(np.zeros(x_shape, np.float32), np.zeros(v_shape, np.float32),
            decay=0.5, threshold=1.0, **options)  # fmt: skip
