"""Recordings of an event camera played in real time: how soon is what moves there named.

    python -m benchmarks.studies.event_stream BUNDLE session-b/*.aedat --threshold 0.88
    python -m benchmarks.studies.event_stream BUNDLE session-b/*.aedat --speed 4

Events are cut into frames of `window / T`, as `python -m train events` cuts them, each handed to
`Engine.stream_frames` when its time is over. A window begins with the first frame that holds its
share of --min-events, while the object is there, and ends with the frame after which the policy
answers. Pixels that fire without cause are those of the whole recording.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.common import command_line
from benchmarks.common.latencies import latency_columns, latency_rows
from benchmarks.common.table import Row, Table
from runtime import Engine
from spikehalt.commands import Parser, above_zero, whole
from spikehalt.commands import run as run_command
from spikehalt.console import note
from train.cli.events import class_of
from train.config.frames import FrameOptions
from train.data.recordings.events import Events, mask_hot_pixels
from train.data.recordings.frames import count_frames
from train.data.recordings.readers import read_events


@dataclass(frozen=True)
class Frame:
    """Events of one interval.

    Attributes:
        counts: float32 [2, H, W].
        first_ms: the first event's time before the frame's end; 0 without events.
    """

    counts: np.ndarray
    first_ms: float


@dataclass(frozen=True)
class Answer:
    """One window's.

    Attributes:
        right: whether it names the recording's class.
        waited_ms: length of the frames that it needed.
        latency_ms: from the window's first event to the answer.
    """

    right: bool
    waited_ms: float
    latency_ms: float


def main(argv: Sequence[str] | None = None) -> int:
    """Play all recordings, print the table; returns the exit status."""
    arguments = parser().parse_args(argv)
    policy = None if arguments.threshold is None else "confidence"
    with Engine(arguments.bundle, policy=policy, threshold=arguments.threshold) as engine:
        answers = [
            answer
            for recording in arguments.recordings
            for answer in play(engine, recording, options_of(engine, arguments), arguments.speed)
        ]
    if not answers:
        note(
            "no frame of these recordings holds enough events to begin a window: lower --min-events"
        )
        return 1
    table(answers, arguments.speed).print(rows_of(answers))
    return 0


def parser() -> Parser:
    """The command's arguments."""
    p = command_line.parser("benchmarks.studies.event_stream", __doc__)
    p.add_argument("bundle", type=Path)
    p.add_argument("recordings", type=Path, nargs="+", help="files; a label is a file's name")
    p.add_argument("--window-ms", type=above_zero(1e6), default=200.0, help="length of T frames")
    p.add_argument("--min-events", type=whole(1), default=100, help="of T frames")
    p.add_argument("--threshold", type=float, help="of confidence; none: as calibrated")
    p.add_argument(
        "--speed", type=above_zero(1e3), default=1.0, help="times real time (default: 1)"
    )
    return p


def options_of(engine: Engine, arguments: argparse.Namespace) -> FrameOptions:
    """How the bundle's frames are cut from events."""
    spec = engine.manifest.input
    return FrameOptions(
        window_ms=arguments.window_ms, frames=engine.manifest.timesteps,
        size=(spec.height, spec.width), min_events=arguments.min_events,
    )  # fmt: skip


def play(engine: Engine, recording: Path, cut: FrameOptions, speed: float) -> list[Answer]:
    """Answers to one recording's windows, whose latencies are real milliseconds."""
    frames = list(frames_of(read_events(recording), cut))
    frame_ms = cut.window_ms / cut.frames / speed
    enough = cut.min_events / cut.frames
    streamed = engine.stream_frames(
        paced((each.counts for each in frames), frame_ms / 1000),
        begins=lambda frame: bool(frame.sum() >= enough),
    )
    label = class_of(recording)
    return [
        Answer(
            right=each.result.name == label,
            waited_ms=each.result.timesteps * frame_ms,
            latency_ms=frames[each.index].first_ms / speed + each.latency_ms,
        )
        for each in streamed
    ]


def frames_of(events: Events, cut: FrameOptions) -> Iterator[Frame]:
    """All frames of a recording, one after the other."""
    events = mask_hot_pixels(events, cut.hot_pixels)
    single = FrameOptions(frames=1, size=cut.size)
    length_us = round(1000 * cut.window_ms / cut.frames)
    begin = int(events.t[0])
    ends = np.arange(begin + length_us, int(events.t[-1]) + 1, length_us)
    for first, last, end in zip(*bounds(events.t, ends), ends, strict=True):
        inside = events.take(slice(first, last))
        counts = count_frames(inside, np.zeros(last - first, np.int64), single)[0]
        yield Frame(counts, (end - inside.t[0]) / 1000 if last > first else 0.0)


def bounds(t: np.ndarray, ends: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First event and the one after the last of each interval that ends at `ends`."""
    last = np.searchsorted(t, ends)
    return np.concatenate([[0], last[:-1]]), last


def paced(frames: Iterator[np.ndarray], seconds: float) -> Iterator[np.ndarray]:
    """Each frame when its time is over, from now on."""
    begin = time.perf_counter()
    for number_, frame in enumerate(frames, 1):
        time.sleep(max(0.0, begin + number_ * seconds - time.perf_counter()))
        yield frame


def rows_of(answers: Sequence[Answer]) -> list[Row]:
    """Mean, median and 90th centile in ms."""
    waited = np.array([each.waited_ms for each in answers])
    latency = np.array([each.latency_ms for each in answers])
    parts = {"length of the frames": waited, "first event to answer": latency}
    return latency_rows(parts)


def table(answers: Sequence[Answer], speed: float) -> Table:
    """What `rows_of` gives."""
    accuracy = np.mean([each.right for each in answers])
    return Table(
        f"{len(answers)} windows at {speed:g} x real time, accuracy {accuracy:.2%}",
        latency_columns("ms"),
    )


if __name__ == "__main__":
    sys.exit(run_command(main))
