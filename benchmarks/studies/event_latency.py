"""How soon a recording's windows are answered: frames waited for, and time to compute.

    python -m benchmarks.studies.event_latency BUNDLE dvs/test --window-ms 200 --threshold 0.88

Timestep t of a network for event frames sees frames 1..t alone, so an image that leaves after t
timesteps is answered t frames after its window begins, plus the time that these timesteps take.
Windows are taken one by one, as they come; that later frames do not matter to the answer is checked
on every window, by asking again with nothing in them.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.common import command_line
from benchmarks.common.latencies import latency_columns, latency_rows
from benchmarks.common.table import Row, Table
from runtime import Engine
from runtime.inputs.files import find_samples, load_sample
from spikehalt.commands import run as run_command


@dataclass(frozen=True)
class Answer:
    """One window's.

    Attributes:
        right: whether its class is.
        timesteps: that ran.
        compute_ms: of the engine's call.
        causal: whether the answer stays the same without the later frames.
    """

    right: bool
    timesteps: int
    compute_ms: float
    causal: bool


def main(argv: Sequence[str] | None = None) -> int:
    """Answer all windows; exit status 1 where a later frame mattered."""
    p = command_line.parser("benchmarks.studies.event_latency", __doc__)
    p.add_argument("bundle", type=Path)
    p.add_argument("windows", help="folder of <class>/*.npz, as `python -m train events` leaves it")
    p.add_argument("--window-ms", type=float, default=200.0, help="length of a window")
    p.add_argument("--threshold", type=float, help="of confidence; none: as calibrated")
    arguments = p.parse_args(argv)
    policy = None if arguments.threshold is None else "confidence"
    with Engine(arguments.bundle, policy=policy, threshold=arguments.threshold) as engine:
        frame_ms = arguments.window_ms / engine.manifest.timesteps
        answers = answer_all(engine, arguments.windows)
    table(answers).print(rows_of(answers, frame_ms))
    return 0 if all(each.causal for each in answers) else 1


def answer_all(engine: Engine, folder: str) -> list[Answer]:
    """Every window of every class, one by one."""
    spec = engine.manifest.input
    samples = find_samples([folder], spec)
    engine(load_sample(samples[0], spec)[None])  # warm-up
    found = []
    for sample in samples:
        frames = load_sample(sample, spec)[None]
        begin = time.perf_counter()
        result = engine(frames)
        compute_ms = 1000 * (time.perf_counter() - begin)
        name, timesteps = result.names[0], int(result.timesteps[0])
        again = engine(without_later(frames, timesteps))
        found.append(Answer(name == sample.label, timesteps, compute_ms, same(result, again)))
    return found


def without_later(frames: NDArray[Any], timesteps: int) -> NDArray[Any]:
    """The same frames [1, T, 2, H, W] with nothing in those after the first `timesteps`."""
    cut = frames.copy()
    cut[:, timesteps:] = 0
    return cut


def same(a: Any, b: Any) -> bool:
    """Whether two results are the same answer after the same timesteps."""
    return bool(np.array_equal(a.timesteps, b.timesteps) and np.array_equal(a.logits, b.logits))


def rows_of(answers: Sequence[Answer], frame_ms: float) -> list[Row]:
    """Latency from the begin of the window: mean, median and 90th centile in ms."""
    waited = np.array([each.timesteps * frame_ms for each in answers])
    computed = np.array([each.compute_ms for each in answers])
    parts = {"frames waited for": waited, "computing": computed, "answer": waited + computed}
    return latency_rows(parts)


def table(answers: Sequence[Answer]) -> Table:
    """What `rows_of` gives."""
    accuracy = np.mean([each.right for each in answers])
    return Table(
        f"{len(answers)} windows, accuracy {accuracy:.2%}",
        latency_columns("ms from the first frame's begin"),
    )


if __name__ == "__main__":
    sys.exit(run_command(main))
