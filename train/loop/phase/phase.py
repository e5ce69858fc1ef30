"""A phase of training under way: what a step touches, and where it stands."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from train.baselines.sml import WithSurrogateModules
from train.config import PhaseConfig, TrainConfig
from train.data import Dataset, Split
from train.data.augment import Mixer, augmenter, mixer
from train.loop.phase.interrupt import Interrupt
from train.loop.phase.schedule import cosine_with_warmup, parameter_groups, shuffled
from train.loop.reports.log import CsvLog
from train.loop.teacher import Teacher
from train.models import SpikingTransformer
from train.parallel.distributed import rank_and_world


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
        teacher: whose answers are learnt beside the labels; None: there is none.
        history: where the run was continued with other settings (`train.loop.starting.history`).
    """

    name: str
    settings: PhaseConfig
    config: TrainConfig
    fabric: Fabric
    network: SpikingTransformer
    data: Dataset
    log: CsvLog
    interrupt: Interrupt
    teacher: Teacher | None = None
    history: list[dict[str, Any]] = field(default_factory=list)
    saved_at: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        rate, decay = self.settings.learning_rate, self.config.weight_decay
        # Weights and batch normalisation's statistics.
        averages = self.config.ema_decay > 0
        self.average = AveragedModel(self.network, use_buffers=True) if averages else None
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
    def kept(self) -> SpikingTransformer:
        """The network that is evaluated and kept: the average over steps, where there is one."""
        if self.average is None:
            return self.network
        assert isinstance(self.average.module, SpikingTransformer)
        return self.average.module

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
    def image_side(self) -> int | None:
        """Pixels of a side of the current epoch's images; None: the model's own size."""
        sides = self.settings.image_sizes
        return sides[self.position.epoch] if self.position.epoch < len(sides) else None

    @property
    def mix(self) -> Mixer | None:
        """Mixup and CutMix of the current epoch; None where neither is configured, or off by now.

        The halting phase goes on counting where the static one ends, also when it starts from that
        one's weights.
        """
        off = self.config.data.augment.mixup_off_epoch
        before = self.config.static.epochs if self.name == "halting" else 0
        return None if off and before + self.position.epoch >= off else self.mixer

    def advance_average(self) -> None:
        """Take the weights of the step that was just done into the average, where there is one.

        Early steps, which know least, are soon forgotten: the decay is at most (1 + n) / (10 + n)
        after n steps.
        """
        if self.average is None:
            return
        done = self.steps_done
        decay = min(self.config.ema_decay, (1 + done) / (10 + done))
        self.average.multi_avg_fn = get_ema_multi_avg_fn(decay)
        self.average.update_parameters(self.network)

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
