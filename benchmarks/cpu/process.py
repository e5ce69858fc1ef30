"""The processes that the CPU benchmarks time: one per candidate of `benchmarks.cpu.worker`."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from rich.console import Console

from benchmarks.common import native, networks
from benchmarks.common.processes import PATIENCE_S, Worker, started
from benchmarks.common.replay import Replay


@dataclass(frozen=True)
class Setup:
    """What all candidates of a table share.

    Attributes:
        batch: images at once.
        threads: of every candidate.
        model: whose shape is timed, a name of the registry.
        native_ops: ours are timed with them; None: where they have been built.
        patience_s: how long a candidate may take to be ready.
    """

    batch: int = 1
    threads: int = 1
    model: str = networks.MODEL
    native_ops: bool | None = None
    patience_s: float = PATIENCE_S

    def worker(self, name: str, replay: Path) -> Worker:
        """Start a candidate's process, with the live sets of a file."""
        arguments = [name, "--batch", str(self.batch), "--threads", str(self.threads)]
        arguments += ["--model", self.model, "--replay", str(replay)]
        arguments += native.as_arguments(self.native_ops)
        threads = {"OMP_NUM_THREADS": str(self.threads)}
        return Worker("benchmarks.cpu.worker", arguments, self.patience_s, threads)


@contextmanager
def workers(
    names: Sequence[str], setup: Setup, sample: Replay, console: Console
) -> Iterator[dict[str, Worker]]:
    """Processes of the candidates, with the same live sets."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "replay.npz"
        sample.save(path)
        start = partial(setup.worker, replay=path)
        with started(names, start, console, os.cpu_count() or 1) as running:
            yield running
