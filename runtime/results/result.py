"""What a call returns: arrays over the batch, and the same for one image."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runtime.bundle import Manifest
from runtime.results import estimate


@dataclass(frozen=True, kw_only=True, eq=False)
class ImageResult:
    """The answer for one image.

    Attributes:
        label: index of the class.
        name: its name.
        probability: of that class.
        probabilities: float32 [N_c].
        timesteps: how many ran.
        live_tokens: int32 [timesteps, L], live tokens per executed timestep and block.
        halt_score: mean over tokens of C(L, t) at the last timestep.
        average_tokens: live tokens over K_0, averaged over blocks and executed timesteps.
        energy_mj: estimated energy, None if the bundle has no energy constants.
        live_masks: per block int32 [timesteps, K_l], 1 = ran there; None if not asked for.
        merged: for each block where tokens merge, int32 [gamma]: the slots, of those that arrive,
            that disappear there; or int32 [K] where slots stay (`merge_threshold`), 1 for each that
            merged there. None where no masks were asked for or the bundle does not say.
    """

    label: int
    name: str
    probability: float
    probabilities: NDArray[np.float32]
    timesteps: int
    live_tokens: NDArray[np.int32]
    halt_score: float
    average_tokens: float
    energy_mj: float | None
    live_masks: tuple[NDArray[np.int32], ...] | None = None
    merged: tuple[NDArray[np.int32], ...] | None = None

    def to_dict(self) -> dict[str, Any]:
        """The same as plain JSON values (without the masks)."""
        return {
            "label": self.label,
            "name": self.name,
            "probability": self.probability,
            "probabilities": self.probabilities.tolist(),
            "timesteps": self.timesteps,
            "live_tokens": self.live_tokens.tolist(),
            "halt_score": self.halt_score,
            "average_tokens": self.average_tokens,
            "energy_mj": self.energy_mj,
        }


@dataclass(frozen=True, kw_only=True, eq=False)
class Result:
    """The answers for a batch; `result[i]` and iteration give `ImageResult`s.

    Attributes:
        logits: float32 [B, N_c], at the timestep each image left.
        probabilities: float32 [B, N_c], softmax of the logits.
        labels: int64 [B].
        timesteps: int64 [B], how many ran.
        live_tokens: int32 [B, T, L], 0 for timesteps not run.
        halt_score: float32 [B].
        live_masks: per block int32 [B, T, K_l], 1 = ran there; None if not asked for.
        merged: as of an image, int32 [B, gamma] or [B, K] each; None where it is not known.
        mac_ops: float64 [B], multiply-accumulates counted in the graph; None unless the bundle
            is instrumented and the backend runs its graphs.
        ac_ops: float64 [B], accumulates counted in the graph; None as mac_ops.
        manifest: of the bundle that answered.
    """

    logits: NDArray[np.float32]
    probabilities: NDArray[np.float32]
    labels: NDArray[np.int64]
    timesteps: NDArray[np.int64]
    live_tokens: NDArray[np.int32]
    halt_score: NDArray[np.float32]
    live_masks: tuple[NDArray[np.int32], ...] | None = None
    merged: tuple[NDArray[np.int32], ...] | None = None
    mac_ops: NDArray[np.float64] | None = None
    ac_ops: NDArray[np.float64] | None = None
    manifest: Manifest = field(repr=False)

    @property
    def names(self) -> tuple[str, ...]:
        """Class name per image."""
        return tuple(self.manifest.classes[label] for label in self.labels)

    @property
    def average_tokens(self) -> NDArray[np.float64]:
        """float64 [B]: live tokens over K_0, averaged over blocks and executed timesteps."""
        return estimate.average_tokens(self.live_tokens, self.timesteps, self.manifest.tokens)

    @property
    def energy_mj(self) -> NDArray[np.float64] | None:
        """float64 [B]: estimated energy, None if the bundle has no energy constants.

        The estimate of an instrumented bundle comes from operations counted in its graphs. That of
        another bundle, and of a recording, comes from live tokens and the firing rates measured at
        export.
        """
        spec = self.manifest.energy
        if spec is None:
            return None
        if self.mac_ops is not None and self.ac_ops is not None:
            return estimate.counted_energy_mj(spec, self.mac_ops, self.ac_ops)
        return estimate.energy_mj(spec, self.live_tokens, self.timesteps)

    def __len__(self) -> int:
        return len(self.labels)

    def __iter__(self) -> Iterator[ImageResult]:
        average, energy = self.average_tokens, self.energy_mj
        for i in range(len(self)):
            yield self._image(i, average, energy)

    def __getitem__(self, index: int) -> ImageResult:
        i = range(len(self))[index]
        return self._image(i, self.average_tokens, self.energy_mj)

    def part(self, start: int, stop: int) -> Result:
        """The answers for the images from `start` to before `stop`."""
        here = slice(start, stop)
        masks = self.live_masks
        return Result(
            logits=self.logits[here],
            probabilities=self.probabilities[here],
            labels=self.labels[here],
            timesteps=self.timesteps[here],
            live_tokens=self.live_tokens[here],
            halt_score=self.halt_score[here],
            live_masks=None if masks is None else tuple(mask[here] for mask in masks),
            merged=None if self.merged is None else tuple(gone[here] for gone in self.merged),
            mac_ops=None if self.mac_ops is None else self.mac_ops[here],
            ac_ops=None if self.ac_ops is None else self.ac_ops[here],
            manifest=self.manifest,
        )

    def _image(
        self, i: int, average: NDArray[np.float64], energy: NDArray[np.float64] | None
    ) -> ImageResult:
        label, steps = int(self.labels[i]), int(self.timesteps[i])
        masks = self.live_masks
        return ImageResult(
            label=label,
            name=self.manifest.classes[label],
            probability=float(self.probabilities[i, label]),
            probabilities=self.probabilities[i],
            timesteps=steps,
            live_tokens=self.live_tokens[i, :steps],
            halt_score=float(self.halt_score[i]),
            average_tokens=float(average[i]),
            energy_mj=None if energy is None else float(energy[i]),
            live_masks=None if masks is None else tuple(mask[i, :steps] for mask in masks),
            merged=None if self.merged is None else tuple(gone[i] for gone in self.merged),
        )


def concatenate(results: list[Result]) -> Result:
    """One result out of several of the same bundle, in order."""
    if len(results) == 1:
        return results[0]
    masks = [each.live_masks for each in results if each.live_masks is not None]
    merged = [each.merged for each in results if each.merged is not None]
    return Result(
        logits=np.concatenate([each.logits for each in results]),
        probabilities=np.concatenate([each.probabilities for each in results]),
        labels=np.concatenate([each.labels for each in results]),
        timesteps=np.concatenate([each.timesteps for each in results]),
        live_tokens=np.concatenate([each.live_tokens for each in results]),
        halt_score=np.concatenate([each.halt_score for each in results]),
        live_masks=tuple(map(np.concatenate, zip(*masks, strict=True))) if masks else None,
        merged=tuple(map(np.concatenate, zip(*merged, strict=True))) if merged else None,
        mac_ops=_joined([each.mac_ops for each in results]),
        ac_ops=_joined([each.ac_ops for each in results]),
        manifest=results[0].manifest,
    )


def _joined(parts: list[NDArray[np.float64] | None]) -> NDArray[np.float64] | None:
    present = [part for part in parts if part is not None]
    return np.concatenate(present) if present else None
