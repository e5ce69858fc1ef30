"""A server in a process of its own, its memory and processor time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import TracebackType

from spikehalt.errors import SpikehaltError

_START_S, _STOP_S = 120, 60
_TICK_S = 1 / os.sysconf("SC_CLK_TCK")


class Server:
    """`spikehalt serve` on a free port of this machine.

    Args:
        bundle: that is served.
        *arguments: further ones of the command.

    Raises:
        SpikehaltError: it did not start.
    """

    def __init__(self, bundle: Path, *arguments: str) -> None:
        command = [sys.executable, "-m", "spikehalt", "serve", str(bundle), "--port", "0"]
        self._process = subprocess.Popen(
            [*command, *arguments], stderr=subprocess.PIPE, text=True, start_new_session=True
        )
        self.address = ""
        self._ready = threading.Event()
        threading.Thread(target=self._read, daemon=True).start()
        if not self._ready.wait(_START_S) or self._process.poll() is not None:
            self.stop()
            raise SpikehaltError(f"{bundle} could not be served; the command says why")
        time.sleep(0.5)  # it listens a moment after it says that it has started

    def _read(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            if "running on http" in line:
                self.address = line.split("running on ")[1].split()[0]
            if "startup complete" in line:
                self._ready.set()
        self._ready.set()

    @property
    def cpu_s(self) -> float:
        """Processor time so far, of user and system."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) * _TICK_S

    @property
    def memory_mb(self) -> float:
        """Resident memory."""
        pages = int(Path(f"/proc/{self._process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6

    def stop(self) -> None:
        """End it."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        self._process.wait(_STOP_S)

    def __enter__(self) -> Server:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
