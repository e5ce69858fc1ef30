"""The processes that `benchmarks.cpu` times, one per candidate: start, run in turn, end."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from rich.console import Console
from rich.progress import track

from benchmarks import cpu_models as models
from benchmarks import native
from benchmarks.replay import Replay


@dataclass(frozen=True)
class Setup:
    """What all candidates of a table share.

    Attributes:
        batch: images at once.
        threads: of every candidate.
        model: whose shape is timed, a name of the registry.
        native_ops: ours are timed with them; None: where they have been built.
        patience_s: a candidate that is not ready by then is given up, so that one peer whose
            compiler or exporter takes for ever does not hold up the others.
    """

    batch: int = 1
    threads: int = 1
    model: str = models.MODEL
    native_ops: bool | None = None
    patience_s: float = 900.0


class Worker:
    """A candidate's process."""

    def __init__(self, name: str, setup: Setup, replay: Path) -> None:
        command = [sys.executable, "-m", "benchmarks.cpu_worker", name]
        command += ["--batch", str(setup.batch), "--threads", str(setup.threads)]
        command += ["--model", setup.model, "--replay", str(replay)]
        command += native.as_arguments(setup.native_ops)
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            text=True, env=os.environ | {"OMP_NUM_THREADS": str(setup.threads)},
        )  # fmt: skip
        self.rounds: list[dict[str, float]] = []
        self.failed: str | None = self._start(setup.patience_s)

    def run(self) -> None:
        """One timed round."""
        if self.failed is None:
            _pipe(self.process.stdin).write("run\n")
            _pipe(self.process.stdin).flush()
            answer = self._answer()
            self.failed = answer.get("failed")
            if self.failed is None:
                self.rounds.append(answer)

    def close(self) -> None:
        """End the process."""
        _pipe(self.process.stdin).close()
        self.process.wait(timeout=30)
        _pipe(self.process.stdout).close()

    def median(self, key: str) -> float:
        """Over the rounds."""
        return statistics.median(each[key] for each in self.rounds)

    def _start(self, patience_s: float) -> str | None:
        """Wait until it is ready; returns why it is not."""
        late = threading.Event()

        def give_up() -> None:
            late.set()
            self.process.kill()

        timer = threading.Timer(patience_s, give_up)
        timer.start()
        failed: str | None = self._answer().get("failed")
        timer.cancel()
        return f"not ready after {patience_s:g} s" if late.is_set() else failed

    def _answer(self) -> dict[str, Any]:
        line = _pipe(self.process.stdout).readline()
        if not line:
            return {"failed": f"its process ended with status {self.process.wait()}"}
        answer: dict[str, Any] = json.loads(line)
        return answer


@contextmanager
def workers(
    names: Sequence[str], setup: Setup, sample: Replay, console: Console
) -> Iterator[dict[str, Worker]]:
    """One process per candidate, started one after the other."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        path = Path(folder) / "replay.npz"
        sample.save(path)
        running: dict[str, Worker] = {}
        for name in track(names, "starting", transient=True, console=console):
            running[name] = Worker(name, setup, path)
            stack.callback(running[name].close)
        yield running


def _pipe(stream: IO[str] | None) -> IO[str]:
    assert stream is not None
    return stream
