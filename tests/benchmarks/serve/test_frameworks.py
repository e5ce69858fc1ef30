"""What is counted of each server, and the requests and programs that it gets."""

from __future__ import annotations

import ast
import io
import json
import os
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.common.table import Row
from benchmarks.serve import frameworks
from benchmarks.serve.frameworks import CANDIDATES, CLIENTS, PATH, REQUESTS, Running, table
from benchmarks.serve.hey import Body, Load

BODIES = {True: Body(Path("binary"), 10), False: Body(Path("json"), 0)}


@pytest.mark.parametrize("name", CANDIDATES)
def test_a_program_imports_the_packages_that_it_needs(name: str) -> None:
    candidate = CANDIDATES[name]
    tree = ast.parse(candidate.program)
    froms = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    imports = {
        a.name for node in ast.walk(tree) if isinstance(node, ast.Import) for a in node.names
    }
    modules = {str(module).split(".")[0] for module in froms | imports}
    options = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
    assert set(candidate.packages.split()) <= modules | options


@pytest.mark.parametrize("name", CANDIDATES)
def test_a_row_that_says_json_is_one_that_is_sent_json(name: str) -> None:
    assert CANDIDATES[name].binary != name.endswith("JSON")


@pytest.mark.parametrize("name", CANDIDATES)
def test_every_server_answers_at_the_path_that_is_asked(name: str) -> None:
    model = PATH.split("/")[3]
    assert PATH in CANDIDATES[name].program or f'__init__("{model}")' in CANDIDATES[name].program


def test_both_forms_of_the_request_hold_the_same_tensor(tmp_path: Path) -> None:
    bodies = frameworks._bodies(tmp_path)
    binary, plain = (bodies[form].path.read_bytes() for form in (True, False))
    length = bodies[True].json_length
    head, text = json.loads(binary[:length])["inputs"][0], json.loads(plain)["inputs"][0]
    assert all(head[key] == text[key] for key in ("name", "shape", "datatype"))
    assert head["shape"] == [1, 32, 32, 3] and bodies[False].json_length == 0
    assert np.frombuffer(binary, np.uint8, offset=length).tolist() == text["data"]
    assert len(text["data"]) == 3 * 1024


@pytest.mark.parametrize(("able", "found"), [({"b", "c"}, "b"), ({"c"}, "c"), (set(), None)])
def test_the_first_python_that_imports_all_packages_is_taken(
    able: set[str], found: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(call: Sequence[str], **_: Any) -> subprocess.CompletedProcess[bytes]:
        assert call[1:] == ["-c", "import starlette, uvicorn"]
        return subprocess.CompletedProcess(call, 0 if call[0] in able else 1)

    monkeypatch.setattr(subprocess, "run", run)
    assert frameworks._python_with("starlette uvicorn", ["a", "b", "c"]) == found


class FakeRunning:
    """A server of which each round takes so many seconds of processor time."""

    def __init__(self, port: int, rounds_s: Sequence[float], binary: bool = True) -> None:
        self.port, self.binary, self.waited = port, binary, False
        # 7 s to start and 3 s between rounds are of no round.
        clock = [
            at
            for n, round_s in enumerate(rounds_s)
            for begin in [7.0 + 3 * n + sum(rounds_s[:n])]
            for at in (begin, begin + round_s)
        ]
        self._clock = iter(clock)

    def wait(self) -> None:
        self.waited = True

    @property
    def cpu_s(self) -> float:
        return next(self._clock)


def measured(
    servers: dict[str, Any], rates: dict[int, list[float]], monkeypatch: pytest.MonkeyPatch,
    rounds: int, answered: int = REQUESTS,
) -> tuple[list[Row], list[tuple[str, Body]]]:  # fmt: skip
    sent: list[tuple[str, Body]] = []

    def run_hey(url: str, body: Body, clients: int, *amount: str) -> Load:
        assert (clients, amount) == (CLIENTS, ("-n", str(REQUESTS)))
        sent.append((url, body))
        port = int(url.split(":")[2].split("/")[0])
        return Load({200: answered}, rates[port].pop(0), 1, 1, 1)

    monkeypatch.setattr(frameworks, "run_hey", run_hey)
    return frameworks._measured(servers, BODIES, rounds), sent


def test_figures_are_medians_over_rounds_without_the_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server = FakeRunning(1, [50.0, 0.4, 0.8, 0.2])
    rows, _ = measured({"a": server}, {1: [1.0, 300.0, 500.0, 900.0]}, monkeypatch, 3)
    # 0.4 s of 2,000 requests.
    assert rows[0].name == "a" and server.waited
    assert rows[0]["cpu_us"] == pytest.approx(200)
    assert rows[0]["requests_per_s"] == 500


def test_servers_take_turns_and_each_gets_the_form_that_it_reads(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    servers = {"a": FakeRunning(1, [1, 1]), "b": FakeRunning(2, [1, 1], binary=False)}
    rows, sent = measured(servers, {1: [10.0, 20.0], 2: [30.0, 40.0]}, monkeypatch, 1)
    assert [row["requests_per_s"] for row in rows] == [20, 40]
    one, two = (f"http://127.0.0.1:{port}{PATH}" for port in (1, 2))
    assert sent == [(one, BODIES[True]), (two, BODIES[False])] * 2


def test_a_server_that_fails_requests_has_no_figure(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(AssertionError, match="slow"):
        measured({"slow": FakeRunning(1, [1, 1])}, {1: [1.0]}, monkeypatch, 1, REQUESTS - 1)


class FakeProcess:
    """A process that ends at a signal, or not."""

    def __init__(self, pid: int, stubborn: bool = False) -> None:
        self.pid, self.stubborn = pid, stubborn

    def wait(self, timeout_s: float) -> int:
        if self.stubborn:
            raise subprocess.TimeoutExpired("server", timeout_s)
        return 0


def running(process: FakeProcess) -> Running:
    server = Running.__new__(Running)
    server.__dict__.update({"_process": process, "_log": io.StringIO()})
    return server


def stat(folder: Path, pid: int, session: int, user: int, system: int, name: str = "py") -> None:
    """As Linux writes it, proc(5): session is field 6, user and system time are 14 and 15."""
    fields = ["S", "1", str(pid), str(session), *["9"] * 7, str(user), str(system), "1000", "1000"]
    (folder / str(pid)).mkdir()
    (folder / str(pid) / "stat").write_text(f"{pid} ({name}) {' '.join(fields)}\n")


def test_processor_time_is_of_all_processes_of_the_servers_session(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stat(tmp_path, 40, 40, 100, 20)
    stat(tmp_path, 41, 40, 3, 4, name="a (b) c d")
    stat(tmp_path, 42, 39, 5000, 5000)
    (tmp_path / "43" / "stat").mkdir(parents=True)  # reads fail, as of one that has just ended
    monkeypatch.setattr(frameworks, "Path", lambda _: tmp_path)
    ticks_per_s = os.sysconf("SC_CLK_TCK")
    assert running(FakeProcess(40)).cpu_s == pytest.approx(127 / ticks_per_s)


@pytest.mark.parametrize("stubborn", [False, True])
def test_what_a_server_started_is_killed_with_it(
    stubborn: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[tuple[int, signal.Signals]] = []
    monkeypatch.setattr(os, "killpg", lambda group, how: sent.append((group, how)))
    server = running(FakeProcess(40, stubborn))
    server.stop()
    assert sent == [(40, signal.SIGTERM), (40, signal.SIGKILL)] and server._log.closed


def test_the_table_shows_microseconds_and_rates_without_fractions() -> None:
    row = Row("KServe", {"cpu_us": 812.6, "requests_per_s": 1234.4})
    assert table().cells(row) == ["KServe", "813", "1234"]
    assert [column.title for column in table().columns][1:] == ["CPU µs/request", "requests/s"]
