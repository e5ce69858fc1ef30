from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from benchmarks.studies import silence
from spikehalt.errors import ConfigError


class Counted:
    """An engine that says with how many timesteps it was called."""

    manifest = SimpleNamespace(timesteps=4)

    def __call__(self, images: Any, policy: str, max_timesteps: int) -> tuple[str, int]:
        return policy, max_timesteps


def report(checkpoint: str) -> Any:
    modules = [SimpleNamespace(acs=2e6), SimpleNamespace(acs=3e6)]
    return SimpleNamespace(
        checkpoint=checkpoint, accuracy=0.5, average_tokens=0.6, density=0.1, modules=modules,
        total_mj=0.02,
    )  # fmt: skip


def test_rows_are_named_by_folder_and_file() -> None:
    named = silence.names(["runs/a/halting.pt", "runs/b/halting.pt"])
    assert named == {"a/halting": "runs/a/halting.pt", "b/halting": "runs/b/halting.pt"}
    with pytest.raises(ConfigError, match="rename a folder"):
        silence.names(["one/a/halting.pt", "two/a/halting.pt"])


def test_a_network_is_timed_with_all_timesteps_and_with_the_first() -> None:
    calls = silence.calls_of("a", "int8", Counted())  # type: ignore[arg-type]
    image = np.zeros((1, 8, 8, 3), np.uint8)
    assert {name: call(image) for name, call in calls.items()} == {
        "a, int8, t = 1": ("never", 1),
        "a, int8, t = 4": ("never", 4),
    }


def test_a_row_sums_accumulates_and_takes_the_times_of_its_network(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    model = SimpleNamespace(model=SimpleNamespace(timesteps=4))
    monkeypatch.setattr(silence, "load_checkpoint", lambda path: model)
    ms = {
        "a, fp32, t = 4": 3.0,
        "a, int8, t = 4": 2.0,
        "a, int8, t = 1": 1.0,
        "b, int8, t = 1": 9.0,
    }
    row = silence.row("a", report("a.pt"), ms)
    assert (row["acs"], row["energy"]) == (5.0, 20.0)
    assert (row["fp32"], row["int8"], row["first"]) == (3.0, 2.0, 1.0)
    silence.table(silence.parser().parse_args(["a.pt"])).print([row])
    assert "50.00%" in capsys.readouterr().out


def test_it_measures_networks_beside_each_other(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    asked: list[Any] = []

    def measured(path: str, constants: Any, *, count: int, data_path: str) -> Any:
        asked.append((path, count, data_path))
        return report(path)

    monkeypatch.setattr(silence, "energy_report", measured)
    monkeypatch.setattr(silence, "times", lambda named, arguments: dict.fromkeys(
        (silence.call_name(name, precision, t) for name in named for precision in silence.BUNDLES
         for t in (1, 4)), 1.0))  # fmt: skip
    monkeypatch.setattr(
        silence, "load_checkpoint", lambda path: SimpleNamespace(model=Counted.manifest)
    )
    paths = [str(tmp_path / name / "halting.pt") for name in ("quiet", "loud")]
    assert silence.main([*paths, "--data", "images", "--images", "7"]) == 0
    assert asked == [(path, 7, "images") for path in paths]
    out = capsys.readouterr().out
    assert "quiet/halting" in out and "loud/halting" in out
