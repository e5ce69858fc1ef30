from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from train.merging import (
    NO_PARTNER,
    choose_sources,
    merge,
    merge_similar,
    similar_sources,
    similarity,
    surviving,
)

shapes = st.tuples(
    st.integers(1, 3), st.integers(1, 3), st.sampled_from([2, 3, 31, 32, 33, 64, 65, 197])
)


def random_tokens(shape: tuple[int, int, int], seed: int, share_live: float) -> tuple[Tensor, ...]:
    """Small integers x [T, B, K, 6], sizes, and live tokens; halted ones are zero vectors."""
    generator = torch.Generator().manual_seed(seed)
    live = (torch.rand(shape, generator=generator) < share_live).float()
    x = torch.randint(0, 5, (*shape, 6), generator=generator).float() * live.unsqueeze(-1)
    size = torch.randint(1, 4, shape, generator=generator).float()
    return x, size, live


@settings(max_examples=40, deadline=None)
@given(shape=shapes, seed=st.integers(0, 10_000), gamma=st.integers(0, 40))
def test_merging_conserves_the_sums_of_tokens_and_sizes(
    shape: tuple[int, int, int], seed: int, gamma: int
) -> None:
    x, size, live = random_tokens(shape, seed, 1.0)
    gamma = min(gamma, shape[-1] // 2)
    merged = merge(x, size, live, choose_sources(x[0], live[0], gamma))
    assert merged.x.shape[-2] == shape[-1] - gamma
    assert torch.equal(merged.x.sum(-2), x.sum(-2))
    assert torch.equal(merged.size.sum(-1), size.sum(-1))


@settings(max_examples=40, deadline=None)
@given(shape=shapes, seed=st.integers(0, 10_000), share=st.sampled_from([0.0, 0.2, 0.7]))
def test_live_sums_are_conserved_where_a_live_partner_exists(
    shape: tuple[int, int, int], seed: int, share: float
) -> None:
    x, size, live = random_tokens(shape, seed, share)
    merged = merge(x, size, live, choose_sources(x[0], live[0], shape[-1] // 2))
    has_partner = live[..., 1::2].sum(-1) > 0
    alive_before, alive_after = (x * live.unsqueeze(-1)).sum(-2), merged.x.sum(-2)
    assert torch.equal(alive_after[has_partner], alive_before[has_partner])
    live_sizes, kept = (size * live).sum(-1), (merged.size * merged.live).sum(-1)
    assert torch.equal(kept[has_partner], live_sizes[has_partner])


@settings(max_examples=40, deadline=None)
@given(shape=shapes, seed=st.integers(0, 10_000))
def test_halted_tokens_never_receive(shape: tuple[int, int, int], seed: int) -> None:
    x, size, live = random_tokens(shape, seed, 0.5)
    merged = merge(x, size, live, choose_sources(x[0], live[0], shape[-1] // 2))
    halted = merged.live == 0
    assert (merged.x[halted] == 0).all()
    before = size.gather(-1, merged.keep.expand(shape[0], -1, -1))
    assert torch.equal(merged.size[halted], before[halted])


@settings(max_examples=20, deadline=None)
@given(shape=shapes, seed=st.integers(0, 10_000))
def test_halted_sources_go_before_live_ones(shape: tuple[int, int, int], seed: int) -> None:
    x, _, live = random_tokens(shape, seed, 0.5)
    gamma = max(1, shape[-1] // 4)
    source = choose_sources(x[0], live[0], gamma)
    chosen_live = live[0].gather(-1, source).sum(-1)
    halted = (live[0][:, ::2] == 0).sum(-1)
    assert torch.equal(chosen_live, (gamma - halted).clamp_min(0).float())


def test_without_a_live_partner_the_source_disappears() -> None:
    x = torch.tensor([[[[3.0], [0.0]]]])
    live, size = torch.tensor([[[1.0, 0.0]]]), torch.ones(1, 1, 2)
    merged = merge(x, size, live, choose_sources(x[0], live[0], 1))
    assert merged.x.flatten().tolist() == [0.0]
    assert merged.size.flatten().tolist() == [1.0] and merged.live.flatten().tolist() == [0.0]


def test_the_most_similar_pair_merges() -> None:
    """Token 2 points where token 3 does; token 0 is orthogonal to both partners."""
    x = torch.tensor([[[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 2.0], [0.0, 0.1, 1.0]]]])
    ones = torch.ones(1, 1, 4)
    source = choose_sources(x[0], ones[0], 1)
    assert source.tolist() == [[2]]
    merged = merge(x, ones, ones, source)
    assert merged.keep.tolist() == [[0, 1, 3]]
    torch.testing.assert_close(merged.x[0, 0, 2], torch.tensor([0.0, 0.1, 3.0]))
    assert merged.size.flatten().tolist() == [1.0, 1.0, 2.0]


def test_later_timesteps_merge_the_same_sources_into_their_own_partners() -> None:
    first = torch.tensor([[1.0, 0.0], [1.0, 0.1], [0.0, 0.0], [0.0, 1.0]])
    second = torch.tensor([[0.0, 1.0], [1.0, 0.1], [0.0, 0.0], [0.0, 1.0]])
    x = torch.stack([first, second]).unsqueeze(1)
    ones = torch.ones(2, 1, 4)
    merged = merge(x, ones, ones, choose_sources(x[0], ones[0], 1))
    assert merged.size[0, 0].tolist() == [2.0, 1.0, 1.0]
    assert merged.size[1, 0].tolist() == [1.0, 1.0, 2.0]


def test_ties_go_to_the_lower_position() -> None:
    x = torch.ones(1, 1, 6, 2)
    ones = torch.ones(1, 1, 6)
    source = choose_sources(x[0], ones[0], 2)
    assert source.tolist() == [[0, 2]]
    assert merge(x, ones, ones, source).size.flatten().tolist() == [3.0, 1.0, 1.0, 1.0]


def test_the_similarity_with_a_zero_vector_is_zero() -> None:
    x = torch.zeros(1, 1, 4, 3)
    x[..., 0, :] = 1
    live = torch.tensor([[[1.0, 1.0, 1.0, 0.0]]])
    cosine = similarity(x, live)
    assert (cosine[..., 0] == 0).all() and (cosine[..., 1] == NO_PARTNER).all()


def test_surviving_positions_are_ascending() -> None:
    assert surviving(torch.tensor([[0, 4], [2, 6]]), 7).tolist() == [
        [1, 2, 3, 5, 6],
        [0, 1, 3, 4, 5],
    ]


@pytest.mark.parametrize("gamma", [1, 2])
def test_gradients_pass_through_a_merge_unchanged(gamma: int) -> None:
    x = torch.rand(2, 1, 5, 3, requires_grad=True)
    ones = torch.ones(2, 1, 5)
    merge(x, ones, ones, choose_sources(x[0].detach(), ones[0], gamma)).x.sum().backward()
    assert x.grad is not None and torch.equal(x.grad, torch.ones_like(x))


def test_moved_says_where_every_vector_went() -> None:
    x, size, live = random_tokens((2, 3, 9), 3, 0.6)
    merged = merge(x, size, live, choose_sources(x[0], live[0], 4))
    gathered = torch.zeros_like(merged.x)
    for t in range(2):
        for image in range(3):
            for position, slot in enumerate(merged.moved[t, image].tolist()):
                if slot >= 0:
                    gathered[t, image, slot] += x[t, image, position]
    assert torch.equal(gathered, merged.x)
    assert int(merged.moved.max()) == 4


taus = st.sampled_from([0.05, 0.5, 0.8, 0.95, 1.0])


@settings(max_examples=40, deadline=None)
@given(shape=shapes, seed=st.integers(0, 10_000), tau=taus, share=st.sampled_from([0.0, 0.3, 1.0]))
def test_a_merge_of_what_is_similar_conserves_live_sums(
    shape: tuple[int, int, int], seed: int, tau: float, share: float
) -> None:
    x, size, live = random_tokens(shape, seed, share)
    merged = merge_similar(x, size, live, similar_sources(x[0], live[0], tau))
    assert merged.x.shape == x.shape and (merged.live <= live).all()
    has_partner = live[..., 1::2].sum(-1) > 0
    alive_before, alive_after = (x * live.unsqueeze(-1)).sum(-2), merged.x.sum(-2)
    assert torch.equal(alive_after[has_partner], alive_before[has_partner])
    sizes = (size * live).sum(-1), (merged.size * merged.live).sum(-1)
    assert torch.equal(sizes[0][has_partner], sizes[1][has_partner])
    assert (merged.x[merged.live == 0] == 0).all() and (merged.size >= 1).all()


@settings(max_examples=40, deadline=None)
@given(shape=shapes, seed=st.integers(0, 10_000), tau=taus)
def test_live_even_tokens_as_similar_as_the_threshold_are_the_sources(
    shape: tuple[int, int, int], seed: int, tau: float
) -> None:
    x, _, live = random_tokens(shape, seed, 0.6)
    source = similar_sources(x[0], live[0], tau)
    best = similarity(x[0], live[0]).amax(-1)
    assert not source[..., 1::2].any()
    wanted = (live[0][..., ::2] > 0) & (best >= torch.tensor(tau))
    assert torch.equal(source[..., ::2], wanted)


def test_a_lower_threshold_merges_what_a_higher_one_does_and_more() -> None:
    x, _, live = random_tokens((1, 3, 64), 5, 0.8)
    low, high = (similar_sources(x[0], live[0], tau) for tau in (0.6, 0.9))
    assert (high <= low).all() and low.sum() > high.sum()


def test_parallel_tokens_have_a_similarity_of_one_exactly() -> None:
    """So the threshold 1 merges those that point the same way, whatever their length."""
    direction = torch.tensor([3.0, 1.0, 2.0, 7.0])
    x = direction * torch.arange(1.0, 65.0).view(1, 64, 1)
    assert similar_sources(x, torch.ones(1, 64), 1.0)[0, ::2].all()


def test_similar_sources_that_lose_their_partners_later_disappear() -> None:
    x, ones = torch.ones(2, 1, 4, 3), torch.ones(2, 1, 4)
    live = torch.tensor([[1.0, 1, 1, 1], [1.0, 0, 1, 0]]).unsqueeze(1)
    merged = merge_similar(x * live.unsqueeze(-1), ones, live, similar_sources(x[0], live[0], 0.9))
    assert merged.live[:, 0].tolist() == [[0, 1, 0, 1], [0, 0, 0, 0]]
    assert merged.size[0, 0].tolist() == [1, 3, 1, 1] and not merged.x[1].any()
    assert merged.moved[:, 0].tolist() == [[1, 1, 1, 3], [-1, 1, -1, 3]]


def test_gradients_pass_through_a_merge_of_what_is_similar_unchanged() -> None:
    x = torch.rand(2, 1, 6, 3, requires_grad=True)
    ones = torch.ones(2, 1, 6)
    source = similar_sources(x[0].detach(), ones[0], 0.5)
    assert source.any()
    merge_similar(x, ones, ones, source).x.sum().backward()
    assert x.grad is not None and torch.equal(x.grad, torch.ones_like(x))
