"""The state that resuming a phase needs: written, read, and refused where it is not finite.

The position (epoch, step), the weights, the optimiser and the random states decide everything after
them, so a resumed run equals an unbroken one: the order of images is drawn from the seed, the phase
and the epoch.
"""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import seed_everything
from torch import Tensor

from spikehalt.console import note
from spikehalt.strict import to_dict
from train.baselines.sml import WithSurrogateModules
from train.checkpoint import Checkpoint, random_states, restore_random_states, save_checkpoint
from train.errors import DivergedError
from train.loop.phase.phase import Phase
from train.loop.phase.schedule import derived_seed
from train.parallel.distributed import gather, rank_and_world


def last_path(phase: Phase) -> Path:
    """The resumable checkpoint."""
    return Path(phase.config.out) / "last.pt"


def save_is_due(phase: Phase) -> bool:
    """Whether the last save is `save_every_minutes` ago."""
    return time.monotonic() - phase.saved_at > 60 * phase.config.save_every_minutes


def state(phase: Phase) -> dict[str, Any]:
    """What resuming needs, as plain data and tensors; every process must call it."""
    return {
        "phase": phase.name,
        "epoch": phase.position.epoch,
        "step": phase.position.step,
        "loss_sum": float(phase.position.loss_sum),
        "batch_size": phase.config.batch_size,
        "images": len(phase.data.train),
        "history": phase.history,
        "optimizer": phase.optimizer.state_dict(),
        "surrogate_modules": _surrogates(phase),
        "average": None if phase.average is None else phase.average.state_dict(),
        "precision": phase.fabric.strategy.precision.state_dict(),
        "random": gather(random_states()),
    }


def restore(phase: Phase, saved: dict[str, Any]) -> None:
    """Continue from `state`'s result as an unbroken run would, with the current settings.

    With another batch size the position stays the same in images: a batch that was begun only in
    part is taken again.
    """
    phase.start_epoch(saved["epoch"])
    _stand(phase, saved)
    if isinstance(phase.trainee, WithSurrogateModules):
        phase.trainee.surrogates.load_state_dict(saved["surrogate_modules"])
    if phase.average is not None and saved.get("average"):
        phase.average.load_state_dict(saved["average"])
    _restore_optimizer(phase, saved["optimizer"])
    precision = phase.fabric.strategy.precision
    if saved.get("precision") and precision.state_dict():  # only fp16 has a loss scaler
        precision.load_state_dict(saved["precision"])
    phase.log.drop_after(phase.name, saved["epoch"])
    _restore_random(phase, saved["random"])


def _stand(phase: Phase, saved: dict[str, Any]) -> None:
    """Move to the saved run's place within the epoch."""
    taken, size = saved["step"], phase.config.batch_size
    step = min(taken * saved.get("batch_size", size) // size, phase.steps_per_epoch)
    phase.position.step = step
    phase.position.loss_sum += saved.get("loss_sum", 0.0) * (step / taken if taken else 1.0)
    if saved.get("images", len(phase.data.train)) != len(phase.data.train):
        note(
            f"there are {len(phase.data.train)} training images, {saved['images']} when the run "
            "was stopped: unless the data have a val part, others are held out now"
        )


def _restore_optimizer(phase: Phase, saved: dict[str, Any]) -> None:
    """Restore the moments; rates and decay are the configured ones at this point."""
    groups = phase.optimizer.param_groups
    now = [{key: group[key] for key in group if key != "params"} for group in groups]
    phase.optimizer.load_state_dict(saved)
    scheduler, done = phase.scheduler, phase.steps_done
    rates = [
        base * factor(done)
        for base, factor in zip(scheduler.base_lrs, scheduler.lr_lambdas, strict=True)
    ]
    for group, settings, rate in zip(phase.optimizer.param_groups, now, rates, strict=True):
        group.update({**settings, "lr": rate})
    scheduler.last_epoch, scheduler._last_lr = done, rates


def _surrogates(phase: Phase) -> dict[str, Tensor]:
    """Weights of surrogate modules, which are trained but not part of the network."""
    if not isinstance(phase.trainee, WithSurrogateModules):
        return {}
    return dict(phase.trainee.surrogates.state_dict())


def _restore_random(phase: Phase, saved: Any) -> None:
    """Restore each process's own states; with another number of processes, derive new ones."""
    rank, world = rank_and_world()
    by_rank = saved if isinstance(saved, list) else [saved]
    if len(by_rank) == world:
        restore_random_states(by_rank[rank])
        return
    _seed(phase, rank)


def begin(phase: Phase) -> None:
    """Begin the phase: its rows are written anew, and processes draw different augmentations."""
    phase.log.drop_after(phase.name, 0)
    rank, world = rank_and_world()
    if world > 1:
        _seed(phase, rank)


def _seed(phase: Phase, rank: int) -> None:
    at = (phase.position.epoch, phase.position.step)
    seed = derived_seed(phase.config.seed, phase.name, at, rank) % 2**32
    seed_everything(seed, verbose=False)


def checkpoint(phase: Phase, metrics: dict[str, Any], *, resumable: bool) -> Checkpoint:
    """The current checkpoint; where it is resumable, every process must call this."""
    weights = (phase.network if resumable else phase.kept).state_dict()
    return Checkpoint(
        model=phase.network.config,
        weights={name: value.detach().cpu().clone() for name, value in weights.items()},
        classes=phase.data.classes,
        phase=phase.name,
        metrics=metrics,
        run=to_dict(phase.config),
        training=state(phase) if resumable else None,
        preprocessing=phase.config.data.preprocessing,
    )


def save(phase: Phase) -> None:
    """Write last.pt, unless loss or weights are no longer finite; every process must call it.

    Raises:
        DivergedError: they are not finite; the file that is there stays.
    """
    weights = torch.stack([p.detach().abs().sum() for p in phase.network.parameters()])
    check_finite(phase, float(phase.position.loss_sum) + float(weights.sum()))
    found = checkpoint(phase, {}, resumable=True)
    if phase.fabric.is_global_zero:
        save_checkpoint(last_path(phase), found)
    phase.saved_at = time.monotonic()


def check_finite(phase: Phase, loss: float) -> None:
    """Raise DivergedError, which names the last good checkpoint, unless `loss` is finite."""
    if math.isfinite(loss):
        return
    path = last_path(phase)
    where = (
        f"loss or weights became {loss} in phase {phase.name}, epoch {phase.position.epoch + 1}, "
        f"step {phase.position.step}"
    )
    if not path.exists():
        raise DivergedError(f"{where}; none was saved. Train anew with {_gentler(phase)}")
    raise DivergedError(
        f"{where}; {path} is the last good state. Go on from there: python -m train resume {path} "
        f"{_gentler(phase)}"
    )


def _gentler(phase: Phase) -> str:
    """Options under which the phase is less likely to diverge."""
    rate = f"--{phase.name}.learning-rate {phase.settings.learning_rate / 10:g}"
    clip = phase.config.clip_norm
    norm = f", or --clip-norm {clip / 10 if clip else 1:g}"
    mixed = phase.fabric.strategy.precision.precision != "32-true"
    return rate + norm + (", or --precision fp32" if mixed else "")
