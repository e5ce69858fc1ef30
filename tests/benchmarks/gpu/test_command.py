"""The rows of the GPU benchmark, from what its processes answer."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from benchmarks.common.table import Row
from benchmarks.gpu import command as gpu
from benchmarks.gpu.networks import Prepared

ABOUT = {"runs_with": "TensorRT 11.1", "tokens": 0.48, "timesteps": 1.5}


def worker(ms: float = 0.5, failed: str | None = None, **about: object) -> Any:
    times = {"median": lambda _: ms, "spread": lambda _: 0.01}
    return SimpleNamespace(failed=failed, about=ABOUT | about, **times)


ENERGY = {"energy_mj": 12.3456, "note": "NVML"}


def test_a_row_has_times_of_the_process_and_what_it_told_of_itself() -> None:
    row = gpu.row("tensorrt-exit", worker(), 32, ENERGY)
    assert row == Row(
        "tensorrt-exit",
        {
            "batch": 32, "runs_with": "TensorRT 11.1", "ms": 0.5, "spread_ms": 0.01,
            "tokens": 0.48, "timesteps": 1.5, "energy_mj": 12.3456, "energy_note": "NVML",
        },
        "ours: halting + early exit",
    )  # fmt: skip


def test_one_that_failed_has_its_reason_instead() -> None:
    row = gpu.row("ann", worker(failed="out of memory"), 256, {})
    assert (row.failed, row.figures) == ("out of memory", {"batch": 256})


def rows() -> list[Row]:
    peer = worker(2.0, tokens=None, timesteps=None, runs_with="PyTorch")
    return [
        gpu.row("ann", peer, 32, {"energy_mj": None, "note": "there is no sensor"}),
        gpu.row("tensorrt-exit", worker(0.5), 32, ENERGY),
        gpu.row("spikingjelly", worker(failed="no fused neurons"), 32, {}),
    ]


def test_the_table_gives_images_per_second_energy_and_the_gain_over_each_peer() -> None:
    ann, ours = map(gpu.table(rows(), 32).cells, rows()[:2])
    assert ann[1:] == ["PyTorch", "2.0000", "0.0100", "500", "", "", "", "", "1.00"]
    assert ours[1:8] == ["TensorRT 11.1", "0.5000", "0.0100", "2,000", "0.48", "1.50", "12.3"]
    assert ours[8:] == ["", "4.00"]  # SpikingJelly did not run; the ANN needs four times as long


def test_columns_are_named_after_the_peers() -> None:
    titles = [column.title for column in gpu.table(rows(), 1).columns]
    assert titles[-2:] == ["× spikingjelly", "× ann"]


def parsed(*words: str) -> Any:
    return gpu.parser().parse_args(words)


def test_a_quick_run_is_short() -> None:
    assert (gpu.sizes(parsed()), gpu.rounds(parsed())) == ([1, 32, 256], 9)
    quick = parsed("--quick", "--batch", "8", "--rounds", "5")
    assert (gpu.sizes(quick), gpu.rounds(quick)) == ([1], 2)


@pytest.mark.parametrize(
    ("status", "said", "wanted"),
    [(0, "570.86\n570.86\n", "570.86"), (9, "", "unknown (nvidia-smi failed)")],
)
def test_the_driver_is_the_first_devices(
    monkeypatch: pytest.MonkeyPatch, status: int, said: str, wanted: str
) -> None:
    done = subprocess.CompletedProcess([], status, said, "")
    monkeypatch.setattr(gpu.shutil, "which", lambda _: "/bin/nvidia-smi")
    monkeypatch.setattr(gpu.subprocess, "run", lambda *_, **__: done)
    assert gpu.driver() == wanted


def test_a_machine_without_the_tool_has_an_unknown_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu.shutil, "which", lambda _: None)
    assert gpu.driver() == "unknown (no nvidia-smi)"


def test_the_shape_is_the_named_one_with_isps() -> None:
    model = gpu.shape("spikingformer-8-384")
    assert (model.arch, model.depth, model.dim, model.stem.kind) == (
        "spikingformer", 8, 384, "isps",
    )  # fmt: skip


def test_a_process_is_told_all_conditions(tmp_path: Path) -> None:
    asked = gpu._asked("ann", gpu.Conditions(tmp_path, 32, "fp16", "cuda"))
    assert asked[0] == "ann"
    options = dict(zip(asked[1::2], asked[2::2], strict=True))
    assert options == {
        "--networks": str(tmp_path), "--batch": "32", "--precision": "fp16", "--device": "cuda",
    }  # fmt: skip


def test_the_command_writes_conditions_and_rows(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(gpu, "prepare", lambda *_: Prepared(-1.25, 0.481, 0.9, 1.52))
    monkeypatch.setattr(gpu, "measure", lambda *_: rows())
    out = tmp_path / "gpu.json"
    with gpu.console.capture() as captured:
        assert gpu.main(["--device", "cpu", "--quick", "--json", str(out)]) == 0
    stored = json.loads(out.read_text())
    assert "beta -1.250: 0.481 x tokens" in stored["conditions"]
    assert [row["name"] for row in stored["rows"]] == ["ann", "tensorrt-exit", "spikingjelly"]
    assert "SpikingJelly's Spikformer of this shape: no fused neurons" in captured.get()
