"""A training run: phases, losses, and the machine it runs on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from train.config.checks import require
from train.config.data import IMAGE_FILES, DataConfig
from train.config.model import ModelConfig

Price = Literal["one", "certainty", "budget"]
SilenceOf = Literal["spikes", "values"]


@dataclass(frozen=True)
class PhaseConfig:
    """One phase of training, static or with halting.

    Attributes:
        epochs: passes over the training images; 0 skips the phase.
        learning_rate: peak of the cosine schedule.
        warmup_fraction: part of the phase's steps over which the rate rises linearly.
        final_fraction: share of the peak rate at which the cosine ends.
        ponder_weight: delta_p, weight of the ponder loss; the static phase has none, so 0 there.
        timesteps: timesteps executed in each of the first epochs; later epochs execute all T.
            With a task loss on running logits (`loss.anytime`), an epoch at t = 1 teaches nearly as
            much as one at T, for a fraction of its cost.
        image_sizes: side in pixels to which augmented images are scaled in each of the first epochs
            (progressive resizing); later epochs use the model's own size.
    """

    epochs: int = 10
    learning_rate: float = 1e-3
    warmup_fraction: float = 0.1
    final_fraction: float = 0.0
    ponder_weight: float = 0.0
    timesteps: tuple[int, ...] = ()
    image_sizes: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        require(self.epochs >= 0, "epochs must be >= 0")
        for name in ("timesteps", "image_sizes"):
            count = len(getattr(self, name))
            require(
                count <= self.epochs or self.epochs == 0,
                f"{name} has {count} entries for {self.epochs} epochs",
            )
        require(
            all(side >= 8 for side in self.image_sizes),
            f"image_sizes are {self.image_sizes}, must be >= 8: the stem halves them repeatedly",
        )
        require(self.learning_rate > 0, "learning_rate must be positive")
        require(0 <= self.warmup_fraction <= 1, "warmup_fraction must be in [0, 1]")
        require(0 <= self.final_fraction <= 1, "final_fraction must be in [0, 1]")
        require(self.ponder_weight >= 0, f"ponder_weight is {self.ponder_weight}, must be >= 0")


@dataclass(frozen=True)
class LossConfig:
    """The task loss.

    Attributes:
        label_smoothing: of the cross entropy.
        anytime: weight of the task loss on every timestep's running logits against that on the last
            ones; makes exits at small t accurate.
        tet: temporal efficient training (Deng et al. 2022): the task loss on each timestep's own
            logits in place of their mean's.
        tet_weight: TET's lambda, weight of the squared distance of the logits to `tet_mean`.
        tet_mean: TET's target of every logit.
        surrogate_modules: weight of the task loss of small networks behind each block but the last
            (surrogate module learning, Deng et al. 2023); they exist during training only.
        weight_by_time: AT-SNN's NB weighting of the ponder loss.
        silence: weight of the share of accumulates that spikes cause (train/silence.py); makes
            neurons fire less.
        silence_of: what that share counts: `spikes`, for energy, or `values` that are not zero, for
            time on a processor.
        straight_through: width of the straight-through gradient of the blocks that a token runs; 0
            leaves the remainder's gradient alone, as the papers do.
        price: of an image's blocks in the ponder loss (train/loop/phase/prices.py): `one` for all
            (the papers'), by the network's `certainty` of the true class, or by a `budget` of
            tokens.
        price_power: of that certainty's probability.
        token_target: mean of the budgets, live tokens over all tokens.
        token_spread: the least sure image's budget lies this share above it, the surest's below.
        teacher: a network whose answers are learnt beside the labels (train/distillation.py): a
            checkpoint, or any network as a program of `torch.export` (.pt2); empty: none.
        teacher_weight: share of the task loss that its answers have, the labels have the rest.
        teacher_temperature: of both softmaxes.
    """

    label_smoothing: float = 0.0
    anytime: float = 0.0
    tet: bool = False
    tet_weight: float = 0.05
    tet_mean: float = 1.0
    surrogate_modules: float = 0.0
    weight_by_time: bool = False
    silence: float = 0.0
    silence_of: SilenceOf = "spikes"
    straight_through: float = 0.0
    price: Price = "one"
    price_power: float = 2.0
    token_target: float = 0.45
    token_spread: float = 0.5
    teacher: str = field(default="", metadata={"metavar": "PATH"})
    teacher_weight: float = 0.9
    teacher_temperature: float = 4.0

    def __post_init__(self) -> None:
        require(
            0 <= self.label_smoothing < 1,
            f"label_smoothing is {self.label_smoothing}, must be in [0, 1)",
        )
        require(0 <= self.anytime <= 1, "anytime must be in [0, 1]")
        require(not (self.tet and self.anytime), "tet and anytime are two ways to do one thing")
        require(0 <= self.tet_weight <= 1, "tet_weight must be in [0, 1]")
        require(self.surrogate_modules >= 0, "surrogate_modules must be >= 0")
        require(self.silence >= 0, "silence must be >= 0")
        require(self.straight_through >= 0, "straight_through must be >= 0")
        require(self.price_power > 0, f"price_power is {self.price_power}, must be positive")
        require(
            0 < self.token_target <= 1, f"token_target is {self.token_target}, must be in (0, 1]"
        )
        require(
            0 <= self.token_spread <= 1, f"token_spread is {self.token_spread}, must be in [0, 1]"
        )
        require(
            0 < self.teacher_weight <= 1,
            f"teacher_weight is {self.teacher_weight}, must be in (0, 1]; without a teacher leave "
            "loss.teacher empty",
        )
        require(
            self.teacher_temperature > 0,
            f"teacher_temperature is {self.teacher_temperature}, must be positive",
        )


@dataclass(frozen=True)
class TrainConfig:
    """A training run: static phase, then halting.

    Attributes:
        model: the network that results; the static phase trains it without halting and merging.
        data: images.
        static: first phase, mode `none`.
        halting: second phase, `model.halting` and merging in force.
        loss: task and ponder loss.
        batch_size: images per optimiser step, of all processes together.
        weight_decay: of AdamW.
        clip_norm: largest norm of the gradient; larger ones are scaled down; 0 = no clipping.
        ema_decay: the weights and statistics that are evaluated and kept are an exponential moving
            average over the steps of a phase, in which each step keeps this share of the old (at
            the beginning less); 0: they are the last step's.
        accelerator: `auto` takes a CUDA GPU if there is one, else the CPU.
        devices: processes on this machine, one per device; under `torchrun`, that decides.
        nodes: machines.
        precision: `auto` takes bf16 where the device multiplies it natively, else float32.
        compile: compile the neurons' loops (needs a C++ compiler on CPU, Triton on a GPU); None: on
            a GPU, where they compile.
        seed: of everything random.
        out: folder for checkpoints and the log.
        save_every_minutes: a resumable checkpoint at least this often; > 0.
    """

    model: ModelConfig = field(default_factory=ModelConfig)
    data: DataConfig = field(default_factory=DataConfig)
    static: PhaseConfig = field(default_factory=PhaseConfig)
    halting: PhaseConfig = field(default_factory=lambda: PhaseConfig(epochs=0, ponder_weight=1e-3))
    loss: LossConfig = field(default_factory=LossConfig)
    batch_size: int = 64
    weight_decay: float = 0.01
    clip_norm: float = 1.0
    ema_decay: float = 0.0
    accelerator: Literal["auto", "cpu", "gpu"] = "auto"
    devices: int = 1
    nodes: int = 1
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    compile: bool | None = None
    seed: int = 0
    out: str = field(default="runs/default", metadata={"metavar": "DIR"})
    save_every_minutes: float = 5.0

    def __post_init__(self) -> None:
        require(self.batch_size >= 2, "batch_size must be >= 2 (batch normalisation)")
        require(min(self.devices, self.nodes) >= 1, "devices and nodes must be >= 1")
        require(self.weight_decay >= 0, f"weight_decay is {self.weight_decay}, must be >= 0")
        require(
            self.clip_norm >= 0, f"clip_norm is {self.clip_norm}, must be >= 0 (0 = no clipping)"
        )
        require(
            0 <= self.ema_decay < 1, f"ema_decay is {self.ema_decay}, must be in [0, 1); 0 = off"
        )
        require(
            self.save_every_minutes > 0,
            f"save_every_minutes is {self.save_every_minutes}, must be positive",
        )
        require(0 <= self.seed < 2**32, f"seed is {self.seed}, must be in 0..{2**32 - 1}")
        require(
            self.static.ponder_weight == 0,
            f"static.ponder_weight is {self.static.ponder_weight}, but in the static phase no "
            "token halts, so the weight has no effect: set halting.ponder_weight",
        )
        for name in ("static", "halting"):
            require(
                all(1 <= t <= self.model.timesteps for t in getattr(self, name).timesteps),
                f"{name}.timesteps must lie in 1..{self.model.timesteps}, the model's timesteps",
            )
        frames = self.data.name == "events"
        require(
            frames == (self.model.input == "frames"),
            f"data {self.data.name!r} and model.input {self.model.input!r} do not fit together",
        )
        self._check_images()
        require(
            self.model.halting.score == "element",
            "halting.score 'forecast' is not trained: train a static network (halting.mode 'none') "
            "and fit the forecasts to it with `spikehalt adapt`",
        )
        require(
            self.halting.epochs == 0 or self.model != self.model.static(),
            "a halting phase needs model.halting.mode 'block' or 'block_time', merge_gamma, "
            "merge_threshold or drop",
        )

    def _check_images(self) -> None:
        """Refuse what can only fail once images are there."""
        data, augment, channels = self.data, self.data.augment, self.model.channels
        require(
            self.model.input == "image" or not self.static.image_sizes + self.halting.image_sizes,
            "image_sizes scales pixels; event frames keep their size",
        )
        require(
            not self.halting.image_sizes or self.model.merge_gamma == 0,
            "merge_gamma counts tokens of the model's own image size: leave image_sizes out",
        )
        colours = self.model.input == "image" and channels == 3
        require(
            colours or not augment.rand_augment,
            "rand_augment changes colours, which event frames and images of other than 3 channels "
            f"do not have (model.channels is {channels}): set data.augment.rand_augment=0",
        )
        require(
            data.name not in IMAGE_FILES or channels <= 4,
            "image files have 1 to 4 channels (grey, grey and alpha, RGB, RGB and alpha), "
            f"model.channels is {channels}",
        )
        require(
            data.channel_order == "rgb" or (self.model.input == "image" and channels >= 3),
            f"data.channel_order {data.channel_order!r} needs colour images, and model.channels is "
            f"{channels}",
        )
        require(
            self.model.classes > 1 or not (augment.mixup or augment.cutmix),
            "mixup and cutmix mix classes, and the model has only one: set both to 0",
        )
        require(
            augment.crop_padding <= min(self.model.image_size),
            f"data.augment.crop_padding {augment.crop_padding} is larger than the images, "
            f"{list(self.model.image_size)} pixels: a crop could miss the image",
        )
