"""Networks that take turns in one process, with the process time of images and of timesteps.

The process has no second thread. Turns are short, and forwards and backwards in alternate rounds,
so that a machine that slows down slows all candidates.
"""

from __future__ import annotations

import copy
import statistics
import time
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.progress import track

from benchmarks.common.replay import Replay
from benchmarks.cpu.worker import Ours

# Process time by candidate, milliseconds: of an image, and as `NAME:step` of a later timestep.
Times = Mapping[str, float]


class Clocked:
    """A session that adds up its runs and their process time."""

    def __init__(self, session: Any) -> None:
        self.session, self.runs, self.seconds = session, 0, 0.0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.session, name)

    def run_with_iobinding(self, binding: Any) -> None:
        """Run the session, and count its run and time."""
        begin = time.process_time()
        self.session.run_with_iobinding(binding)
        self.runs, self.seconds = self.runs + 1, self.seconds + time.process_time() - begin


def clocked(network: Ours) -> Ours:
    """Return the network; its later timesteps are timed from now on."""
    network.sessions["next.onnx"] = Clocked(network.sessions["next.onnx"])
    return network


def with_sets(network: Ours, sets: Replay, steps: int) -> Ours:
    """Return the network with other live sets, which exits after so many timesteps."""
    changed = copy.copy(network)
    changed.replay, changed.timesteps = sets, steps
    return changed


def turn(name: str, network: Ours) -> dict[str, float]:
    """Time one repetition, milliseconds of process time."""
    clock: Any = network.sessions.get("next.onnx")
    if clock is not None:
        clock.runs, clock.seconds = 0, 0.0
    begin = time.process_time()
    images = network()
    times = {name: 1e3 * (time.process_time() - begin) / images}
    ran = clock is not None and clock.runs
    return times | ({f"{name}:step": 1e3 * clock.seconds / clock.runs} if ran else {})


def measure(running: Mapping[str, Ours], rounds: int, console: Console) -> list[dict[str, float]]:
    """Time every candidate, round by round, after one repetition that warms up."""
    for network in running.values():
        network()
    found: list[dict[str, float]] = []
    for number in track(range(rounds), "measuring", transient=True, console=console):
        order = [*running] if number % 2 == 0 else [*running][::-1]
        turns = [turn(name, running[name]) for name in order]
        found.append({key: ms for each in turns for key, ms in each.items()})
    return found


def medians(rounds: Sequence[Times]) -> dict[str, float]:
    """Median of every candidate over the rounds."""
    return {name: statistics.median(each[name] for each in rounds) for name in rounds[0]}
