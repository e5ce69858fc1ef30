"""How long a batch will take: measured once by itself, corrected by what batches really take."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runtime.engine import Engine
from runtime.serve.tensors import input_of

_LONGEST_S = 0.5  # larger batches than one that takes so long are not tried, but extrapolated
_REPETITIONS = 3
_SHARE_OF_NEW = 0.1  # of an exponential moving average
_MARGIN = 1.25  # answers come about so much later than the average batch would


@dataclass(frozen=True)
class BatchCost:
    """Seconds of a batch of so many images: its first chunk, and each further one."""

    images: int
    first_s: float
    next_s: float


class Pace:
    """Predicts how long batches take.

    Args:
        costs: of batches alone on the machine, of ascending size.
    """

    def __init__(self, costs: list[BatchCost]) -> None:
        self._costs = costs
        self.slowness = 1.0  # what batches take, over what they took alone
        self.chunks = 1.0  # that an image runs on average

    def batch_s(self, images: int, chunks: float) -> float:
        """Seconds that a batch takes in which every image runs so many chunks."""
        return self.slowness * self._alone_s(images, chunks)

    def chunks_within(self, budget_s: float, images: int, most: int) -> int:
        """How many chunks a batch can run in a time, at most `most`; 0: none."""
        fitting = (n for n in range(most, 0, -1) if _MARGIN * self.batch_s(images, n) <= budget_s)
        return next(fitting, 0)

    def observe(self, chunks: NDArray[np.int64], seconds: float) -> None:
        """Learn from a batch.

        Args:
            chunks: int64 [B], how many every image ran.
            seconds: what it took.
        """
        mean = float(chunks.mean())
        ratio = seconds / self._alone_s(len(chunks), mean)
        self.slowness += _SHARE_OF_NEW * (ratio - self.slowness)
        self.chunks += _SHARE_OF_NEW * (mean - self.chunks)

    def _alone_s(self, images: int, chunks: float) -> float:
        larger = (cost for cost in self._costs if cost.images >= images)
        cost = next(larger, self._costs[-1])
        scale = max(images / cost.images, 1.0)
        return scale * (cost.first_s + (chunks - 1) * cost.next_s)


def measure_pace(engine: Engine, max_batch: int) -> Pace:
    """Run batches of noise of 1, 2, 4, … images; this warms the engine up as well."""
    costs: list[BatchCost] = []
    size = 1
    while True:
        costs.append(_cost(engine, size))
        if size >= max_batch or costs[-1].first_s + costs[-1].next_s > _LONGEST_S:
            return Pace(costs)
        size = min(2 * size, max_batch)


def _cost(engine: Engine, images: int) -> BatchCost:
    spec = engine.manifest.input
    shape = (images, *input_of(spec)[2])
    noise: NDArray[Any] = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    data = noise if spec.kind == "image" else (noise > 250).astype(np.float32)
    engine.record(data)
    runs: list[NDArray[np.float64]] = []
    begin = time.perf_counter()
    while len(runs) < _REPETITIONS and time.perf_counter() - begin < _LONGEST_S:
        chunk_ms = engine.record(data).chunk_ms
        assert chunk_ms is not None  # `record` measures
        runs.append(chunk_ms * images / 1e3)
    fastest = np.min(runs, axis=0)
    return BatchCost(
        images, float(fastest[0]), float(fastest[1:].mean()) if fastest[1:].size else 0
    )
