"""The loop over timesteps of one batch: run a chunk, let images leave, go on with the others."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from runtime.backends import ports as graph_io
from runtime.backends.base import ChunkOutputs, Inputs, Session
from runtime.bundle import Manifest
from runtime.early_exit.settings import Settings
from runtime.errors import BackendError
from runtime.results.result import Result
from runtime.results.scores import should_exit, softmax
from runtime.results.timing import ChunkTime, Timings

Positions = NDArray[np.int64]
"""Which images of a batch, int64 [B']."""


class Recorder(Protocol):
    """Keeps what it needs of every chunk."""

    def record(self, images: Positions, start: int, outputs: ChunkOutputs) -> None:
        """Store one chunk.

        Args:
            images: int64 [B'], those of the batch that took part.
            start: timesteps that ran before.
            outputs: of the chunk.
        """
        ...


class Feed(Protocol):
    """A batch whose frames need not be there before they are asked for."""

    def __len__(self) -> int:
        """Number of images B."""
        ...

    def __getitem__(self, at: tuple[Positions, slice]) -> NDArray[Any]:
        """Frames [B', chunk, C, H, W] of images and timesteps."""
        ...


Data = NDArray[Any] | Feed
"""Checked input: images uint8 [B, H, W, C], frames float32 [B, T, C, H, W], or frames to come."""


class LastAnswers:
    """Keeps every image's outputs at the timestep at which it left.

    Args:
        manifest: of the bundle.
        batch: number of images.
        masks: also keep live masks.
    """

    def __init__(self, manifest: Manifest, batch: int, masks: bool) -> None:
        T, slots = manifest.timesteps, manifest.tokens_per_block
        self._manifest = manifest
        self.logits = np.zeros((batch, len(manifest.classes)), np.float32)
        self.halt_score = np.zeros(batch, np.float32)
        self.timesteps = np.zeros(batch, np.int64)
        self.live_tokens = np.zeros((batch, T, len(slots)), np.int32)
        self.live_masks = tuple(np.zeros((batch, T, K), np.int32) for K in slots) if masks else None
        self.merged: tuple[NDArray[np.int32], ...] | None = None
        self.mac_ops = np.zeros(batch) if manifest.instrumented else None
        self.ac_ops = np.zeros(batch) if manifest.instrumented else None

    def record(self, images: Positions, start: int, outputs: ChunkOutputs) -> None:
        """Store one chunk; see `Recorder.record`.

        Raises:
            BackendError: outputs of an unexpected shape.
        """
        stop = start + self._manifest.chunk
        try:
            self.logits[images] = outputs.logits
            self.halt_score[images] = outputs.halt_score
            self.live_tokens[images, start:stop] = outputs.live_tokens
            for mask, value in zip(self.live_masks or (), outputs.live_masks, strict=True):
                mask[images, start:stop] = value
            if start == 0 and outputs.merged:  # all images take part in the first chunk
                self.merged = outputs.merged
            self.mac_ops = _with_operations(self.mac_ops, images, outputs.mac_ops)
            self.ac_ops = _with_operations(self.ac_ops, images, outputs.ac_ops)
        except (ValueError, IndexError) as error:
            raise BackendError(f"the graph's outputs contradict the manifest: {error}") from error
        self.timesteps[images] = stop

    def result(self) -> Result:
        """What was recorded."""
        return Result(
            logits=self.logits,
            probabilities=softmax(self.logits),
            labels=np.asarray(self.logits.argmax(axis=1), dtype=np.int64),
            timesteps=self.timesteps,
            live_tokens=self.live_tokens,
            halt_score=self.halt_score,
            live_masks=self.live_masks,
            merged=self.merged,
            mac_ops=self.mac_ops,
            ac_ops=self.ac_ops,
            manifest=self._manifest,
        )


def _with_operations(
    totals: NDArray[np.float64] | None, images: Positions, counts: NDArray[np.float32] | None
) -> NDArray[np.float64] | None:
    """Add counts [B', chunk] to totals [B]; a chunk without counts leaves no total, None."""
    if totals is None or counts is None:
        return None
    totals[images] += counts.sum(axis=1, dtype=np.float64)
    return totals


@dataclass(frozen=True)
class Job:
    """What the batches of one call have in common.

    Attributes:
        session: a loaded backend.
        manifest: of its bundle.
        settings: policy, threshold, ε, timesteps.
        masks: whether live masks are returned too.
        timings: where the time goes; filled in while the batches run.
    """

    session: Session
    manifest: Manifest
    settings: Settings
    masks: bool = False
    timings: Timings = field(default_factory=Timings)


def run_batch(job: Job, data: Data) -> Result:
    """Classify one batch.

    Args:
        job: what runs it, and how.
        data: of the batch.

    Raises:
        BackendError: the backend failed, or returned what cannot be.
    """
    answers = LastAnswers(job.manifest, len(data), job.masks)
    run_chunks(job, data, answers)
    return answers.result()


def run_chunks(job: Job, data: Data, recorder: Recorder) -> None:
    """Run chunk after chunk until every image has left; errors as `run_batch`."""
    manifest, settings = job.manifest, job.settings
    running: Positions = np.arange(len(data))  # images that have not left, in the batch
    kept: Positions | None = None  # the same images, in the previous chunk
    states: Any = None
    for start in range(0, settings.max_timesteps, manifest.chunk):
        last = start + manifest.chunk >= settings.max_timesteps
        inputs = _inputs(manifest, data, running, kept, start, settings.epsilon)
        outputs = _timed_chunk(job, inputs, states, start, last, len(running))
        recorder.record(running, start, outputs)
        leaving = should_exit(
            settings.policy, settings.threshold, outputs.logits, outputs.halt_score
        )
        kept = np.flatnonzero(~leaving)
        running, states = running[kept], outputs.states
        if len(running) == 0:
            break


def _timed_chunk(
    job: Job, inputs: Inputs, states: Any, start: int, last: bool, images: int
) -> ChunkOutputs:
    begin = time.perf_counter()
    outputs = job.session.run(inputs, states, last=last, masks=job.masks)
    job.timings.chunks.append(ChunkTime(start, images, time.perf_counter() - begin))
    _refuse_other_shapes(job.manifest, outputs, images)
    _refuse_not_finite(job.manifest, outputs, start)
    if job.masks and not outputs.live_masks:
        raise BackendError(
            f"backend {job.session.info.name!r} gives no live masks (a recording holds none): call "
            "without live_masks=True, or use a backend that runs the bundle's graphs"
        )
    return outputs


def _refuse_other_shapes(manifest: Manifest, outputs: ChunkOutputs, images: int) -> None:
    """Nothing is broadcast over a contradiction."""
    chunk = manifest.chunk
    wanted = {
        "logits": (images, len(manifest.classes)),
        "halt_score": (images,),
        "live_tokens": (images, chunk, manifest.blocks),
    }
    real = {name: np.shape(getattr(outputs, name)) for name in wanted}
    slots = manifest.tokens_per_block
    wanted |= {f"live_masks[{n}]": (images, chunk, slots[n]) for n in range(len(slots))}
    widths = graph_io.merged(manifest).values()
    wanted |= {f"merged[{n}]": (images, width) for n, width in enumerate(widths)}
    real |= {f"merged[{n}]": gone.shape for n, gone in enumerate(outputs.merged)}
    real |= {f"live_masks[{n}]": mask.shape for n, mask in enumerate(outputs.live_masks)}
    for name, shape in real.items():
        if shape != wanted.get(name):
            raise BackendError(
                f"the graph's outputs contradict the manifest: {name} has shape {list(shape)}, not "
                f"{list(wanted.get(name, ()))}"
            )


def _refuse_not_finite(manifest: Manifest, outputs: ChunkOutputs, start: int) -> None:
    if not (np.isfinite(outputs.logits).all() and np.isfinite(outputs.halt_score).all()):
        raise BackendError(
            f"the graph returned NaN or infinity after timestep {start + manifest.chunk}; "
            + _about_overflow(manifest.precision)
        )


def _about_overflow(precision: str) -> str:
    if precision == "fp32":
        return "fp32 overflows only where weights or frames are huge: look for such values"
    return f"with precision {precision!r} this is an overflow: export in fp32 to compare"


def _inputs(
    manifest: Manifest,
    data: Data,
    running: Positions,
    kept: Positions | None,
    start: int,
    epsilon: float,
) -> Inputs:
    inputs: dict[str, NDArray[Any]] = {graph_io.EPSILON: np.array(epsilon, np.float32)}
    if manifest.input.kind == "frames":
        frames = data[running, start : start + manifest.chunk]
        inputs[graph_io.FRAMES] = np.ascontiguousarray(frames)
    elif kept is None:
        inputs[graph_io.IMAGE] = np.asarray(data)
    if kept is not None:
        inputs[graph_io.ALIVE] = kept
    return inputs
