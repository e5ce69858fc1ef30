"""Progress of a phase: a live bar on a terminal, elsewhere a line per epoch."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn


@dataclass(frozen=True)
class Extent:
    """How much a phase has to do.

    Attributes:
        phase: its name.
        epochs: in all.
        steps: optimiser steps per epoch.
        images: per step, of all processes together.
        timesteps: executed by each epoch; empty if all of them execute the same number.
    """

    phase: str
    epochs: int
    steps: int
    images: int
    timesteps: tuple[int, ...] = ()

    def work(self, done: int) -> int:
        """What the first `done` steps of the phase cost, in steps of one timestep each."""
        if not self.timesteps:
            return done
        whole, within = divmod(done, self.steps)
        begun = sum(self.timesteps[whole : whole + 1])  # none is after the last
        return sum(self.timesteps[:whole]) * self.steps + begun * within

    @property
    def total_work(self) -> int:
        """`work` of the whole phase."""
        return self.work(self.epochs * self.steps)


class Reporter(Protocol):
    """Is told of every step and every epoch."""

    def step(self, done: int, loss: float) -> None:
        """`done` steps of the phase are taken; the last one's loss."""

    def epoch(self, number: int, loss: float, accuracy: float) -> None:
        """Epoch `number`, counted from 1, is over, with this mean loss and validation accuracy."""


class Bar:
    """Phase, bar, time left and a note on a terminal."""

    def __init__(self, bar: Progress, extent: Extent) -> None:
        self.bar = bar
        self.task = bar.add_task(extent.phase, total=extent.total_work, note="")
        self.extent = extent

    def step(self, done: int, loss: float) -> None:
        """Move the bar."""
        self.bar.update(self.task, completed=self.extent.work(done), note=f"loss {loss:.3f}")

    def epoch(self, number: int, loss: float, accuracy: float) -> None:
        """Note the accuracy."""
        self.bar.update(self.task, note=f"validation {accuracy:.1%}")


class Lines:
    """One line per epoch, for a log file.

    Args:
        extent: of the phase.
        write: takes a line.
        clock: seconds, never going back.
    """

    def __init__(
        self,
        extent: Extent,
        write: Callable[[str], None],
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.extent, self.write, self.clock = extent, write, clock
        self._begin()

    def _begin(self) -> None:
        self.began = self.trained = self.clock()
        self.taken = 0

    def step(self, done: int, loss: float) -> None:
        """Count the step."""
        self.taken += 1
        self.trained = self.clock()

    def epoch(self, number: int, loss: float, accuracy: float) -> None:
        """Write the line; the time left is at this epoch's pace, validation included.

        Training is taken to cost in proportion to its timesteps; validation executes all of them
        after every epoch.
        """
        extent = self.extent
        parts = [
            f"{extent.phase} {number}/{extent.epochs}",
            f"loss {loss:.4f}",
            f"validation {accuracy:.2%}",
        ]
        if self.taken:  # a run stopped at an epoch's last step resumes without any
            rate = self.taken * extent.images / max(self.trained - self.began, 1e-9)
            done = number * extent.steps
            trained = extent.work(done) - extent.work(done - self.taken)
            left = (self.trained - self.began) * (extent.total_work - extent.work(done)) / trained
            left += (self.clock() - self.trained) * (extent.epochs - number)
            parts += [f"{rate:,.0f} images/s", f"{duration(left)} left"]
        self.write("  ".join(parts))
        self._begin()


class Silence:
    """Processes other than the first say nothing."""

    def step(self, done: int, loss: float) -> None:
        """Nothing."""

    def epoch(self, number: int, loss: float, accuracy: float) -> None:
        """Nothing."""


def duration(seconds: float) -> str:
    """`45 s`, `12 min` or `3 h 05 min`."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


@contextmanager
def progress(
    extent: Extent, *, shown: bool = True, console: Console | None = None
) -> Iterator[Reporter]:
    """The reporter that fits where the output goes.

    Args:
        extent: of the phase.
        shown: whether this process speaks.
        console: where to; standard error if none is given.
    """
    console = console or Console(stderr=True)
    if not shown:
        yield Silence()
    elif console.is_terminal:
        with _bar(console) as bar:
            yield Bar(bar, extent)
    else:
        yield Lines(
            extent,
            lambda line: _print(console, line),
        )


def _print(console: Console, line: str) -> None:
    """Print a line; training goes on where the output cannot be written."""
    with suppress(OSError):
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def _bar(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description:>8}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
        console=console,
    )
