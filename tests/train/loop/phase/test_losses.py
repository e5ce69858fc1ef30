from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch.nn.functional import cross_entropy

from tests.train.samples import lively_network, random_images, tiny_model
from train.config import LossConfig
from train.distillation import distillation_loss
from train.halting import ponder_cost
from train.loop.phase.losses import own_logits, task_loss, total_loss

LOGITS = torch.randn(3, 5, 4, generator=torch.Generator().manual_seed(0))
TARGETS = torch.tensor([0, 1, 2, 3, 0])


def test_the_task_loss_is_the_cross_entropy_of_the_last_logits() -> None:
    assert task_loss(LOGITS, TARGETS, LossConfig()) == cross_entropy(LOGITS[-1], TARGETS)


def test_anytime_blends_in_the_mean_over_timesteps() -> None:
    last = cross_entropy(LOGITS[-1], TARGETS)
    each = torch.stack([cross_entropy(step, TARGETS) for step in LOGITS]).mean()
    blended = task_loss(LOGITS, TARGETS, LossConfig(anytime=0.25))
    torch.testing.assert_close(blended, 0.75 * last + 0.25 * each)


def test_own_logits_undo_the_running_mean() -> None:
    running = LOGITS.cumsum(0) / torch.arange(1, 4).view(-1, 1, 1)
    torch.testing.assert_close(own_logits(running), LOGITS)


def test_tet_takes_every_timesteps_own_loss_and_pulls_the_logits_to_their_mean() -> None:
    running = LOGITS.cumsum(0) / torch.arange(1, 4).view(-1, 1, 1)
    each = torch.stack([cross_entropy(step, TARGETS) for step in LOGITS]).mean()
    pull = ((LOGITS - 2.0) ** 2).mean()
    config = LossConfig(tet=True, tet_weight=0.25, tet_mean=2.0)
    torch.testing.assert_close(task_loss(running, TARGETS, config), 0.75 * each + 0.25 * pull)
    alone = task_loss(running, TARGETS, LossConfig(tet=True, tet_weight=0.0))
    torch.testing.assert_close(alone, each)


def test_targets_may_be_shares_of_classes() -> None:
    shares = torch.nn.functional.one_hot(TARGETS, 4).float()
    torch.testing.assert_close(
        task_loss(LOGITS, shares, LossConfig()), task_loss(LOGITS, TARGETS, LossConfig())
    )


def test_label_smoothing_is_that_of_torch() -> None:
    expected = cross_entropy(LOGITS[-1], TARGETS, label_smoothing=0.1)
    assert task_loss(LOGITS, TARGETS, LossConfig(label_smoothing=0.1)) == expected


def test_the_ponder_loss_enters_with_its_weight_where_tokens_halt() -> None:
    config = tiny_model(halting="block_time")
    output = lively_network(config)(random_images(config, 5))
    task = task_loss(output.logits, TARGETS, LossConfig())
    total = total_loss(output, TARGETS, LossConfig(), 0.1)
    assert total.item() == pytest.approx((task + 0.1 * ponder_cost(output.steps).mean()).item())
    static = lively_network(tiny_model())(random_images(config, 5))
    assert total_loss(static, TARGETS, LossConfig(), 0.1) == task_loss(
        static.logits, TARGETS, LossConfig()
    )


def test_a_teacher_takes_its_share_of_every_timesteps_loss() -> None:
    taught = torch.randn(5, 4, generator=torch.Generator().manual_seed(1))
    config = LossConfig(anytime=0.25, teacher_weight=0.75, teacher_temperature=2.0)

    def mixed(logits: torch.Tensor) -> torch.Tensor:
        answers = distillation_loss(logits, taught, 2.0)
        return 0.25 * cross_entropy(logits, TARGETS) + 0.75 * answers

    expected = 0.75 * mixed(LOGITS[-1]) + 0.25 * torch.stack([mixed(z) for z in LOGITS]).mean()
    torch.testing.assert_close(task_loss(LOGITS, TARGETS, config, taught), expected)
    own = replace(config, tet=True, anytime=0.0, tet_weight=0.0)
    each = torch.stack([mixed(z) for z in own_logits(LOGITS)]).mean()
    torch.testing.assert_close(task_loss(LOGITS, TARGETS, own, taught), each)
