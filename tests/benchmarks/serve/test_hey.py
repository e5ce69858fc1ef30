"""The load generator's command, its request and its report."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.serve.hey import Body, read_report, run_hey, write_body
from spikehalt.errors import ConfigError

REPORT = """
Summary:
  Total:	2.0000 secs
  Slowest:	0.0310 secs
  Requests/sec:	{rate}

  Total data:	{size} bytes

Response time histogram:
  0.001 [1]	|
  0.031 [200]	|■■■■

Latency distribution:
{times}

Details (average, fastest, slowest):
  DNS+dialup:	0.0001 secs, 0.0008 secs, 0.0310 secs

Status code distribution:
{statuses}
"""
TIMES = "  10% in 0.0008 secs\n  50% in 0.0015 secs\n  99% in 0.0093 secs"


def report(
    times: str = TIMES, statuses: str = "  [200]\t201 responses", rate: str = "100.5"
) -> str:
    return REPORT.format(times=times, statuses=statuses, rate=rate, size=17)


def test_counts_of_a_histogram_are_no_statuses() -> None:
    assert read_report(report()).statuses == {200: 201}


def test_times_are_in_milliseconds() -> None:
    load = read_report(report("  10% in 0.5000 secs\n  50% in 1.0000 secs\n  99% in 12.2500 secs"))
    assert (load.p10_ms, load.p50_ms, load.p99_ms) == (500, 1000, 12250)


def test_percentiles_that_few_requests_have_not_are_the_slowest_that_is_given() -> None:
    load = read_report(report("  10% in 0.0010 secs\n  25% in 0.0020 secs\n  75% in 0.0040 secs"))
    assert (load.p10_ms, load.p50_ms, load.p99_ms) == (1, 4, 4)


def test_requests_that_all_failed_have_no_statuses() -> None:
    assert read_report(report(statuses="")).statuses == {}


@pytest.mark.parametrize(("text", "rate"), [("7", 7.0), ("12345.6789", 12345.6789)])
def test_a_rate_is_read_with_and_without_a_fraction(text: str, rate: float) -> None:
    assert read_report(report(rate=text)).requests_per_s == rate


@pytest.mark.parametrize("text", ["", report(times=""), report().replace("Requests/sec", "Rate")])
def test_a_report_without_rate_or_times_is_an_error_that_shows_it(text: str) -> None:
    with pytest.raises(ConfigError, match="hey's report is not understood") as caught:
        read_report(text)
    assert repr(text[:300]) in str(caught.value)


def test_a_body_says_how_many_bytes_of_which_shape_follow(tmp_path: Path) -> None:
    images = np.zeros((2, 4, 5, 3), np.uint8)
    body = write_body(tmp_path / "body", images, {"epsilon": 0.1, "binary_data_output": False})
    head = json.loads(body.path.read_bytes()[: body.json_length])
    tensor = head["inputs"][0]
    assert tensor["shape"] == [2, 4, 5, 3] and tensor["datatype"] == "UINT8"
    assert tensor["parameters"]["binary_data_size"] == 120
    assert body.path.stat().st_size == body.json_length + 120
    assert [output["name"] for output in head["outputs"]] == ["label", "timesteps"]
    assert head["parameters"] == {"epsilon": 0.1, "binary_data_output": False}


def called(monkeypatch: pytest.MonkeyPatch, status: int = 0, errors: str = "") -> list[list[str]]:
    """Commands that were to run; each ends with a status."""
    commands: list[list[str]] = []

    def run(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        commands.append(command)
        return subprocess.CompletedProcess(command, status, report(), errors)

    monkeypatch.setattr(shutil, "which", lambda name: f"/bin/{name}")
    monkeypatch.setattr(subprocess, "run", run)
    return commands


def test_a_binary_request_is_sent_with_the_length_of_its_json(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    commands = called(monkeypatch)
    load = run_hey("http://here/infer", Body(Path("body"), 321), 8, "-n", "200")
    assert load == read_report(report())
    (command,) = commands
    assert command[:5] == ["/bin/hey", "-n", "200", "-c", "8"] and command[-1].endswith("/infer")
    assert command[command.index("-T") + 1] == "application/octet-stream"
    assert command[command.index("-H") + 1] == "Inference-Header-Content-Length: 321"
    assert command[command.index("-D") + 1] == "body"


def test_a_request_of_json_alone_has_no_such_length(monkeypatch: pytest.MonkeyPatch) -> None:
    commands = called(monkeypatch)
    run_hey("http://here/infer", Body(Path("body"), 0), 1, "-z", "5s")
    assert commands[0][commands[0].index("-T") + 1] == "application/json"
    assert "-H" not in commands[0] and commands[0][1:3] == ["-z", "5s"]


def test_a_failure_of_hey_shows_the_end_of_what_it_said(monkeypatch: pytest.MonkeyPatch) -> None:
    called(monkeypatch, 1, "x" * 400 + " no such host\n")
    with pytest.raises(ConfigError, match=r"hey failed: x+ no such host$") as caught:
        run_hey("http://nowhere", Body(Path("body"), 0), 1)
    assert len(str(caught.value)) < 320


def test_without_hey_the_error_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(ConfigError, match="apt-get install hey"):
        run_hey("http://here", Body(Path("body"), 0), 1)
