"""Every knob of a model and of a training run, as frozen dataclasses with checked values.

Read with `spikehalt.strict.build`, so that unknown keys and wrong types are refused. The model part
is stored in checkpoints and bundles.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Literal

from spikehalt.errors import ConfigError
from spikehalt.vocabulary import ARCHITECTURES as ARCHITECTURES
from spikehalt.vocabulary import Arch as Arch
from train.architectures import Architecture, architecture

HaltingMode = Literal["none", "block", "block_time"]


def require(condition: bool, message: str) -> None:
    """Raise ConfigError with `message` unless `condition` holds."""
    if not condition:
        raise ConfigError(message)


def check_epsilon(epsilon: float) -> None:
    """Refuse a halting margin outside [0, 1): from 1 on, tokens would halt before any block.

    Raises:
        ConfigError: the margin is named.
    """
    require(0 <= epsilon < 1, f"epsilon is {epsilon}, must be in [0, 1)")


@dataclass(frozen=True)
class LIFConfig:
    """Leaky integrate-and-fire neuron, u = v + (x - (v - v_reset)) / tau.

    Attributes:
        tau: membrane time constant, > 1.
        threshold: a neuron fires where u >= threshold.
        attention_threshold: threshold of the neuron after attention.
        v_reset: membrane after a spike; None is the soft reset u - threshold.
        surrogate: SpikingJelly surrogate gradient.
        surrogate_alpha: its sharpness.
    """

    tau: float = 2.0
    threshold: float = 1.0
    attention_threshold: float = 0.5
    v_reset: float | None = 0.0
    surrogate: Literal["sigmoid", "atan"] = "sigmoid"
    surrogate_alpha: float = 4.0

    def __post_init__(self) -> None:
        require(self.tau > 1, f"tau is {self.tau}, must be > 1")
        require(
            self.surrogate_alpha > 0,
            f"surrogate_alpha is {self.surrogate_alpha}, must be positive",
        )
        lowest = min(self.threshold, self.attention_threshold)
        require(lowest > (self.v_reset or 0.0), "thresholds must lie above v_reset")


@dataclass(frozen=True)
class StemConfig:
    """Spike patch splitting: four conv stages of widths D/8, D/4, D/2, D and a position embedding.

    Attributes:
        kind: `sps` iterates every LIF over the timesteps; `isps` (STAS 3.1) runs every convolution
            once and averages its LIF's spikes over T iterations of the constant current.
        pool: after which of the four stages a max-pool (3, stride 2, padding 1) follows.
        pool_position: the published Spikformer pools spikes (`after_lif`), SpikingJelly's own model
            pools currents (`before_lif`). With I-SPS both are the same function.
    """

    kind: Literal["sps", "isps"] = "isps"
    pool: tuple[bool, bool, bool, bool] = (False, False, True, True)
    pool_position: Literal["after_lif", "before_lif"] = "after_lif"


@dataclass(frozen=True)
class HaltingConfig:
    """Token halting, h = sigmoid(alpha * x[0] / size + beta) (AT-SNN 3.2, STAS 3.2).

    Attributes:
        mode: `none`; `block` accumulates over blocks only; `block_time` over blocks and timesteps.
        alpha: slope of the score in the token's first element.
        beta: offset of the score.
        epsilon: a token halts once its accumulated score reaches 1 - epsilon, in [0, 1).
    """

    mode: HaltingMode = "none"
    alpha: float = 5.0
    beta: float = -10.0
    epsilon: float = 0.01

    def __post_init__(self) -> None:
        check_epsilon(self.epsilon)


@dataclass(frozen=True)
class DropConfig:
    """Tokens dropped at fixed rates, to compare halting with; trained and evaluated, not exported.

    Attributes:
        kind: `random` drops at random, anew at every timestep (AT-SNN fig. 10); `anchor` keeps the
            tokens most like the mean token of their timestep, after STATA's timestep-wise anchors.
        keep: share of K_0 that runs in each block, never rising, the first 1.
    """

    kind: Literal["none", "random", "anchor"] = "none"
    keep: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        require((self.kind == "none") == (not self.keep), "drop.keep goes with drop.kind")
        if not self.keep:
            return
        shares = list(self.keep)
        require(shares[0] == 1 and min(shares) > 0, "drop.keep must start with 1 and stay above 0")
        require(shares == sorted(shares, reverse=True), "drop.keep must never rise")


@dataclass(frozen=True)
class ModelConfig:
    """A spiking vision transformer.

    Attributes:
        arch: name of the architecture (`train/architectures`).
        depth: number of blocks L.
        dim: embedding D, a multiple of 8 and of `heads`.
        heads: attention heads.
        mlp_ratio: hidden width of the MLP over D.
        timesteps: T.
        image_size: height and width in pixels.
        channels: 3 for colour, 1 for grey, 2 for event polarities.
        classes: number of classes N_c.
        input: `image` (uint8 pixels, the same at every timestep) or `frames` (event counts that
            really vary over time; needs the `sps` stem, STAS appendix C).
        attention_scale: factor on (q k^T) v; the published code uses 0.125 whatever the head size.
        head_lif: a neuron between readout and head, as the published Spike-driven Transformer has.
        merge_gamma: tokens merged away at the start of every block (AT-SNN algorithm 1); 0 = none.
        pixel_mean: per channel, in units of the full pixel range; one value serves all channels.
        pixel_std: likewise.
    """

    arch: Arch = "spikformer"
    depth: int = 4
    dim: int = 384
    heads: int = 12
    mlp_ratio: float = 4.0
    timesteps: int = 4
    image_size: tuple[int, int] = (32, 32)
    channels: int = 3
    classes: int = 10
    input: Literal["image", "frames"] = "image"
    attention_scale: float = 0.125
    head_lif: bool = False
    merge_gamma: int = 0
    pixel_mean: tuple[float, ...] = (0.5,)
    pixel_std: tuple[float, ...] = (0.25,)
    stem: StemConfig = field(default_factory=StemConfig)
    lif: LIFConfig = field(default_factory=LIFConfig)
    halting: HaltingConfig = field(default_factory=HaltingConfig)
    drop: DropConfig = field(default_factory=DropConfig)

    def __post_init__(self) -> None:
        for name in ("depth", "dim", "heads", "timesteps", "channels", "classes"):
            require(getattr(self, name) >= 1, f"{name} is {getattr(self, name)}, must be >= 1")
        require(min(self.image_size) >= 1, f"image_size is {self.image_size}, must be >= 1")
        require(
            self.attention_scale > 0,
            f"attention_scale is {self.attention_scale}, must be positive",
        )
        require(self.dim % 8 == 0, f"dim is {self.dim}, must be a multiple of 8 (stem widths)")
        require(
            self.dim % self.heads == 0, f"dim {self.dim} is not divisible by heads {self.heads}"
        )
        require(
            0 < self.mlp_ratio < math.inf and self.hidden >= 1,
            f"mlp_ratio is {self.mlp_ratio}, must be positive and leave the MLP at least one unit",
        )
        require(self.merge_gamma >= 0, f"merge_gamma is {self.merge_gamma}, must be >= 0")
        require(
            not (self.input == "frames" and self.stem.kind == "isps"),
            "event frames vary over time, so they need stem.kind 'sps' (STAS appendix C)",
        )
        for name in ("pixel_mean", "pixel_std"):
            count = len(getattr(self, name))
            require(
                count in (1, self.channels),
                f"{name} has {count} values, must have 1 or one per channel",
            )
        require(min(self.pixel_std) > 0, "pixel_std must be positive")
        dropping = self.drop.kind != "none"
        require(
            not (dropping and (self.halting.mode != "none" or self.merge_gamma)),
            "drop is a baseline of its own: it goes with halting.mode 'none' and merge_gamma 0",
        )
        require(
            not dropping or len(self.drop.keep) == self.depth,
            f"drop.keep has {len(self.drop.keep)} shares for {self.depth} blocks",
        )

    @property
    def architecture(self) -> Architecture:
        """What is particular to `arch`."""
        return architecture(self.arch)

    def resolution(self, stages: int) -> tuple[int, int]:
        """Height and width after so many of the stem's stages; a pool maps n to ceil(n / 2)."""
        height, width = self.image_size
        for _ in range(sum(self.stem.pool[:stages])):
            height, width = (height + 1) // 2, (width + 1) // 2
        return height, width

    @property
    def grid(self) -> tuple[int, int]:
        """Tokens vertically and horizontally."""
        return self.resolution(len(self.stem.pool))

    @property
    def tokens(self) -> int:
        """K_0, the tokens that leave the stem."""
        return self.grid[0] * self.grid[1]

    @property
    def hidden(self) -> int:
        """Hidden width of the MLP."""
        return int(self.dim * self.mlp_ratio)

    @property
    def gammas(self) -> tuple[int, ...]:
        """Tokens merged away at each block: min(gamma, floor(K / 2)) of those that arrive."""
        gammas, tokens = [], self.tokens
        for _ in range(self.depth):
            gammas.append(min(self.merge_gamma, tokens // 2))
            tokens -= gammas[-1]
        return tuple(gammas)

    @property
    def tokens_per_block(self) -> tuple[int, ...]:
        """K_l, the token slots inside each block, after its merge."""
        counts, tokens = [], self.tokens
        for gamma in self.gammas:
            tokens -= gamma
            counts.append(tokens)
        return tuple(counts)

    def static(self) -> ModelConfig:
        """The same network without halting, merging and dropping."""
        halting = replace(self.halting, mode="none")
        return replace(self, halting=halting, merge_gamma=0, drop=DropConfig())


@dataclass(frozen=True)
class AugmentConfig:
    """Augmentation of training images, on the device (Kornia).

    Attributes:
        crop_padding: pixels of zero padding before a random crop back to size.
        flip: random horizontal flips.
        rand_augment: random colour and geometry operations per image; 0 = none.
        erase: probability that a rectangle of an image is blanked.
        mixup: alpha of mixup's Beta distribution; 0 = none.
        cutmix: alpha of CutMix's Beta distribution; 0 = none.
        mixup_off_epoch: after so many epochs of the run, both phases counted, neither mixup nor
            CutMix mixes any more, as timm's option of that name; 0 = they always do.
    """

    crop_padding: int = 0
    flip: bool = False
    rand_augment: int = 0
    erase: float = 0.0
    mixup: float = 0.0
    cutmix: float = 0.0
    mixup_off_epoch: int = 0

    def __post_init__(self) -> None:
        require(self.crop_padding >= 0, f"crop_padding is {self.crop_padding}, must be >= 0")
        require(self.rand_augment >= 0, f"rand_augment is {self.rand_augment}, must be >= 0")
        require(0 <= self.erase <= 1, f"erase is {self.erase}, a probability in [0, 1]")
        for name in ("mixup", "cutmix"):
            alpha = getattr(self, name)
            require(alpha >= 0, f"{name} is {alpha}, must be >= 0 (0 = none)")
        require(
            self.mixup_off_epoch >= 0,
            f"mixup_off_epoch is {self.mixup_off_epoch}, must be >= 0 (0 = mix to the end)",
        )


DatasetName = Literal["digits", "folder", "events", "cifar", "tiny-imagenet", "huggingface"]
STREAMED: tuple[DatasetName, ...] = ("folder", "events", "tiny-imagenet")


@dataclass(frozen=True)
class DataConfig:
    """Where the images come from.

    Attributes:
        name: `digits` (ships with scikit-learn); `folder` (a folder or zip of `train/<class>/…` and
            `test/<class>/…` or `val/<class>/…`); `events` (`.npz` frames, laid out the same, or as
            SpikingJelly's converters leave them); `cifar` (an original CIFAR-10 or -100 archive);
            `tiny-imagenet` (the original zip); `huggingface` (a set of the Hugging Face hub, or one
            saved to disk).
        path: the folder, zip, archive, or name on the hub.
        validation_fraction: part of the training images held out to choose thresholds by.
        test_fraction: of each class, where the data set has no test part.
        fit: images of another size are stretched (`resize`), or scaled and cut (`crop`).
        stream: read images while training instead of holding them all on the device.
        workers: processes that read streamed images; 0 reads in the training process.
        augment: augmentation of the training images.
    """

    name: DatasetName = "digits"
    path: str = ""
    validation_fraction: float = 0.1
    test_fraction: float = 0.1
    fit: Literal["resize", "crop"] = "resize"
    stream: bool = False
    workers: int = 2
    augment: AugmentConfig = field(default_factory=AugmentConfig)

    def __post_init__(self) -> None:
        require(0 < self.validation_fraction < 1, "validation_fraction must lie between 0 and 1")
        require(0 < self.test_fraction < 1, "test_fraction must lie between 0 and 1")
        require(self.workers >= 0, "workers must be >= 0")
        require(
            self.name == "digits" or bool(self.path),
            f"data set {self.name!r} needs data.path, where to read it from",
        )
        require(
            not self.stream or self.name in STREAMED,
            f"data set {self.name!r} cannot be streamed; {', '.join(STREAMED)} can",
        )


@dataclass(frozen=True)
class PhaseConfig:
    """One phase of training, static or with halting.

    Attributes:
        epochs: passes over the training images; 0 skips the phase.
        learning_rate: peak of the cosine schedule.
        warmup_fraction: part of the phase's steps over which the rate rises linearly.
        final_fraction: of the peak, where the cosine ends.
        ponder_weight: delta_p, weight of the ponder loss; the static phase has none, so 0 there.
        timesteps: executed in the first epochs, one entry each; all T in the epochs after them.
            With a task loss on running logits (`loss.anytime`), an epoch at t = 1 teaches nearly as
            much as one at T, for a fraction of its cost.
    """

    epochs: int = 10
    learning_rate: float = 1e-3
    warmup_fraction: float = 0.1
    final_fraction: float = 0.0
    ponder_weight: float = 0.0
    timesteps: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        require(self.epochs >= 0, "epochs must be >= 0")
        require(
            len(self.timesteps) <= self.epochs or self.epochs == 0,
            f"timesteps has {len(self.timesteps)} entries for {self.epochs} epochs",
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
    """

    label_smoothing: float = 0.0
    anytime: float = 0.0
    tet: bool = False
    tet_weight: float = 0.05
    tet_mean: float = 1.0
    surrogate_modules: float = 0.0
    weight_by_time: bool = False
    silence: float = 0.0

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


@dataclass(frozen=True)
class TrainConfig:
    """A training run: static phase, then halting.

    Attributes:
        model: the network that results; the static phase trains it without halting and merging.
        data: images.
        static: first phase, mode `none`.
        halting: second phase, `model.halting` and `model.merge_gamma` in force.
        loss: task and ponder loss.
        batch_size: images per optimiser step, of all processes together.
        weight_decay: of AdamW.
        clip_norm: gradient norm clipped at this; 0 = not.
        accelerator: `auto` takes a CUDA GPU if there is one, else the CPU.
        devices: processes on this machine, one a device; under `torchrun` it decides.
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
    accelerator: Literal["auto", "cpu", "gpu"] = "auto"
    devices: int = 1
    nodes: int = 1
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    compile: bool | None = None
    seed: int = 0
    out: str = "runs/default"
    save_every_minutes: float = 5.0

    def __post_init__(self) -> None:
        require(self.batch_size >= 2, "batch_size must be >= 2 (batch normalisation)")
        require(min(self.devices, self.nodes) >= 1, "devices and nodes must be >= 1")
        require(self.weight_decay >= 0, f"weight_decay is {self.weight_decay}, must be >= 0")
        require(
            self.clip_norm >= 0, f"clip_norm is {self.clip_norm}, must be >= 0 (0 = no clipping)"
        )
        require(
            self.save_every_minutes > 0,
            f"save_every_minutes is {self.save_every_minutes}, must be positive",
        )
        require(0 <= self.seed < 2**32, f"seed is {self.seed}, must be in 0..{2**32 - 1}")
        require(
            self.static.ponder_weight == 0,
            f"static.ponder_weight is {self.static.ponder_weight}, but in the static phase no "
            "token halts and nothing is weighted by it: set halting.ponder_weight",
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
        require(
            not (frames and self.data.augment.rand_augment),
            "rand_augment changes colours, which event frames do not have",
        )
        require(
            self.halting.epochs == 0 or self.model != self.model.static(),
            "a halting phase needs model.halting.mode 'block' or 'block_time', merge_gamma or drop",
        )
