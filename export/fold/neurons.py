"""An architecture's neurons in their exported form, by what stands before them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import Protocol

import numpy as np

from export.fold.fold import fold_lif
from export.fold.folded import FoldedLIF, Neuron
from train.config import LIFConfig, ModelConfig
from train.staircase import Staircase, staircase


class Neurons(Protocol):
    """The neurons of a network."""

    @property
    def gain(self) -> float:
        """Factor that a layer takes into its weights for the neuron behind it."""
        ...

    @property
    def plain(self) -> Neuron:
        """Behind such a layer."""
        ...

    @property
    def residual(self) -> Neuron:
        """On a current that is kept as it is."""
        ...

    def on_sums(self, scale: float) -> Neuron:
        """The attention's, on sums whose factor `scale` moves into the threshold."""
        ...


@dataclass(frozen=True)
class _LIFs:
    """With membranes."""

    lif: LIFConfig

    @property
    def gain(self) -> float:
        return 1 / self.lif.tau

    @property
    def plain(self) -> FoldedLIF:
        return fold_lif(self.lif, self.lif.threshold)

    @property
    def residual(self) -> FoldedLIF:
        return fold_lif(self.lif, self.lif.threshold, gain=self.gain)

    def on_sums(self, scale: float) -> FoldedLIF:
        return fold_lif(self.lif, self.lif.attention_threshold, gain=scale * self.gain)


@dataclass(frozen=True)
class _Integers:
    """Without; all are one."""

    plain: Staircase
    gain: float = 1.0

    @property
    def residual(self) -> Staircase:
        return self.plain

    def on_sums(self, scale: float) -> Staircase:
        return replace(self.plain, at=tuple(float(np.float32(x / scale)) for x in self.plain.at))


def fold_neurons(config: ModelConfig) -> Neurons:
    """The neurons of a configuration."""
    if config.architecture.integer:
        return _Integers(integer_staircase(config.lif.levels))
    return _LIFs(config.lif)


@cache
def integer_staircase(levels: int) -> Staircase:
    """floor(clip(x, 0, D) + 1/2) in float32, as steps (`train.models.neurons.Integer`)."""

    def count(x: np.ndarray) -> np.ndarray:
        clipped = np.clip(x.astype(np.float32), np.float32(0), np.float32(levels))
        counts: np.ndarray = np.floor(clipped + np.float32(0.5)).astype(np.int64)
        return counts

    return staircase(count, levels, highest=float(levels))
