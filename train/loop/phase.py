"""A phase of training under way, and what resuming it needs.

The position (epoch, step), the weights, the optimiser and the random states decide everything after
them, so a resumed run equals an unbroken one: the order of images is drawn from the seed, the phase
and the epoch.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric, seed_everything
from torch import Tensor

from spikehalt.strict import to_dict
from train.baselines.sml import WithSurrogateModules
from train.checkpoint import (
    Checkpoint,
    random_states,
    restore_random_states,
    save_checkpoint,
)
from train.config import PhaseConfig, TrainConfig
from train.data import Dataset, Split
from train.data.augment import Mixer, augmenter, mixer
from train.errors import DivergedError
from train.loop.interrupt import Interrupt
from train.loop.log import CsvLog
from train.loop.schedule import cosine_with_warmup, derived_seed, parameter_groups, shuffled
from train.models import SpikingTransformer
from train.parallel.distributed import gather, rank_and_world


@dataclass
class Position:
    """Where a phase stands: epochs done, steps done in the current one, and their summed loss."""

    epoch: int
    step: int
    loss_sum: Tensor


@dataclass
class Phase:
    """A phase under way: everything that a step touches.

    Attributes:
        name: `static` or `halting`.
        settings: its epochs, rates and ponder weight.
        config: the whole run.
        fabric: device, precision, gradients across processes.
        network: the network that the phase trains.
        data: the images.
        log: rows of figures.
        interrupt: set by Ctrl-C.
    """

    name: str
    settings: PhaseConfig
    config: TrainConfig
    fabric: Fabric
    network: SpikingTransformer
    data: Dataset
    log: CsvLog
    interrupt: Interrupt
    saved_at: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        rate, decay = self.settings.learning_rate, self.config.weight_decay
        self.trainee: torch.nn.Module = self.network
        if self.config.loss.surrogate_modules:
            self.trainee = WithSurrogateModules(self.network).to(self.fabric.device)
        optimizer = torch.optim.AdamW(parameter_groups(self.trainee, decay), lr=rate)
        schedule = cosine_with_warmup(
            self.total_steps, self.settings.warmup_fraction, self.settings.final_fraction
        )
        self.scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, schedule)
        self.model, self.optimizer = self.fabric.setup(self.trainee, optimizer)
        self.augment = augmenter(self.config.data.augment, self.config.model.image_size)
        self.mixer = mixer(self.config.data.augment, len(self.data.classes))
        self.start_epoch(0)

    @property
    def steps_per_epoch(self) -> int:
        """Optimiser steps in an epoch; the last, incomplete batch is left out."""
        return max(1, len(self.data.train) // self.config.batch_size)

    @property
    def total_steps(self) -> int:
        """Optimiser steps in the phase."""
        return self.settings.epochs * self.steps_per_epoch

    @property
    def steps_done(self) -> int:
        """Optimiser steps taken in the phase."""
        return self.position.epoch * self.steps_per_epoch + self.position.step

    @property
    def timesteps(self) -> int:
        """Timesteps that the current epoch executes."""
        return self.timesteps_of_epochs[self.position.epoch]

    @property
    def timesteps_of_epochs(self) -> tuple[int, ...]:
        """Timesteps that each epoch executes."""
        fewer = self.settings.timesteps
        all_of_them = (self.config.model.timesteps,)
        return fewer + all_of_them * (self.settings.epochs - len(fewer))

    @property
    def mix(self) -> Mixer | None:
        """Mixup and CutMix of the current epoch; None where neither is configured, or off by now.

        The halting phase goes on counting where the static one ends, also when it starts from that
        one's weights.
        """
        off = self.config.data.augment.mixup_off_epoch
        before = self.config.static.epochs if self.name == "halting" else 0
        return None if off and before + self.position.epoch >= off else self.mixer

    @property
    def last_path(self) -> Path:
        """The resumable checkpoint."""
        return Path(self.config.out) / "last.pt"

    @property
    def save_due(self) -> bool:
        """Whether the last save is `save_every_minutes` ago."""
        return time.monotonic() - self.saved_at > 60 * self.config.save_every_minutes

    def start_epoch(self, epoch: int) -> None:
        """Stand at the beginning of `epoch`."""
        zero = torch.zeros((), dtype=torch.float64, device=self.fabric.device)
        self.position = Position(epoch, 0, zero)

    def batches(self) -> Iterator[Split]:
        """This process's share of the batches that the current epoch still has to do."""
        rank, world = rank_and_world()
        count, size = len(self.data.train), self.config.batch_size
        order = shuffled(count, self.config.seed, self.name, self.position.epoch)
        steps = range(self.position.step, self.steps_per_epoch)
        rows = [order[step * size : (step + 1) * size][rank::world] for step in steps]
        return self.data.train.batches(rows)

    def state(self) -> dict[str, Any]:
        """What resuming needs, as plain data and tensors; every process must call it."""
        return {
            "phase": self.name,
            "epoch": self.position.epoch,
            "step": self.position.step,
            "loss_sum": float(self.position.loss_sum),
            "optimizer": self.optimizer.state_dict(),
            "scheduler": self.scheduler.state_dict(),
            "surrogate_modules": self._surrogates(),
            "precision": self.fabric.strategy.precision.state_dict(),
            "random": gather(random_states()),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from `state`, as an unbroken run would."""
        self.start_epoch(state["epoch"])
        self.position.step = state["step"]
        self.position.loss_sum += state.get("loss_sum", 0.0)
        if isinstance(self.trainee, WithSurrogateModules):
            self.trainee.surrogates.load_state_dict(state["surrogate_modules"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.scheduler.load_state_dict(state["scheduler"])
        self.fabric.strategy.precision.load_state_dict(state.get("precision", {}))
        self.log.drop_after(self.name, state["epoch"])
        self._restore_random(state["random"])

    def _surrogates(self) -> dict[str, Tensor]:
        """Weights that train along and are not the network's."""
        if not isinstance(self.trainee, WithSurrogateModules):
            return {}
        return dict(self.trainee.surrogates.state_dict())

    def _restore_random(self, saved: Any) -> None:
        """Each process's own states, or, in another number of processes, fresh derived ones."""
        rank, world = rank_and_world()
        by_rank = saved if isinstance(saved, list) else [saved]
        if len(by_rank) == world:
            restore_random_states(by_rank[rank])
            return
        self._seed(rank)

    def draw_apart(self) -> None:
        """Let several processes draw different augmentations."""
        rank, world = rank_and_world()
        if world > 1:
            self._seed(rank)

    def _seed(self, rank: int) -> None:
        at = (self.position.epoch, self.position.step)
        seed_everything(derived_seed(self.config.seed, self.name, at, rank) % 2**32, verbose=False)

    def checkpoint(self, metrics: dict[str, Any], *, resumable: bool) -> Checkpoint:
        """The checkpoint of this moment."""
        return Checkpoint(
            model=self.network.config,
            weights={k: v.detach().cpu().clone() for k, v in self.network.state_dict().items()},
            classes=self.data.classes,
            phase=self.name,
            metrics=metrics,
            run=to_dict(self.config),
            training=self.state() if resumable else None,
        )

    def save(self) -> None:
        """Write last.pt, unless loss or weights are no longer finite; every process must call it.

        Raises:
            DivergedError: they are not finite; the file that is there stays.
        """
        weights = torch.stack([p.detach().abs().sum() for p in self.network.parameters()])
        self.check_finite(float(self.position.loss_sum) + float(weights.sum()))
        checkpoint = self.checkpoint({}, resumable=True)
        if self.fabric.is_global_zero:
            save_checkpoint(self.last_path, checkpoint)
        self.saved_at = time.monotonic()

    def check_finite(self, loss: float) -> None:
        """Raise DivergedError, which names the last good checkpoint, unless `loss` is finite."""
        if math.isfinite(loss):
            return
        path = self.last_path
        kept = f"{path} is the last good state" if path.exists() else "none was saved"
        raise DivergedError(
            f"loss or weights became {loss} in phase {self.name}, epoch {self.position.epoch + 1}, "
            f"step {self.position.step}; {kept}. Lower learning_rate or clip_norm, or use fp32"
        )
