"""Folding keeps the function: BatchNorm, 1/tau, v_reset."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from export.fold.fold import fold_conv, fold_lif, fold_linear
from train.config import LIFConfig
from train.models.layers import ConvBN, LinearBN
from train.models.neurons import LIF


def trained(layer: torch.nn.Module) -> torch.nn.Module:
    """A layer whose statistics are not the initial ones."""
    generator = torch.Generator().manual_seed(3)
    for name, tensor in layer.state_dict().items():
        if tensor.is_floating_point():
            noise = torch.rand(tensor.shape, generator=generator)
            tensor.copy_(noise + 0.5 if "var" in name else noise - 0.5)
    return layer.eval()


@pytest.mark.parametrize("gain", [1.0, 0.5])
def test_linear_and_batch_norm_become_one_affine_map(gain: float) -> None:
    layer = trained(LinearBN(6, 9))
    x = torch.randn(1, 2, 5, 6)
    folded = fold_linear(layer, gain)
    expected = layer(x).detach().numpy() * gain
    np.testing.assert_allclose(x.numpy() @ folded.weight + folded.bias, expected, atol=1e-5)


def test_convolution_and_batch_norm_become_one_convolution() -> None:
    layer = trained(ConvBN(3, 4))
    x = torch.randn(1, 2, 3, 5, 7)
    folded = fold_conv(layer, 0.5)
    weight, bias = torch.from_numpy(folded.weight), torch.from_numpy(folded.bias)
    found = torch.nn.functional.conv2d(x[0], weight, bias, padding=1)
    torch.testing.assert_close(found, layer(x)[0].detach() * 0.5, atol=1e-5, rtol=1e-5)


def folded_spikes(config: LIFConfig, threshold: float, gain: float, x: np.ndarray) -> np.ndarray:
    """The exported neuron on gain * x / tau', as its layer or its threshold leaves it."""
    lif = fold_lif(config, threshold, gain)
    v, spikes = np.zeros_like(x[0]), []
    for current in x:
        u = np.float32(lif.decay) * v + current
        spike = u >= np.float32(lif.threshold)
        v = np.where(spike, u - np.float32(lif.threshold) if lif.reset == "soft" else 0, u)
        spikes.append(spike)
    return np.stack(spikes)


@settings(max_examples=60, deadline=None)
@given(
    tau=st.sampled_from([2.0, 4.0]),
    v_reset=st.sampled_from([0.0, 0.25, -0.5, None]),
    threshold=st.sampled_from([0.5, 1.0, 1.5]),
    seed=st.integers(0, 1000),
)
def test_folded_neuron_fires_where_the_trained_one_does(
    tau: float, v_reset: float | None, threshold: float, seed: int
) -> None:
    config = LIFConfig(tau=tau, v_reset=v_reset, threshold=threshold)
    x = np.random.default_rng(seed).integers(-24, 40, (4, 50)).astype(np.float32) / 8
    spikes = LIF(config, steps=4)(torch.from_numpy(x))
    expected = spikes.numpy() > 0
    # 1/tau in the preceding layer ...
    found = folded_spikes(config, threshold, 1.0, x / np.float32(tau))
    np.testing.assert_array_equal(found, expected)
    # ... or in the threshold.
    np.testing.assert_array_equal(folded_spikes(config, threshold, 1 / tau, x), expected)


def test_folded_statistics_are_rounded_once() -> None:
    layer = LinearBN(4, 4).eval()
    torch.nn.init.constant_(layer.linear.weight, 0.375)
    folded = fold_linear(layer, 0.5)
    expected = np.float64(0.375) / np.sqrt(1 + np.float64(layer.bn.eps)) * 0.5
    assert np.all(folded.weight == np.float32(expected))
