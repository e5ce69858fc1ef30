"""Running all timesteps and keeping the outputs of every exit point."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runtime.backends.base import ChunkOutputs
from runtime.early_exit.loop import Job, Positions, run_chunks
from runtime.errors import BackendError
from runtime.results.trajectory import Trajectory, join


class AllAnswers:
    """Keeps the outputs of every chunk; works while no image leaves."""

    def __init__(self) -> None:
        self._outputs: list[ChunkOutputs] = []

    def record(self, images: Positions, start: int, outputs: ChunkOutputs) -> None:
        """Store one chunk; see `runtime.early_exit.loop.Recorder.record`."""
        self._outputs.append(outputs)

    def trajectory(self, chunk_ms: NDArray[np.float64]) -> Trajectory:
        """What was recorded.

        Args:
            chunk_ms: float64 [S], wall time of every chunk per image.

        Raises:
            BackendError: the chunks do not fit together.
        """
        try:
            return Trajectory(
                logits=np.stack([each.logits for each in self._outputs], axis=1),
                halt_score=np.stack([each.halt_score for each in self._outputs], axis=1),
                live_tokens=np.concatenate([each.live_tokens for each in self._outputs], axis=1),
                chunk_ms=chunk_ms,
            )
        except ValueError as error:
            raise BackendError(f"the graph's outputs contradict each other: {error}") from error


def record(job: Job, parts: Iterable[NDArray[Any]]) -> Trajectory:
    """Record batches, one after the other, into one trajectory.

    Args:
        job: with policy "never".
        parts: checked inputs.

    Raises:
        BackendError: the backend failed, or returned what cannot be.
    """
    recorded = []
    for part in parts:
        answers, before = AllAnswers(), len(job.timings.chunks)
        run_chunks(job, part, answers)
        chunks = job.timings.chunks[before:]
        times = np.array([1e3 * chunk.seconds / chunk.images for chunk in chunks])
        recorded.append(answers.trajectory(times))
    return join(recorded)
