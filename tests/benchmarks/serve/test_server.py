"""A server's lines are read, and its time and memory, from where Linux keeps them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from benchmarks.serve import server as module
from benchmarks.serve.server import Server
from spikehalt.errors import SpikehaltError

LINES = (
    "INFO: loading\n",
    "INFO: running on http://127.0.0.1:4321 (Press CTRL+C to quit)\n",
    "INFO: startup complete\n",
)


class FakeProcess:
    """A command that has printed its lines, and that has ended or not."""

    def __init__(self, lines: Sequence[str] = LINES, status: int | None = None) -> None:
        self.stderr, self.pid, self.status = iter(lines), 40, status
        self.signals: list[int] = []
        self.command: list[str] = []

    def poll(self) -> int | None:
        return self.status

    def send_signal(self, number: int) -> None:
        self.signals.append(number)
        self.status = -number

    def wait(self, _timeout_s: float) -> int:
        assert self.status is not None, "it was never told to end"
        return self.status


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch) -> Any:
    def started(process: FakeProcess, *arguments: str) -> Server:
        def popen(command: list[str], **_: Any) -> FakeProcess:
            process.command = command
            return process

        monkeypatch.setattr(subprocess, "Popen", popen)
        monkeypatch.setattr(module, "time", SimpleNamespace(sleep=lambda _: None))
        return Server(Path("bundle"), *arguments)

    return started


def test_the_address_is_the_one_that_the_command_prints(start: Any) -> None:
    process = FakeProcess()
    assert start(process, "--threads", "2").address == "http://127.0.0.1:4321"
    serve = ["-m", "spikehalt", "serve", "bundle", "--port", "0", "--threads", "2"]
    assert process.command == [sys.executable, *serve]


def test_a_command_that_ends_before_it_serves_is_an_error(start: Any) -> None:
    with pytest.raises(SpikehaltError, match="bundle could not be served"):
        start(FakeProcess(["error: no such bundle\n"], status=2))


def test_a_server_that_runs_is_asked_to_end_and_one_that_has_ended_is_not(start: Any) -> None:
    runs = FakeProcess()
    with start(runs) as server:
        assert not runs.signals
    assert runs.signals == [signal.SIGTERM]
    server.stop()
    assert runs.signals == [signal.SIGTERM]


def proc(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Process 40 as Linux describes it in proc(5): 250 ticks of user, 50 of system; 1,000 pages."""
    fields = ["S", "1", "40", "40", *["9"] * 7, "250", "50", "7777", "7777"]
    (folder / "stat").write_text(f"40 (a (b) c) {' '.join(fields)}\n")
    (folder / "statm").write_text("5000 1000 300 10 0 400 0\n")
    files = {f"/proc/40/{name}": folder / name for name in ("stat", "statm")}
    monkeypatch.setattr(module, "Path", files.__getitem__)


def test_processor_time_is_of_user_and_system(
    start: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = start(FakeProcess())
    proc(tmp_path, monkeypatch)
    assert server.cpu_s == pytest.approx(300 / os.sysconf("SC_CLK_TCK"))


def test_memory_is_of_resident_pages_in_megabytes(
    start: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = start(FakeProcess())
    proc(tmp_path, monkeypatch)
    assert server.memory_mb == pytest.approx(1000 * os.sysconf("SC_PAGE_SIZE") / 1e6)
