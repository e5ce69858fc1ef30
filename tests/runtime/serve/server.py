"""`spikehalt serve` as a user starts it, and stopped by its own process id."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

ROOT = Path(__file__).parents[3]
START_S, STOP_S = 60, 30


def free_port() -> int:
    """One at which nothing listens now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class RunningServer:
    """A server on a free port of this machine.

    Args:
        arguments: of the command.
        folder: in which it is started.
        within: a command line that runs this one.
    """

    def __init__(
        self, arguments: list[str], folder: Path = ROOT, within: Sequence[str] = ()
    ) -> None:
        self.log: list[str] = []
        self._started = threading.Event()
        self.process = subprocess.Popen(
            [*within, sys.executable, "-m", "spikehalt", "serve", *arguments, "--port", "0"],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
            stderr=subprocess.PIPE,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.log.append(line)
            if "startup complete" in line:
                self._started.set()
        self._started.set()

    def wait_for(self, text: str, count: int) -> None:
        """Until so many lines of its log hold a text; uvicorn says some twice."""
        begin = time.monotonic()
        while sum(text in line for line in dict.fromkeys(self.log)) < count:
            assert time.monotonic() - begin < START_S, self.log
            time.sleep(0.02)

    @property
    def address(self) -> str:
        """Host and port."""
        found = re.search(r"running on https?://(\S+)", "".join(self.log))
        assert found, self.log
        return found[1]

    @property
    def listens(self) -> bool:
        """Whether it takes connections."""
        host, port = self.address.split(":")
        with socket.socket() as probe:
            return probe.connect_ex((host, int(port))) == 0

    def stop(self) -> int:
        """End it as service managers do; returns its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(STOP_S)
        self._reader.join(STOP_S)
        assert self.process.stderr is not None
        self.process.stderr.close()
        return status

    def __enter__(self) -> RunningServer:
        assert self._started.wait(START_S), self.log
        if self.process.poll() is not None:
            self.stop()
            raise AssertionError("".join(self.log))
        self._wait_until_it_listens()
        return self

    def _wait_until_it_listens(self) -> None:
        """It does a moment after it says that it has started."""
        begin = time.monotonic()
        while not self.listens and time.monotonic() - begin < START_S:
            time.sleep(0.02)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
