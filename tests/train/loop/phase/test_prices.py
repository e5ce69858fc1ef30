from __future__ import annotations

import pytest
import torch

from train.config import LossConfig
from train.halting import HaltStep, halt, ponder_cost
from train.loop.phase.prices import (
    by_budget,
    by_certainty,
    image_prices,
    ponder_loss,
    true_class_probability,
)

CERTAINTY = torch.tensor([0.9, 0.1, 0.5, 0.6])


def steps() -> list[HaltStep]:
    """Two blocks, four images of one token; the first and third halt in block 1."""
    h = torch.tensor([0.995, 0.3, 0.995, 0.3]).view(1, 4, 1).requires_grad_()
    ones = torch.ones(1, 4, 1)
    first = halt(h, torch.zeros_like(h), ones, epsilon=0.01, mode="block_time", last=False)
    second = halt(h * first.live, first.cum, first.live, epsilon=0.01, mode="block_time", last=True)
    return [first, second]


def test_one_price_is_the_papers_ponder_loss() -> None:
    loss = ponder_loss(steps(), CERTAINTY, LossConfig())
    assert loss.item() == pytest.approx(ponder_cost(steps()).mean().item())


def test_a_sure_image_pays_more_and_the_mean_price_is_one() -> None:
    prices = by_certainty(CERTAINTY, 2.0)
    assert prices.mean().item() == pytest.approx(1)
    assert (prices[0] / prices[1]).item() == pytest.approx(81)
    assert torch.isfinite(by_certainty(torch.zeros(3), 2.0)).all()


def test_an_image_above_its_budget_pays_and_one_below_is_paid() -> None:
    used = torch.tensor([0.5, 0.5, 0.5, 0.5])
    prices = by_budget(used, CERTAINTY, target=0.5, spread=0.5)
    assert prices.tolist() == pytest.approx([1, -1, -1, 1])  # sure images have the lower budgets
    assert by_budget(used, CERTAINTY, target=0.5, spread=0.0).tolist() == [0, 0, 0, 0]
    near = by_budget(torch.tensor([0.52]), torch.tensor([0.3]), target=0.5, spread=0.0)
    assert near.item() == pytest.approx(0.4)  # in proportion within the slack


@pytest.mark.parametrize("price", ["one", "certainty", "budget"])
def test_neither_price_nor_certainty_passes_a_gradient(price: str) -> None:
    used, certainty = torch.rand(4, requires_grad=True), torch.rand(4, requires_grad=True)
    config = LossConfig(price=price)  # type: ignore[arg-type]
    assert not image_prices(used, certainty, config).requires_grad


def test_the_certainty_is_the_true_classes_probability_and_of_mixed_labels_the_expectation() -> (
    None
):
    logits = torch.tensor([[0.0, 1.0, 2.0], [3.0, 0.0, 0.0]])
    probability = logits.softmax(-1)
    found = true_class_probability(logits, torch.tensor([2, 0]))
    assert found.tolist() == pytest.approx([probability[0, 2].item(), probability[1, 0].item()])
    shares = torch.tensor([[0.0, 0.5, 0.5], [1.0, 0.0, 0.0]])
    mixed = true_class_probability(logits, shares)
    assert mixed[0].item() == pytest.approx(probability[0, 1:].mean().item())
