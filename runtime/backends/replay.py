"""A backend that replays recorded outputs: exit logic and applications run with no library."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runtime.backends.base import BackendInfo, ChunkOutputs, Inputs, refuse_closed
from runtime.backends.ports import ALIVE, FRAMES, IMAGE
from runtime.bundle import Manifest
from runtime.errors import BackendError
from runtime.results.trajectory import Trajectory


@dataclass(frozen=True)
class ReplayStates:
    """Handle of `ReplaySession`: the next exit point, and the recorded images that go on."""

    point: int
    images: NDArray[np.int64]


class ReplaySession:
    """Answers the n-th image of a batch with the n-th image of a recording.

    A batch larger than the recording starts over at its first image. Live masks and counts of
    operations are not recorded: energy is estimated from live tokens.

    Args:
        manifest: of the bundle the recording stands for.
        recording: outputs at every exit point.
    """

    def __init__(self, manifest: Manifest, recording: Trajectory) -> None:
        self.manifest = dataclasses.replace(manifest, live_masks=False)
        self.recording = recording
        self._closed = False
        self.calls: list[int] = []  # images of every chunk run so far
        self.info = BackendInfo(name="replay", version="1", device="none", reason="for tests")

    def run(self, inputs: Inputs, states: Any, *, last: bool, masks: bool) -> ChunkOutputs:
        """Replay one chunk; see `runtime.backends.base.Session.run`."""
        refuse_closed(self._closed)
        current = self._advance(inputs, states)
        self.calls.append(len(current.images))
        point, images, chunk = current.point, current.images, self.manifest.chunk
        if point >= self.recording.logits.shape[1]:
            raise BackendError(f"the recording has no exit point {point + 1}")
        return ChunkOutputs(
            logits=self.recording.logits[images, point],
            halt_score=self.recording.halt_score[images, point],
            live_tokens=self.recording.live_tokens[images, point * chunk : (point + 1) * chunk],
            states=None if last else ReplayStates(point + 1, images),
        )

    def close(self) -> None:
        """Answer no more."""
        self._closed = True

    def _advance(self, inputs: Inputs, states: ReplayStates | None) -> ReplayStates:
        if states is None:
            batch = len(inputs[FRAMES] if FRAMES in inputs else inputs[IMAGE])
            return ReplayStates(0, np.arange(batch) % len(self.recording))
        return ReplayStates(states.point, states.images[inputs[ALIVE]])
