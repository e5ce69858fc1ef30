"""Early exit over timesteps, evaluated on what a network said at every timestep (design section 4).

The policies: `spikehalt.exits`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from spikehalt.errors import ConfigError
from spikehalt.exits import POLICIES, ExitPolicy, PolicyName
from train.config.checks import check_max_drop
from train.data.bar import reading_bar
from train.data.base import ImageSource, Split
from train.models.network import SpikingTransformer
from train.parallel.devices import exact_float32
from train.parallel.distributed import gather, rank_and_world


@dataclass(frozen=True)
class Trace:
    """What a network says about every image of a split; on the CPU.

    Attributes:
        correct: whether the running logits' best class is right, bool [T, N].
        halting: halting score, float32 [T, N].
        entropy: of softmax(logits) over log N_c, in [0, 1], float32 [T, N].
        confidence: largest probability, float32 [T, N].
        live_tokens: per block and timestep, float32 [N, T, L].
        tokens: K_0.
    """

    correct: Tensor
    halting: Tensor
    entropy: Tensor
    confidence: Tensor
    live_tokens: Tensor
    tokens: int


@dataclass(frozen=True)
class ExitPoint:
    """A policy at one threshold, over a split.

    Attributes:
        policy: which.
        threshold: at which; at `ExitPolicy.unreachable` no image leaves early.
        accuracy: of the logits at each image's exit.
        average_timesteps: executed timesteps per image.
        average_tokens: live tokens over K_0, averaged over blocks, executed timesteps and images.
    """

    policy: PolicyName
    threshold: float
    accuracy: float
    average_timesteps: float
    average_tokens: float


@torch.no_grad()
@exact_float32()
def record(
    model: SpikingTransformer,
    split: ImageSource,
    *,
    batch_size: int = 256,
    epsilon: float | None = None,
) -> Trace:
    """Run every image through all timesteps; several processes share the images.

    Args:
        model: put into evaluation mode for the pass.
        split: images and labels.
        batch_size: images per pass.
        epsilon: overrides the configured halting margin (STAS^epsilon).
    """
    was_training = model.training
    model.eval()
    rank, world = rank_and_world()
    rows = torch.arange(rank, len(split), world).split(batch_size)
    with reading_bar(split.batches(rows), len(rows), "evaluating") as batches:
        parts = [_said(model, batch, epsilon) for batch in batches]
    model.train(was_training)
    mine = [torch.cat(column, 1) for column in zip(*parts, strict=True)]
    everyone = [torch.cat(column, 1) for column in zip(*gather(mine), strict=True)]
    correct, halting, entropy, confidence, live = everyone
    return Trace(
        correct.bool(), halting, entropy, confidence, live.transpose(0, 1), model.config.tokens
    )


def _said(model: SpikingTransformer, batch: Split, epsilon: float | None) -> list[Tensor]:
    """The fields of a Trace for one batch, time first."""
    output = model(batch.images, epsilon)
    probability = output.logits.double().softmax(-1)
    correct = output.logits.argmax(-1) == batch.labels
    live = torch.stack([live.sum(-1) for live in output.live], -1)  # [T, B, L]
    columns = (
        correct,
        output.halt_score,
        normalised_entropy(probability),
        probability.amax(-1),
        live,
    )
    return [column.float().cpu() for column in columns]


def normalised_entropy(probability: Tensor) -> Tensor:
    """-sum p log p / log N_c over the last axis, in [0, 1]; 0 where there is only one class.

    Computed in float64; rounded to float32 it is the value that the runtime compares with a
    threshold.
    """
    classes = probability.shape[-1]
    if classes == 1:
        return torch.zeros_like(probability[..., 0])
    entropy: Tensor = torch.special.entr(probability).sum(-1)
    return (entropy / math.log(classes)).clamp(0, 1)


def exit_steps(trace: Trace, policy: PolicyName, threshold: float) -> Tensor:
    """Executed timesteps of each image, int64 [N] in 1..T.

    Raises:
        ConfigError: no such policy.
    """
    rule = _rule(policy)
    if not rule.has_threshold:
        return torch.full(trace.correct.shape[1:], trace.correct.shape[0])
    leaves: Tensor = rule.passes(rule.score(trace), threshold)
    leaves[-1] = True
    first: Tensor = leaves.int().argmax(0)
    return first + 1


def _rule(policy: str) -> ExitPolicy:
    if policy not in POLICIES:
        raise ConfigError(f"no exit policy {policy!r}; there are {', '.join(POLICIES)}")
    return POLICIES[policy]


def exit_point(trace: Trace, policy: PolicyName, threshold: float = 0.0) -> ExitPoint:
    """Accuracy, timesteps and tokens of a policy at a threshold."""
    steps = exit_steps(trace, policy, threshold)
    correct = trace.correct.gather(0, (steps - 1).unsqueeze(0)).float().mean()
    times = torch.arange(1, trace.correct.shape[0] + 1)
    ran = (times <= steps.unsqueeze(-1)).float()  # [N, T]
    tokens = (trace.live_tokens.mean(-1) * ran).sum(-1) / steps / trace.tokens
    return ExitPoint(
        policy, threshold, float(correct), float(steps.double().mean()), float(tokens.mean())
    )


def candidate_thresholds(trace: Trace, policy: PolicyName, count: int = 50) -> list[float]:
    """Thresholds at the quantiles of the policy's score: from no exit to exit after t = 1."""
    rule = _rule(policy)
    if not rule.has_threshold:
        return [rule.unreachable]
    score: Tensor = rule.score(trace).double()
    quantiles = torch.linspace(0, 1, count, dtype=torch.float64)
    return sorted(set(torch.quantile(score.flatten()[:10_000_000], quantiles).tolist()))


def fewest_timesteps(trace: Trace, policy: PolicyName, max_drop: float) -> ExitPoint:
    """The threshold with the fewest timesteps that loses at most `max_drop` of accuracy.

    Choose it on validation images and report it on others. Where every exit costs more than
    `max_drop`, it is the policy's `unreachable` one, at which all timesteps of any split run.

    Raises:
        ConfigError: `max_drop` is negative or no number.
    """
    check_max_drop(max_drop)
    full = exit_point(trace, policy, _rule(policy).unreachable)
    points = [exit_point(trace, policy, t) for t in candidate_thresholds(trace, policy)]
    allowed = [point for point in points if point.accuracy >= full.accuracy - max_drop]
    return min([*allowed, full], key=lambda point: point.average_timesteps)
