from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from spikingjelly.activation_based import neuron, surrogate
from torch import Tensor

from train.config import LIFConfig
from train.models.kernels import surrogate_gain
from train.models.neurons import LIF, Rate

SURROGATES = {"sigmoid": surrogate.Sigmoid, "atan": surrogate.ATan}
configs = st.builds(
    LIFConfig,
    tau=st.sampled_from([1.5, 2.0, 3.7]),
    threshold=st.sampled_from([1.0, 0.75]),
    v_reset=st.sampled_from([0.0, None, -0.4]),
    surrogate=st.sampled_from(["sigmoid", "atan"]),
    surrogate_alpha=st.sampled_from([2.0, 4.0]),
)


def spikingjelly_node(config: LIFConfig) -> neuron.LIFNode:
    return neuron.LIFNode(
        tau=config.tau,
        v_threshold=config.threshold,
        v_reset=config.v_reset,
        surrogate_function=SURROGATES[config.surrogate](alpha=config.surrogate_alpha),
        detach_reset=True,
        step_mode="m",
    )


def currents(steps: int, seed: int) -> Tensor:
    """[T, 3, 5, 4]; whatever the seed, one neuron of every configuration fires and one does not."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(steps, 3, 5, 4, generator=generator) * 2 + 0.7
    x[0, 0, 0, :2] = torch.tensor([12.0, -12.0])
    return x


@settings(max_examples=20, deadline=None)
@given(config=configs, steps=st.integers(1, 6), seed=st.integers(0, 1000))
def test_spikes_are_bit_equal_with_spikingjelly(config: LIFConfig, steps: int, seed: int) -> None:
    x = currents(steps, seed)
    spikes = LIF(config, steps)(x)
    assert torch.equal(spikes, spikingjelly_node(config)(x))
    assert 0 < spikes.mean() < 1


@settings(max_examples=20, deadline=None)
@given(config=configs, steps=st.integers(1, 6), seed=st.integers(0, 1000))
def test_gradients_are_those_of_spikingjelly_with_the_reset_detached(
    config: LIFConfig, steps: int, seed: int
) -> None:
    ours, theirs = (currents(steps, seed).requires_grad_() for _ in range(2))
    weight = currents(steps, seed + 1)
    (LIF(config, steps)(ours) * weight).sum().backward()
    (spikingjelly_node(config)(theirs) * weight).sum().backward()
    torch.testing.assert_close(ours.grad, theirs.grad)


@pytest.mark.parametrize("kind", ["sigmoid", "atan"])
@pytest.mark.parametrize("alpha", [1.0, 4.0])
def test_surrogate_gain_is_the_derivative_of_spikingjellys_surrogate(
    kind: str, alpha: float
) -> None:
    distance = torch.linspace(-3, 3, 101, requires_grad=True)
    SURROGATES[kind](alpha=alpha)(distance).sum().backward()
    torch.testing.assert_close(surrogate_gain(kind, alpha, distance.detach()), distance.grad)


def test_a_constant_current_is_iterated_and_its_gradient_summed() -> None:
    config = LIFConfig()
    once = currents(1, 3).requires_grad_()
    repeated = once.detach().repeat(4, 1, 1, 1).requires_grad_()
    node = LIF(config, 4)
    assert torch.equal(node(once), node(repeated))
    weight = currents(4, 5)
    (node(once) * weight).sum().backward()
    (node(repeated) * weight).sum().backward()
    assert repeated.grad is not None
    torch.testing.assert_close(once.grad, repeated.grad.sum(0, keepdim=True))


def test_an_absent_token_keeps_its_membrane_and_does_not_fire() -> None:
    """Away at t = 2, it goes on at t = 3 as if t = 2 had not been."""
    x = currents(3, 7)
    live = torch.ones(3, 3, 5)
    live[1, :, 2] = 0
    spikes = LIF(LIFConfig(), 3)(x, live)
    skipped = LIF(LIFConfig(), 2)(x[[0, 2]])
    assert spikes[1, :, 2].sum() == 0
    assert torch.equal(spikes[[0, 2], :, 2], skipped[:, :, 2])
    everyone = LIF(LIFConfig(), 3)(x)
    assert torch.equal(spikes[:, :, 3:], everyone[:, :, 3:])


def test_the_gradient_passes_by_the_timestep_of_an_absent_token() -> None:
    live = torch.ones(3, 3, 5)
    live[1, :, 2] = 0
    x = currents(3, 7).requires_grad_()
    short = x.detach()[[0, 2]].requires_grad_()
    weight = currents(3, 9)
    (LIF(LIFConfig(), 3)(x, live) * weight).sum().backward()
    (LIF(LIFConfig(), 2)(short) * weight[[0, 2]]).sum().backward()
    assert x.grad is not None and short.grad is not None
    assert x.grad[1, :, 2].abs().sum() == 0
    torch.testing.assert_close(x.grad[[0, 2], :, 2], short.grad[:, :, 2])


def test_what_an_absent_token_receives_changes_nothing() -> None:
    live = (torch.rand(3, 3, 5, generator=torch.Generator().manual_seed(0)) > 0.4).float()
    x = currents(3, 7)
    other = torch.where(live.unsqueeze(-1) > 0, x, torch.full_like(x, 1e6))
    node = LIF(LIFConfig(), 3)
    assert torch.equal(node(x, live), node(other, live))


def test_the_rate_gradient_sums_the_surrogate_over_the_steps() -> None:
    rate = Rate(LIFConfig(), 4)
    x = torch.linspace(-1, 3, 41, requires_grad=True)
    rate(x).sum().backward()
    gains = [
        weight * surrogate_gain("sigmoid", 4.0, x.detach() - at)
        for at, weight in zip(rate.at, rate.weight, strict=True)
    ]
    torch.testing.assert_close(x.grad, torch.stack(gains).sum(0))


def test_low_precision_currents_give_spikes_of_their_own_type() -> None:
    x = currents(2, 1).to(torch.bfloat16).requires_grad_()
    spikes = LIF(LIFConfig(), 2)(x)
    spikes.sum().backward()
    assert spikes.dtype == torch.bfloat16 and x.grad is not None
    assert x.grad.dtype == torch.bfloat16
    assert torch.equal(spikes.float(), LIF(LIFConfig(), 2)(x.detach().float()))


def test_feature_maps_keep_their_shape_and_come_back_channels_last() -> None:
    x = torch.randn(3, 2, 4, 5, 5)
    node = LIF(LIFConfig(), 3)
    spikes = node(x)
    assert spikes.shape == x.shape and spikes[0].is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(spikes.flatten(2), node(x.flatten(2)))
