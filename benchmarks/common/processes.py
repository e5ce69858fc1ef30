"""Candidates of a benchmark, each in a process of its own that sleeps while another is timed.

A process (benchmarks/common/serving.py) says when it is ready, then answers words with figures.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import IO, Any

from rich.console import Console
from rich.progress import track

from benchmarks.common import figures

PATIENCE_S = 900.0


class Worker:
    """A candidate's process.

    Args:
        module: what it runs, `python -m module`.
        arguments: of its command.
        patience_s: a candidate that is not ready by then is given up, so that one peer whose
            compiler or exporter takes for ever does not hold up the others.
        environment: variables laid over this process's own.

    Attributes:
        about: what it said when it was ready.
        rounds: figures of its rounds so far.
        failed: why there are no more figures; None while there are.
    """

    def __init__(
        self,
        module: str,
        arguments: Sequence[str],
        patience_s: float = PATIENCE_S,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            text=True, env={**os.environ, **(environment or {})},
        )  # fmt: skip
        self.rounds: list[dict[str, float]] = []
        self.about: dict[str, Any] = {}
        self.failed: str | None = self._start(patience_s)

    def run(self) -> None:
        """Have the process do one timed round, and keep its figures."""
        answer = self.ask("run")
        if self.failed is None:
            self.rounds.append(answer)

    def ask(self, word: str) -> dict[str, Any]:
        """Return the process's answer to a word; it is empty once the process has failed."""
        if self.failed is not None:
            return {}
        _pipe(self.process.stdin).write(f"{word}\n")
        _pipe(self.process.stdin).flush()
        answer = self._answer()
        self.failed = answer.get("failed")
        return answer

    def close(self) -> None:
        """End the process."""
        _pipe(self.process.stdin).close()
        self.process.wait(timeout=30)
        _pipe(self.process.stdout).close()

    def median(self, key: str) -> float:
        """Median of a figure over the rounds."""
        return statistics.median(each[key] for each in self.rounds)

    def spread(self, key: str) -> float:
        """Interquartile range of a figure over two rounds or more."""
        return figures.spread([each[key] for each in self.rounds])

    def _start(self, patience_s: float) -> str | None:
        """Wait until it is ready; returns why it is not."""
        late = threading.Event()

        def give_up() -> None:
            late.set()
            self.process.kill()

        timer = threading.Timer(patience_s, give_up)
        timer.start()
        self.about = self._answer()
        timer.cancel()
        return f"not ready after {patience_s:g} s" if late.is_set() else self.about.get("failed")

    def _answer(self) -> dict[str, Any]:
        line = _pipe(self.process.stdout).readline()
        if not line:
            return {"failed": f"its process ended with status {self.process.wait()}"}
        answer: dict[str, Any] = json.loads(line)
        return answer


@contextmanager
def started(
    names: Sequence[str], start: Callable[[str], Worker], console: Console, together: int = 1
) -> Iterator[dict[str, Worker]]:
    """One process per candidate, so many of them starting at once, all ended afterwards.

    One at a time where a candidate measures itself while it starts, as compilers for GPUs do.
    """
    with ExitStack() as stack:

        def kept(name: str) -> Worker:
            worker = start(name)
            stack.callback(worker.close)
            return worker

        pool = ThreadPoolExecutor(together)
        try:
            ready = pool.map(kept, names)
            told = track(ready, "starting", len(names), transient=True, console=console)
            running = dict(zip(names, told, strict=True))
        finally:
            pool.shutdown(cancel_futures=True)
        yield running


def _pipe(stream: IO[str] | None) -> IO[str]:
    assert stream is not None
    return stream
