"""Task losses and the total loss."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, mse_loss

from train.config import LossConfig
from train.distillation import distillation_loss
from train.loop.phase.prices import ponder_loss, true_class_probability
from train.models.network import ModelOutput


def class_loss(
    logits: Tensor, targets: Tensor, config: LossConfig, taught: Tensor | None = None
) -> Tensor:
    """Cross entropy of logits [B, N_c], mixed with the distance to a teacher's logits [B, N_c]."""
    labels = cross_entropy(logits.float(), targets, label_smoothing=config.label_smoothing)
    if taught is None:
        return labels
    answers = distillation_loss(logits, taught, config.teacher_temperature)
    return (1 - config.teacher_weight) * labels + config.teacher_weight * answers


def task_loss(
    logits: Tensor, targets: Tensor, config: LossConfig, taught: Tensor | None = None
) -> Tensor:
    """Class loss of the last running logits, or what the configuration puts in its place.

    Args:
        logits: running logits [T, B, N_c].
        targets: class numbers int64 [B], or shares of classes [B, N_c].
        config: `anytime` blends in the mean over every timestep's running logits, `tet` takes each
            timestep's own.
        taught: a teacher's logits [B, N_c]; None: there is none.
    """
    if config.tet:
        return tet_loss(own_logits(logits), targets, config, taught)
    last = class_loss(logits[-1], targets, config, taught)
    if config.anytime == 0:
        return last
    each = [class_loss(step, targets, config, taught) for step in logits]
    return (1 - config.anytime) * last + config.anytime * sum(each) / len(each)


def own_logits(running: Tensor) -> Tensor:
    """Logits of each timestep alone, [T, B, N_c], from the running ones.

    The head is affine and the running readout a mean, so FC(y_t) = t L_t - (t - 1) L_{t-1}.
    """
    times = torch.arange(1, running.shape[0] + 1, device=running.device).view(-1, 1, 1)
    sums = running.float() * times
    return torch.cat([sums[:1], sums[1:] - sums[:-1]])


def tet_loss(
    logits: Tensor, targets: Tensor, config: LossConfig, taught: Tensor | None = None
) -> Tensor:
    """(1 - lambda) mean_t CE(logits_t) + lambda MSE(logits, mean) (Deng et al. 2022, eq. 9-11)."""
    each = [class_loss(step, targets, config, taught) for step in logits]
    task = torch.stack(each).mean()
    if config.tet_weight == 0:
        return task
    distance = mse_loss(logits, torch.full_like(logits, config.tet_mean))
    return (1 - config.tet_weight) * task + config.tet_weight * distance


def total_loss(
    output: ModelOutput,
    targets: Tensor,
    config: LossConfig,
    ponder_weight: float,
    taught: Tensor | None = None,
) -> Tensor:
    """Task loss + delta_p * ponder (AT-SNN eq. 9), + the surrogate modules' task losses."""
    loss = task_loss(output.logits, targets, config, taught)
    if ponder_weight and output.steps:
        certainty = true_class_probability(output.logits[-1], targets)
        loss = loss + ponder_weight * ponder_loss(output.steps, certainty, config)
    for logits in output.surrogate_logits:
        extra = class_loss(logits, targets, config, taught)
        loss = loss + config.surrogate_modules * extra / len(output.surrogate_logits)
    return loss
