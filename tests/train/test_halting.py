from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from train.config import HaltingMode
from train.halting import (
    HaltStep,
    halt,
    halt_score,
    halting_score,
    history,
    ponder_cost,
    readout,
)

sizes = st.tuples(st.integers(1, 4), st.integers(1, 3), st.sampled_from([1, 31, 32, 33]))
epsilons = st.sampled_from([0.0, 0.01, 0.3, 0.9])


def run_blocks(
    shape: tuple[int, int, int], blocks: int, epsilon: float, mode: HaltingMode, seed: int
) -> tuple[list[HaltStep], list[Tensor]]:
    """Halting over `blocks` blocks of random scores; returns the steps and who ran in each."""
    generator = torch.Generator().manual_seed(seed)
    cum, live = torch.zeros(shape), torch.ones(shape)
    steps, ran = [], []
    for block in range(blocks):
        x = torch.randn(*shape, 3, generator=generator) * 2
        h = halting_score(x, torch.ones(shape), live, 2.0, -1.0)
        step = halt(h, cum, live, epsilon=epsilon, mode=mode, last=block == blocks - 1)
        ran.append(live)
        steps.append(step)
        cum, live = step.cum, step.live
    return steps, ran


@settings(max_examples=40, deadline=None)
@given(shape=sizes, blocks=st.integers(1, 5), epsilon=epsilons, seed=st.integers(0, 10_000))
def test_accumulated_scores_and_live_sets_are_monotone_in_block_and_time(
    shape: tuple[int, int, int], blocks: int, epsilon: float, seed: int
) -> None:
    steps, ran = run_blocks(shape, blocks, epsilon, "block_time", seed)
    for before, after in pairwise(steps):
        assert (after.cum >= before.cum).all()
    for step, live in zip(steps, ran, strict=True):
        assert (step.cum[1:] >= step.cum[:-1]).all()
        assert (step.live <= live).all()
        assert (step.live[1:] <= step.live[:-1]).all()


@settings(max_examples=40, deadline=None)
@given(
    shape=sizes,
    blocks=st.integers(1, 5),
    epsilon=epsilons,
    mode=st.sampled_from(["block", "block_time"]),
    seed=st.integers(0, 10_000),
)
def test_weights_sum_to_one_over_blocks_at_the_first_timestep(
    shape: tuple[int, int, int], blocks: int, epsilon: float, mode: HaltingMode, seed: int
) -> None:
    steps, _ = run_blocks(shape, blocks, epsilon, mode, seed)
    total = torch.stack([step.p for step in steps]).sum(0)
    torch.testing.assert_close(total[0], torch.ones_like(total[0]))
    assert all((step.p >= 0).all() for step in steps)
    if mode == "block":  # one-dimensional halting starts anew at every timestep
        torch.testing.assert_close(total, torch.ones_like(total))


@settings(max_examples=20, deadline=None)
@given(shape=sizes, seed=st.integers(0, 10_000))
def test_every_token_halts_once_and_is_then_without_weight(
    shape: tuple[int, int, int], seed: int
) -> None:
    steps, ran = run_blocks(shape, 4, 0.05, "block_time", seed)
    assert torch.equal(torch.stack([step.halts for step in steps]).sum(0), torch.ones(shape))
    for step, live in zip(steps, ran, strict=True):
        assert (step.p[live == 0] == 0).all() and (step.h[live == 0] == 0).all()


def test_larger_margin_never_keeps_more_tokens() -> None:
    shape = (3, 4, 33)
    counts = [
        sum(float(live.sum()) for live in run_blocks(shape, 4, epsilon, "block_time", 5)[1])
        for epsilon in (0.0, 0.1, 0.4, 0.8)
    ]
    assert counts == sorted(counts, reverse=True) and counts[0] > counts[-1]


def test_a_token_computed_by_hand() -> None:
    """Scores 0.4, 0.4, 0.4 over three blocks: halts in the third with the remainder 0.2."""
    h, cum, live = torch.full((1, 1, 1), 0.4), torch.zeros(1, 1, 1), torch.ones(1, 1, 1)
    weights = []
    for _ in range(3):
        step = halt(h, cum, live, epsilon=0.01, mode="block_time", last=False)
        weights.append(step.p.item())
        cum, live = step.cum, step.live
    assert weights == pytest.approx([0.4, 0.4, 0.2])
    assert step.live.item() == 0 and step.cum.item() == pytest.approx(1.2)


def test_history_runs_over_timesteps_in_two_dimensions_only() -> None:
    h = torch.tensor([0.1, 0.2, 0.3]).view(3, 1, 1)
    torch.testing.assert_close(history(h, "block_time").flatten(), torch.tensor([0.1, 0.3, 0.6]))
    assert torch.equal(history(h, "block"), h)


def test_the_score_is_that_of_one_original_token_whatever_was_merged() -> None:
    x = torch.tensor([[[[6.0, 1.0], [2.0, 9.0]]]])
    size = torch.tensor([[[3.0, 1.0]]])
    h = halting_score(x, size, torch.ones(1, 1, 2), 5.0, -10.0)
    torch.testing.assert_close(h, torch.full((1, 1, 2), 0.5))


def test_readout_is_the_weighted_mean_over_token_slots() -> None:
    p = torch.tensor([[[0.5, 0.0, 1.0]]])
    x = torch.tensor([[[[2.0], [7.0], [4.0]]]])
    assert readout(p, x).item() == pytest.approx((1.0 + 4.0) / 3)


def test_ponder_loss_counts_blocks_and_remainder() -> None:
    """Two tokens, one halting in block 1 (remainder 1), one in block 2 of 2 (remainder 0.75)."""
    live, cum = torch.ones(1, 1, 2), torch.zeros(1, 1, 2)
    h = torch.tensor([[[0.995, 0.25]]])
    first = halt(h, cum, live, epsilon=0.01, mode="block_time", last=False)
    second = halt(h * first.live, first.cum, first.live, epsilon=0.01, mode="block_time", last=True)
    assert ponder_cost([first, second]).item() == pytest.approx(((1 + 1) + (2 + 0.75)) / 2)


def test_weighting_by_time_follows_the_papers_formula() -> None:
    """T·(N - 1) + 1 blocks at timestep t, plus the remainder."""
    live, cum = torch.ones(2, 1, 1), torch.zeros(2, 1, 1)
    h = torch.full((2, 1, 1), 0.1)
    first = halt(h, cum, live, epsilon=0.01, mode="block", last=False)
    second = halt(h, first.cum, first.live, epsilon=0.01, mode="block", last=True)
    loss = ponder_cost([first, second], weight_by_time=True)
    assert loss.item() == pytest.approx(((1 * 1 + 1 + 0.9) + (2 * 1 + 1 + 0.9)) / 2)


def test_gradients_of_the_ponder_loss_push_scores_up() -> None:
    x = torch.zeros(2, 1, 3, 4, requires_grad=True)
    ones = torch.ones(2, 1, 3)
    h = halting_score(x, ones, ones, 1.0, -1.0)
    first = halt(h, torch.zeros(2, 1, 3), ones, epsilon=0.01, mode="block_time", last=False)
    second = halt(h, first.cum, first.live, epsilon=0.01, mode="block_time", last=True)
    ponder_cost([first, second]).sum().backward()
    assert x.grad is not None
    assert (x.grad[..., 0] < 0).all() and (x.grad[..., 1:] == 0).all()


def test_a_straight_through_gradient_reaches_tokens_that_halted_in_block_1() -> None:
    x = torch.zeros(1, 1, 2, 4, requires_grad=True)
    ones = torch.ones(1, 1, 2)
    h = halting_score(x, ones, ones, 1.0, 6.0)  # both halt at once
    first = halt(h, torch.zeros(1, 1, 2), ones, epsilon=0.01, mode="block_time", last=False)
    second = halt(h * first.live, first.cum, first.live, epsilon=0.01, mode="block_time", last=True)
    steps = [first, second]
    plain, through = ponder_cost(steps), ponder_cost(steps, straight_through=0.25)
    assert through.item() == plain.item()
    assert (
        not plain.requires_grad or torch.autograd.grad(plain, x, retain_graph=True)[0].eq(0).all()
    )
    (gradient,) = torch.autograd.grad(through, x)
    assert (gradient[..., 0] < 0).all()


def test_gradients_of_the_readout_reach_the_scores() -> None:
    x = torch.randn(2, 1, 3, 4, requires_grad=True)
    ones = torch.ones(2, 1, 3)
    h = halting_score(x, ones, ones, 1.0, -3.0)
    h.retain_grad()
    step = halt(h, torch.zeros(2, 1, 3), ones, epsilon=0.01, mode="block_time", last=False)
    readout(step.p, x.detach()).sum().backward()
    assert h.grad is not None and (h.grad != 0).all()


def test_halt_score_is_the_mean_accumulated_score() -> None:
    cum = torch.tensor([[[0.5, 1.5]], [[1.0, 4.0]]])
    assert halt_score(cum).flatten().tolist() == [1.0, 2.5]
