from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from benchmarks.serve.hey import Body
from benchmarks.serve.wrk import read_report, run_wrk
from spikehalt.errors import ConfigError

REPORT = """Running 2s test @ http://here/infer
Requests/sec:    250.00
{"requests": 500, "us": 2000000, "failed": %d, "p10_us": 800.0, "p50_us": 1500.0, "p99_us": 9300.0}
"""


def test_a_report_is_read() -> None:
    load = read_report(REPORT % 0)
    assert load.statuses == {200: 500} and load.requests_per_s == 250
    assert (load.p10_ms, load.p50_ms, load.p99_ms) == (0.8, 1.5, 9.3)


def test_requests_that_failed_are_no_measurement() -> None:
    with pytest.raises(ConfigError, match="7 of 500 requests failed"):
        read_report(REPORT % 7)


def test_one_client_sends_the_binary_form(monkeypatch: pytest.MonkeyPatch) -> None:
    scripts: list[str] = []

    def run(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        assert command[1:7] == ["-t", "1", "-c", "1", "-d", "2s"] and command[-1].endswith("/infer")
        scripts.append(Path(command[command.index("-s") + 1]).read_text())
        return subprocess.CompletedProcess(command, 0, REPORT % 0, "")

    monkeypatch.setattr(shutil, "which", lambda name: f"/bin/{name}")
    monkeypatch.setattr(subprocess, "run", run)
    run_wrk("http://here/infer", Body(Path("/some/body"), 321), 2)
    assert 'io.open("/some/body", "rb")' in scripts[0]
    assert '["Inference-Header-Content-Length"] = "321"' in scripts[0]


def test_without_wrk_the_error_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(ConfigError, match="apt-get install wrk"):
        run_wrk("http://here", Body(Path("body"), 1), 1)
