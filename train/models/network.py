"""The network: stem, blocks with halting and merging between them, linear head.

All timesteps of a block run together: block l at timestep t depends on other timesteps only through
the neurons' membranes and the halting history, both of which are running sums over t.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn

from train import halting, merging
from train.config import ModelConfig
from train.models.blocks import Block
from train.models.forecasts import Forecasts
from train.models.neurons import LIF, firing
from train.models.stages import Stages
from train.models.stem import Stem


class ModelOutput(NamedTuple):
    """What a forward pass yields.

    Attributes:
        logits: after each timestep, FC(1/t sum_{t' <= t} y_t'), [T, B, N_c]; the last is f(x). With
            `head_lif`, FC sees the spikes of a neuron on y_t.
        steps: the halting decision per block, empty in mode `none`.
        halt_score: mean_k C(L, t) [T, B]; zeros in mode `none`.
        live: tokens that ran in each block, [T, B, K_l] per block.
        readouts: y_t [T, B, D].
        moved: per merging block, the slot that each earlier slot went to, int64 [T, B, K]; -1 where
            the token disappeared.
        surrogate_logits: of surrogate modules [B, N_c] each; none but in training with them.
    """

    logits: Tensor
    steps: list[halting.HaltStep]
    halt_score: Tensor
    live: list[Tensor]
    readouts: Tensor
    moved: Sequence[Tensor] = ()
    surrogate_logits: Sequence[Tensor] = ()


class Tokens(NamedTuple):
    """Tokens between blocks: x [1 or T, B, K, D]; size, cum, live [1 or T, B, K]."""

    x: Tensor
    size: Tensor
    cum: Tensor
    live: Tensor


class SpikingTransformer(nn.Module):
    """A spiking transformer (`train/architectures`) with halting and merging.

    Args:
        config: the model's configuration; nothing else decides what is computed.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.running_timesteps = config.timesteps
        self.stem = Stages(config) if config.stages else Stem(config)
        self.blocks = nn.ModuleList([Block(config) for _ in range(config.depth)])
        self.forecasts = Forecasts(config) if config.halting.score == "forecast" else None
        if config.head_lif:
            self.head_lif = firing(config)
        self.head = nn.Linear(config.head_width, config.classes)
        scale, shift = pixel_affine(config)
        self.pixel_scale: Tensor
        self.pixel_shift: Tensor
        self.register_buffer("pixel_scale", scale, persistent=False)
        self.register_buffer("pixel_shift", shift, persistent=False)
        self.apply(_initialise)

    def forward(self, images: Tensor, epsilon: float | None = None) -> ModelOutput:
        """Classify images or event frames.

        Args:
            images: pixel values 0..255 [B, C, H, W], uint8 or float, or frames [B, T, C, H, W].
            epsilon: overrides the configured halting margin.
        """
        return self.classify(self.tokens_of(images), epsilon)

    def tokens_of(self, images: Tensor) -> Tensor:
        """The tokens that enter block 1, [1 or T, B, K, D]; arguments as `forward`."""
        return cast(Tensor, self.stem(self._sequence(images)))

    def classify(self, x: Tensor, epsilon: float | None = None) -> ModelOutput:
        """What follows the stem: its tokens [1 or T, B, K, D] through blocks and head."""
        tokens = self._tokens(x)
        epsilon = self.config.halting.epsilon if epsilon is None else epsilon
        steps: list[halting.HaltStep] = []
        lives: list[Tensor] = []
        moves: list[Tensor] = []
        y = torch.zeros((), device=tokens.x.device)
        for index, block in enumerate(self.blocks):
            tokens = self._merge(tokens, index, moves)
            if not self._all_live(index):
                tokens = self._at_every_step(tokens)
            x = block(tokens.x, None if self._all_live(index) else tokens.live)
            lives.append(tokens.live.expand(x.shape[0], -1, -1))
            tokens, step = self._after_block(tokens._replace(x=x), epsilon, index)
            if step is not None:
                steps.append(step)
                y = y + self._readout(step, x, index)
        if not steps:
            y = self._mean_readout(tokens)
        score = halting.halt_score(steps[-1].cum) if steps else torch.zeros_like(y[..., 0])
        return ModelOutput(self.logits_of(y), steps, score, lives, y, moves)

    @contextmanager
    def first_timesteps(self, count: int) -> Iterator[None]:
        """Run only timesteps 1..count of T inside the context.

        Outputs equal those of all timesteps, cut off after `count`, and the later ones are not
        computed; what is computed once (I-SPS) still depends on T.
        """
        nodes = [module for module in self.modules() if isinstance(module, LIF)]
        self._run(nodes, count)
        try:
            yield
        finally:
            self._run(nodes, self.config.timesteps)

    def _run(self, nodes: list[LIF], timesteps: int) -> None:
        self.running_timesteps = timesteps
        for node in nodes:
            node.steps = timesteps

    def _sequence(self, images: Tensor) -> Tensor:
        """Normalised [1, B, C, H, W], or frames [T, B, C, H, W]."""
        if self.config.input == "frames":
            return images.transpose(0, 1)[: self.running_timesteps].float()
        pixels = images.float() * self.pixel_scale + self.pixel_shift
        return pixels.unsqueeze(0)

    def _tokens(self, x: Tensor) -> Tokens:
        ones = torch.ones(x.shape[:3], device=x.device)
        return Tokens(x, ones, torch.zeros_like(ones), ones)

    def _all_live(self, index: int) -> bool:
        """Every slot runs in block 1, and in all without halting; none merged and stayed."""
        halts_before = index > 0 and self.config.halting.mode != "none"
        return not (halts_before or self.config.merge_threshold)

    def _merge(self, tokens: Tokens, index: int, moves: list[Tensor]) -> Tokens:
        if not self.config.merging[index]:
            return tokens
        # Without halting, sizes and masks keep a time axis of length 1 until a merge depends on it.
        size, cum, live = (part.expand(tokens.x.shape[0], -1, -1) for part in tokens[1:])
        first, gamma = (tokens.x[0].detach(), live[0]), self.config.gammas[index]
        if gamma:
            merged = merging.merge(tokens.x, size, live, merging.choose_sources(*first, gamma))
        else:
            source = merging.similar_sources(*first, self.config.merge_threshold)
            merged = merging.merge_similar(tokens.x, size, live, source)
        moves.append(merged.moved)
        cum = cum.gather(-1, merged.keep.expand(cum.shape[0], -1, -1))
        return Tokens(merged.x, merged.size, cum, merged.live)

    def _at_every_step(self, tokens: Tokens) -> Tokens:
        """Tokens that are the same at every timestep, once for each of them."""
        steps = self.running_timesteps
        return Tokens(tokens.x.expand(steps, -1, -1, -1), *(
            part.expand(steps, -1, -1) for part in tokens[1:]
        ))  # fmt: skip

    def _after_block(
        self, tokens: Tokens, epsilon: float, index: int
    ) -> tuple[Tokens, halting.HaltStep | None]:
        """Tokens that go on after block `index`, and the halting decision, None in mode `none`."""
        config = self.config.halting
        if config.mode == "none":
            return tokens, None
        steps = tokens.x.shape[0]
        size, cum, live = (part.expand(steps, -1, -1) for part in tokens[1:])
        h = self._scores(tokens.x, size, live, index)
        step = halting.halt(
            h, cum, live, epsilon=epsilon, mode=config.mode, last=index == self.config.depth - 1
        )
        # An absent token is a zero vector, so that nothing can depend on what it was.
        x = tokens.x * step.live.unsqueeze(-1).to(tokens.x.dtype)
        return Tokens(x, size, step.cum, step.live), step

    def _scores(self, x: Tensor, size: Tensor, live: Tensor, index: int) -> Tensor:
        """H of block `index`, [T, B, K]."""
        config = self.config.halting
        if self.forecasts is None:
            return halting.halting_score(x, size, live, config.alpha, config.beta)
        return self.forecasts.scores(x, live, index)

    def _readout(self, step: halting.HaltStep, x: Tensor, index: int) -> Tensor:
        """What block `index` adds to the readout, [T, B, D]."""
        if self.forecasts is None:
            return halting.readout(step.p, x)
        return self.forecasts.readout(step.halts, x, index)

    def _mean_readout(self, tokens: Tokens) -> Tensor:
        """The readout without halting, mean over tokens [T, B, K, D] -> [T, B, D]."""
        return tokens.x.mean(-2)

    def logits_of(self, y: Tensor) -> Tensor:
        """Running mean of the readouts y [T, B, D], or of their spikes, through the head."""
        if self.config.head_lif:
            spikes = self.head_lif(y)
            y = torch.cat([y, spikes], -1) if self.config.head_readout else spikes
        times = torch.arange(1, y.shape[0] + 1, device=y.device).view(-1, 1, 1)
        return self.head(y.cumsum(0) / times)  # type: ignore[no-any-return]


def pixel_affine(config: ModelConfig) -> tuple[Tensor, Tensor]:
    """Normalisation of raw pixels as x * scale + shift, each float32 [C or 1, 1, 1]."""
    mean = torch.tensor(config.pixel_mean, dtype=torch.float64)
    std = torch.tensor(config.pixel_std, dtype=torch.float64)
    scale, shift = 1 / (255 * std), -mean / std
    return scale.float().view(-1, 1, 1), shift.float().view(-1, 1, 1)


def _initialise(module: nn.Module) -> None:
    """Truncated normal weights (std 0.02) for linear layers, as the published code."""
    if isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
