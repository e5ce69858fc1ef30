"""The rows of the CPU benchmark, from what its processes answer."""

from __future__ import annotations

import json
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from benchmarks.common.replay import Replay
from benchmarks.cpu import command as cpu
from benchmarks.cpu.process import Setup
from spikehalt.errors import ConfigError
from tests.benchmarks.cpu.test_cpu import everything

GEMM_MACS = 1024**3 / 1e6


class Worker:
    """Answers every round with the same times."""

    def __init__(self, ms: float = 1.0, failed: str | None = None) -> None:
        self.failed, self.ms, self.rounds = failed, ms, [{"wall_ms": ms}]

    def run(self) -> None:
        self.rounds.append({"wall_ms": self.ms, "cpu_ms": self.ms / 2})

    def median(self, key: str) -> float:
        return self.ms if key == "wall_ms" else self.ms / 2

    def spread(self, _: str) -> float:
        return 0.25


def worker(ms: float = 1.0, failed: str | None = None) -> Any:
    return Worker(ms, failed)


def test_the_peak_is_the_best_round_of_the_matrix_product() -> None:
    found = worker()
    found.rounds = [{"wall_ms": ms} for ms in (4.0, 2.0, 3.0)]
    assert cpu.peak_rate(found) == pytest.approx(GEMM_MACS / 2)


def test_the_share_of_the_peak_is_of_the_same_precision() -> None:
    rate = {False: 100.0, True: 400.0}
    for name, int8 in (("halting", False), ("int8", True)):
        row = cpu.row(name, worker(2.0), Setup(), everything(), rate)
        assert row["peak_share"] == pytest.approx(row["macs"] / 2.0 / rate[int8])


def test_a_row_has_the_times_of_its_process() -> None:
    row = cpu.row("ann", worker(8.0), Setup(batch=16), everything(), {False: 1.0, True: 1.0})
    assert (row["ms"], row["spread_ms"], row["cpu_ms"], row["batch"]) == (8.0, 0.25, 4.0, 16)


def test_a_peer_whose_products_are_not_counted_has_no_share() -> None:
    row = cpu.row("spikingjelly", worker(), Setup(), everything(), {False: 1.0, True: 1.0})
    assert row.figures["macs"] is None and row.figures["peak_share"] is None
    assert row.what == "SpikingJelly Spikformer of this shape, eager"


def test_one_that_failed_keeps_its_reason_and_no_figures() -> None:
    row = cpu.row("ann", worker(failed="no such op"), Setup(), everything(), {})
    assert (row.failed, row.figures) == ("no such op", {"batch": 1})


@pytest.mark.parametrize("native_ops", [True, False])
def test_function_bodies_are_a_candidate_only_beside_native_ops(
    monkeypatch: pytest.MonkeyPatch, native_ops: bool
) -> None:
    chosen = SimpleNamespace(path="lib.so" if native_ops else None)
    monkeypatch.setattr(cpu.native, "native_ops", lambda _: chosen)
    names = cpu.chosen_kinds(cpu.parser().parse_args([]))
    assert any(name.endswith("-bodies") for name in names) == native_ops
    assert cpu.chosen_kinds(cpu.parser().parse_args(["--only", "ann"])) == ["ann"]


def test_exits_count_the_tokens_of_executed_timesteps_only() -> None:
    last = np.full((1, 4, 64), 4)
    last[:, 1:] = 1  # from the second timestep on all tokens halt in the first block
    replay = Replay(last, np.array([1]), 4)
    kept, timesteps, early = cpu.work(cpu.KINDS["halting-exit"], replay)
    share, _, whole = cpu.work(cpu.KINDS["halting"], replay)
    assert (kept, timesteps) == (1.0, 1.0)
    assert share == pytest.approx((4 + 3) / 16)
    assert early is not None and whole is not None and early < whole


def test_the_command_writes_the_rows_that_it_prints(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    speeds = {"ann": 4.0, "halting": 1.0, "gemm": 10.0, "gemm-int8": 5.0}

    @contextmanager
    def workers(names: list[str], *_: object) -> Any:
        yield {name: worker(speeds[name]) for name in names}

    monkeypatch.setattr(cpu, "workers", workers)
    monkeypatch.setattr(cpu, "digits_replay", lambda _: everything(images=2))
    out = tmp_path / "cpu.json"
    asked = ["--only", "ann", "halting", "--quick", "--images", "2", "--no-native-ops"]
    with cpu.console.capture() as captured:
        assert cpu.main([*asked, "--json", str(out)]) == 0
    stored = json.loads(out.read_text())
    assert [(row["name"], row["ms"]) for row in stored["rows"]] == [("ann", 4.0), ("halting", 1.0)]
    assert "1.000 over all timesteps, 2.00 timesteps with early exit" in stored["conditions"]
    text = captured.get()
    assert "batch 1" in text and "4.00" in text  # four times as fast as the ANN


def test_the_checkpoint_that_is_replayed_can_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, Path]] = []
    monkeypatch.setattr(cpu, "zoo_replay", lambda *what: asked.append(what))
    for options in ([], ["--replay", "silent.pt"]):
        cpu.replayed(cpu.settled(cpu.parser().parse_args(["--data", "cifar10.zip", *options])))
    assert [(data, path.name) for data, path in asked] == [
        ("cifar10.zip", "halting.pt"), ("cifar10.zip", "silent.pt")
    ]  # fmt: skip


def test_a_checkpoint_to_replay_needs_its_images() -> None:
    with pytest.raises(ConfigError, match="add --data PATH"):
        cpu.settled(cpu.parser().parse_args(["--replay", "silent.pt"]))
