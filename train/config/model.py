"""A network: its neurons, stem and blocks. Stored in checkpoints and bundles."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Literal

from spikehalt.vocabulary import Arch, InputKind, StemKind
from train.architectures import Architecture, architecture
from train.architectures.stages import StageConv, gates, sizes
from train.config.checks import check_merge_threshold, require
from train.config.tokens import DropConfig, HaltingConfig

# Larger than any network that is built; a damaged file may name more than memory holds.
MOST, MOST_CLASSES = 2**14, 2**17


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
        levels: D of architectures whose neurons give integers (E-SpikeFormer); of all the above
            only this counts there.
    """

    tau: float = 2.0
    threshold: float = 1.0
    attention_threshold: float = 0.5
    v_reset: float | None = 0.0
    surrogate: Literal["sigmoid", "atan"] = "sigmoid"
    surrogate_alpha: float = 4.0
    levels: int = 4

    def __post_init__(self) -> None:
        require(self.tau > 1, f"tau is {self.tau}, must be > 1")
        require(
            self.surrogate_alpha > 0,
            f"surrogate_alpha is {self.surrogate_alpha}, must be positive",
        )
        require(1 <= self.levels <= 127, f"levels is {self.levels}, must be in 1..127")
        lowest = min(self.threshold, self.attention_threshold)
        require(lowest > (self.v_reset or 0.0), "thresholds must lie above v_reset")


@dataclass(frozen=True)
class StemConfig:
    """Spike patch splitting: four conv stages of widths D/8, D/4, D/2, D and a position embedding.

    Attributes:
        kind: `sps` iterates every LIF over the timesteps; `isps` (STAS 3.1) runs every convolution
            once and averages its LIF's spikes over T iterations of the constant current.
        pool: after which of the four stages a max-pool (3, stride 2, padding 1) follows.
        form: of architectures that have stages in the stem's place (Max-Former, QKFormer), which;
            `kind` is then `sps`, and pools are the form's.
        pool_position: the published Spikformer pools spikes (`after_lif`), SpikingJelly's own model
            pools currents (`before_lif`). With I-SPS both are the same function.
    """

    kind: StemKind = "isps"
    pool: tuple[bool, bool, bool, bool] = (False, False, True, True)
    pool_position: Literal["after_lif", "before_lif"] = "after_lif"
    form: Literal["imagenet", "cifar", "events"] = "imagenet"


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
        spread_attention: k and v are max-pooled over each token's 3 x 3 neighbours, their product
            and the masked q over 3 tokens in row and 3 channels of a head (all with stride 1), as
            the published Spike-driven Transformer does for CIFAR10-DVS; without halting and
            merging, since neighbours are those of the whole grid.
        head_lif: a neuron between readout and head, as the published Spike-driven Transformer has.
        head_readout: with `head_lif`, the head sees the readout too, beside its spikes.
        linear_first: blocks begin with x += W LIF(x), as E-SpikeFormer's of width 512.
        merge_gamma: tokens merged away at the start of every block (AT-SNN algorithm 1); 0 = none.
        merge_threshold: instead, tokens merge there while the cosine with their partner is at least
            this, in (0, 1]; 0 = none.
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
    input: InputKind = "image"
    attention_scale: float = 0.125
    spread_attention: bool = False
    head_lif: bool = False
    head_readout: bool = False
    linear_first: bool = False
    merge_gamma: int = 0
    merge_threshold: float = 0.0
    pixel_mean: tuple[float, ...] = (0.5,)
    pixel_std: tuple[float, ...] = (0.25,)
    stem: StemConfig = field(default_factory=StemConfig)
    lif: LIFConfig = field(default_factory=LIFConfig)
    halting: HaltingConfig = field(default_factory=HaltingConfig)
    drop: DropConfig = field(default_factory=DropConfig)

    def __post_init__(self) -> None:
        for name in ("depth", "dim", "heads", "timesteps", "channels", "classes"):
            value, most = getattr(self, name), MOST_CLASSES if name == "classes" else MOST
            require(1 <= value <= most, f"{name} is {value}, must be in 1..{most:,}")
        require(
            min(self.image_size) >= 1 and max(self.image_size) <= MOST,
            f"image_size is {self.image_size}, must be in 1..{MOST:,}",
        )
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
        self._check_merging()
        require(
            not (self.input == "frames" and self.stem.kind == "isps"),
            "event frames vary over time, so they need stem.kind 'sps' (STAS appendix C)",
        )
        self._check_stages()
        for name in ("pixel_mean", "pixel_std"):
            count = len(getattr(self, name))
            require(
                count in (1, self.channels),
                f"{name} has {count} values, must have 1 or one per channel",
            )
        require(min(self.pixel_std) > 0, "pixel_std must be positive")
        reduces = self.halting.mode != "none" or self.merges or self.drop.kind != "none"
        require(
            not self.spread_attention or (self.architecture.attention.spreads and not reduces),
            "spread_attention is the Spike-driven Transformer's, and goes with halting.mode "
            "'none', merge_gamma 0, merge_threshold 0 and no drop: neighbours are those of the "
            "whole grid of tokens",
        )
        self._check_forecasts()
        dropping = self.drop.kind != "none"
        require(
            not (dropping and (self.halting.mode != "none" or self.merges)),
            "drop is a baseline of its own: it goes with halting.mode 'none', merge_gamma 0 and "
            "merge_threshold 0",
        )
        require(
            not dropping or len(self.drop.keep) == self.depth,
            f"drop.keep has {len(self.drop.keep)} shares for {self.depth} blocks",
        )

    def _check_merging(self) -> None:
        require(self.merge_gamma >= 0, f"merge_gamma is {self.merge_gamma}, must be >= 0")
        check_merge_threshold(self.merge_threshold)
        require(
            not (self.merge_gamma and self.merge_threshold),
            f"merge_gamma {self.merge_gamma} and merge_threshold {self.merge_threshold:g} are two "
            "ways to choose what merges: set one of them to 0",
        )

    def _check_forecasts(self) -> None:
        forecasts = self.halting.score == "forecast"
        require(
            not (forecasts and self.merges),
            "halting.score 'forecast' goes with merge_gamma 0 and merge_threshold 0: it forecasts "
            "tokens one by one",
        )
        require(
            not forecasts or self.depth > 1,
            "halting.score 'forecast' needs at least two blocks: a token halts behind one of them "
            "and leaves out those after it",
        )

    def _check_stages(self) -> None:
        forms = self.architecture.forms
        require(
            not self.architecture.integer or self.timesteps == 1,
            f"{self.arch} keeps no membranes, so there is one timestep: set timesteps to 1",
        )
        require(
            not self.linear_first or self.architecture.lif_first,
            f"linear_first goes with currents, and {self.arch} adds spikes",
        )
        require(
            self.head_lif or not self.head_readout,
            "head_readout is what the head sees beside the spikes of head_lif: set that too",
        )
        if not forms:
            return
        require(
            self.stem.form in forms,
            f"{self.arch} has no form {self.stem.form!r}, it has {', '.join(forms)}",
        )
        form = forms[self.stem.form]
        require(
            self.stem.kind == "sps",
            f"{self.arch} has stages of its own in the stem's place, so it needs stem.kind 'sps'",
        )
        require(
            self.dim % form.divides == 0,
            f"dim is {self.dim}, must be a multiple of {form.divides} (widths of the stages)",
        )
        for index in gates(self.stages):
            width = self.stages[index].width
            require(
                width % self.heads == 0,
                f"a stage of width {width} is not divisible by heads {self.heads}",
            )

    @property
    def name(self) -> str:
        """As papers call it: architecture, blocks, embedding."""
        form = self.architecture.forms.get(self.stem.form)
        return f"{self.arch}-{self.depth + (form.blocks if form else 0)}-{self.dim}"

    @property
    def stages(self) -> tuple[StageConv, ...]:
        """Convolutions of the stages in the stem's place; empty where it is patch splitting."""
        form = self.architecture.forms.get(self.stem.form)
        return form.convs(self.dim, self.mlp_ratio) if form else ()

    @property
    def head_width(self) -> int:
        """What the head sees of an image."""
        return self.dim * (1 + self.head_readout)

    @property
    def adds_square_mlp(self) -> bool:
        """See `Architecture.adds_square_mlp`."""
        return self.architecture.adds_square_mlp and self.hidden == self.dim

    @property
    def architecture(self) -> Architecture:
        """What is particular to `arch`."""
        return architecture(self.arch)

    def resolution(self, stage: int) -> tuple[int, int]:
        """Height and width that convolution `stage` of the stem computes, from 0."""
        if self.stages:
            return sizes(self.stages, self.image_size)[0][stage]
        height, width = self.image_size
        for _ in range(sum(self.stem.pool[:stage])):
            height, width = (height + 1) // 2, (width + 1) // 2
        return height, width

    @property
    def grid(self) -> tuple[int, int]:
        """Tokens vertically and horizontally."""
        if self.stages:
            return sizes(self.stages, self.image_size)[1][-1]
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
    def merges(self) -> bool:
        """Whether tokens merge at all."""
        return self.merge_gamma > 0 or self.merge_threshold > 0

    @property
    def merging(self) -> tuple[bool, ...]:
        """Whether tokens merge at the start of each block; one alone has no partner."""
        similar = self.merge_threshold > 0 and self.tokens > 1
        return tuple(similar or gamma > 0 for gamma in self.gammas)

    @property
    def most_merged(self) -> tuple[int, ...]:
        """How many tokens can merge into one at each block."""
        if self.merge_threshold:
            return tuple((self.tokens + 1) // 2 * merges for merges in self.merging)
        return self.gammas

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
        """K_l, the token slots inside each block, after its merge; with a threshold all stay."""
        counts, tokens = [], self.tokens
        for gamma in self.gammas:
            tokens -= gamma
            counts.append(tokens)
        return tuple(counts)

    @property
    def halting_macs(self) -> tuple[int, int]:
        """Multiply-accumulates of halting: of a live token in a block, and of a timestep.

        A token's score (one; with forecasts D), two additions and its share of the readout (D, STAS
        appendix A); per timestep the forecasts, D * D behind every block but the last.
        """
        if self.halting.mode == "none":
            return 0, 0
        if self.halting.score == "element":
            return self.dim + 3, 0
        return 2 * self.dim + 2, (self.depth - 1) * self.dim**2

    def static(self) -> ModelConfig:
        """The same network without halting, merging and dropping."""
        halting = replace(self.halting, mode="none", score="element")
        return replace(self, halting=halting, merge_gamma=0, merge_threshold=0.0, drop=DropConfig())

    def merged_at(self, threshold: float) -> ModelConfig:
        """The same network, merging while the cosine is at least `threshold`; 0 merges none."""
        return replace(self, merge_gamma=0, merge_threshold=threshold)
