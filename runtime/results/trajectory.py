"""Everything a bundle says about some images at every exit point, recorded once.

Exit policies only look at these arrays, so a recording is enough to calibrate thresholds, to
compare policies, and to test an application without any backend (`runtime.testing`).
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runtime.errors import InputError
from runtime.inputs.npz import read_array
from runtime.results.scores import Scores, first_exit
from spikehalt.exits import POLICIES
from spikehalt.files import writing

PathLike = str | os.PathLike[str]
MAX_RECORDING_BYTES = 2**30
_SAVED = ("logits", "halt_score", "live_tokens")


@dataclass(frozen=True, kw_only=True, eq=False)
class Trajectory:
    """Outputs after every chunk, had no image left early. S = T / chunk exit points.

    Attributes:
        logits: float32 [B, S, N_c], running logits.
        halt_score: float32 [B, S].
        live_tokens: int32 [B, T, L].
        chunk_ms: float64 [S], wall time of every chunk per image; None if it was not measured.
    """

    logits: NDArray[np.float32]
    halt_score: NDArray[np.float32]
    live_tokens: NDArray[np.int32]
    chunk_ms: NDArray[np.float64] | None = None

    def __len__(self) -> int:
        return len(self.logits)

    @property
    def labels(self) -> NDArray[np.int64]:
        """int64 [B, S]: the answer at every exit point."""
        return np.asarray(self.logits.argmax(axis=2), dtype=np.int64)

    def scores(self, policy: str) -> NDArray[np.float32]:
        """float32 [B, S]: what `policy` compares with its threshold."""
        B, S, classes = self.logits.shape
        flat = Scores(self.logits.reshape(B * S, classes), self.halt_score.reshape(B * S))
        scores: NDArray[np.float32] = POLICIES[policy].score(flat).reshape(B, S)
        return scores

    def exits(self, policy: str, threshold: float | None) -> NDArray[np.int64]:
        """int64 [B]: index of the exit point each image leaves at; the last without a threshold."""
        B, S = self.halt_score.shape
        if threshold is None or not POLICIES[policy].has_threshold:
            return np.full(B, S - 1, np.int64)
        return first_exit(policy, self.scores(policy), threshold)

    def save(self, path: PathLike) -> None:
        """Write the arrays to an .npz file of exactly this name (without the times).

        Raises:
            OutputError: the disk refused.
        """
        with writing(path), open(path, "wb") as file:  # given a name, numpy would append .npz
            np.savez_compressed(file, **{name: getattr(self, name) for name in _SAVED})

    @classmethod
    def load(cls, path: PathLike) -> Trajectory:
        """Read what `save` wrote.

        Raises:
            InputError: not such a file.
        """
        file = Path(path)
        arrays = {name: read_array(file, name, MAX_RECORDING_BYTES, str(path)) for name in _SAVED}
        _check(arrays, str(path))
        return cls(**arrays)


def _check(arrays: Mapping[str, NDArray[Any]], where: str) -> None:
    """Refuse arrays that cannot be a trajectory's."""
    logits, halt_score, live_tokens = (arrays[name] for name in _SAVED)
    kinds = [(array.dtype.str[1:], array.ndim) for array in (logits, halt_score, live_tokens)]
    if kinds != [("f4", 3), ("f4", 2), ("i4", 3)] or (
        logits.shape[:2] != halt_score.shape or len(live_tokens) != len(logits)
    ):
        shapes = ", ".join(f"{name} {array.dtype} {array.shape}" for name, array in arrays.items())
        raise InputError(f"{where} is no recording of a bundle: {shapes}")


def join(parts: Sequence[Trajectory]) -> Trajectory:
    """One trajectory out of several of the same bundle, in order."""
    return Trajectory(
        logits=np.concatenate([each.logits for each in parts]),
        halt_score=np.concatenate([each.halt_score for each in parts]),
        live_tokens=np.concatenate([each.live_tokens for each in parts]),
        chunk_ms=_mean_times(parts),
    )


def _mean_times(parts: Sequence[Trajectory]) -> NDArray[np.float64] | None:
    """Times per image over all parts; None where one of them was not measured."""
    times = [each.chunk_ms for each in parts if each.chunk_ms is not None]
    if len(times) < len(parts):
        return None
    weights = np.array([len(each) for each in parts], np.float64)
    return np.asarray(weights @ np.stack(times) / weights.sum(), dtype=np.float64)
