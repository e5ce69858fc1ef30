"""A candidate's process, spoken to line by line; the process itself is a stand-in."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from benchmarks.common import processes
from benchmarks.common.processes import Worker, started
from benchmarks.common.table import console


class Process:
    """Answers with the lines it was given, whatever it is asked."""

    def __init__(self, *answers: dict[str, Any]) -> None:
        lines = "".join(json.dumps(answer) + "\n" for answer in answers)
        self.stdin, self.stdout = Words(), io.StringIO(lines)
        self.killed = False

    def wait(self, timeout: float | None = None) -> int:
        return 7

    def kill(self) -> None:
        self.killed = True


class Words(io.StringIO):
    """Keeps what was written to it when it is closed."""

    asked = ""

    def close(self) -> None:
        self.asked = self.getvalue()
        super().close()


def worker(monkeypatch: pytest.MonkeyPatch, *answers: dict[str, Any]) -> Worker:
    monkeypatch.setattr(processes.subprocess, "Popen", lambda *_, **__: Process(*answers))
    return Worker("some.module", ["--batch", "2"])


READY = {"ready": True, "tokens": 0.5}


def test_what_a_ready_candidate_tells_of_itself_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    found = worker(monkeypatch, READY)
    assert found.failed is None
    assert found.about == READY


def test_every_round_adds_its_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    rounds = [{"wall_ms": ms, "cpu_ms": 2 * ms} for ms in (1.0, 5.0, 2.0)]
    found = worker(monkeypatch, READY, *rounds)
    for _ in rounds:
        found.run()
    assert found.rounds == rounds
    assert found.median("wall_ms") == 2.0
    assert found.median("cpu_ms") == 4.0
    assert found.spread("wall_ms") == 4.0


def test_words_reach_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    found = worker(monkeypatch, READY, {"wall_ms": 1.0}, {"energy_mj": None, "note": "none"})
    found.run()
    assert found.ask("energy") == {"energy_mj": None, "note": "none"}
    process: Any = found.process
    found.close()
    assert process.stdin.asked == "run\nenergy\n"
    assert process.stdin.closed and process.stdout.closed


def test_one_that_cannot_be_built_is_asked_nothing_more(monkeypatch: pytest.MonkeyPatch) -> None:
    found = worker(monkeypatch, {"failed": "ImportError: no such library"})
    found.run()
    assert found.failed == "ImportError: no such library"
    assert found.rounds == []
    assert found.ask("energy") == {}


def test_one_that_fails_in_a_later_round_keeps_no_half_round(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = worker(monkeypatch, READY, {"wall_ms": 1.0}, {"failed": "MemoryError: out of memory"})
    found.run()
    found.run()
    found.run()
    assert found.rounds == [{"wall_ms": 1.0}]
    assert found.failed == "MemoryError: out of memory"


def test_a_process_that_dies_is_told_with_its_status(monkeypatch: pytest.MonkeyPatch) -> None:
    found = worker(monkeypatch, READY)
    found.run()
    assert found.failed == "its process ended with status 7"


def test_the_command_names_module_arguments_and_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: dict[str, Any] = {}

    def popen(command: list[str], **options: Any) -> Process:
        seen.update(options, command=command)
        return Process(READY)

    monkeypatch.setenv("KEPT", "yes")
    monkeypatch.setattr(processes.subprocess, "Popen", popen)
    Worker("some.module", ["--batch", "2"], environment={"OMP_NUM_THREADS": "3"})
    assert seen["command"][1:] == ["-m", "some.module", "--batch", "2"]
    assert seen["env"]["OMP_NUM_THREADS"] == "3" and seen["env"]["KEPT"] == "yes"
    assert seen["stderr"] == processes.subprocess.DEVNULL


@pytest.mark.parametrize("together", [1, 2, 5])
def test_all_candidates_are_given_in_order_and_ended_afterwards(
    monkeypatch: pytest.MonkeyPatch, together: int
) -> None:
    made: dict[str, Worker] = {}

    def start(name: str) -> Worker:
        made[name] = worker(monkeypatch, {"name": name})
        return made[name]

    with started(["b", "a"], start, console, together) as running:
        assert list(running) == ["b", "a"]
        assert [each.about["name"] for each in running.values()] == ["b", "a"]
    assert all(each.process.stdin.closed for each in made.values())  # type: ignore[union-attr]


@pytest.mark.parametrize("together", [1, 2])
def test_those_that_run_are_ended_when_a_later_one_cannot_be_started(
    monkeypatch: pytest.MonkeyPatch, together: int
) -> None:
    first = worker(monkeypatch, READY)

    def start(name: str) -> Worker:
        if name == "second":
            raise OSError("no more processes")
        return first

    with (
        pytest.raises(OSError, match="no more processes"),
        started(["first", "second"], start, console, together),
    ):
        raise AssertionError("nothing runs")
    assert first.process.stdin is not None and first.process.stdin.closed
