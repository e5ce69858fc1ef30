from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from spikehalt.errors import ConfigError
from tests.train.samples import quick_run
from train.checkpoint import load_checkpoint, save_checkpoint
from train.loop import once as module
from train.loop.once import train_once


def test_a_finished_run_is_not_trained_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = quick_run(tmp_path)
    path = train_once(config)
    assert path.name == "halting.pt"
    monkeypatch.setattr(module, "run", lambda *_, **__: pytest.fail("trained again"))
    assert train_once(config) == path


def test_a_stopped_run_is_resumed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = quick_run(tmp_path, halting={"epochs": 0})
    path = train_once(config)
    path.unlink()  # as after a kill before the end: last.pt alone is there
    resumed: list[str] = []
    original = module.resume
    monkeypatch.setattr(module, "resume", lambda path: resumed.append(path.name) or original(path))
    assert train_once(config) == path and path.exists()
    assert resumed == ["last.pt"]


@pytest.mark.parametrize("left", ["static.pt", "last.pt"])
def test_what_other_settings_left_in_the_folder_is_refused(tmp_path: Path, left: str) -> None:
    config = quick_run(tmp_path, halting={"epochs": 0})
    path = train_once(config)
    if left == "last.pt":
        path.unlink()
    with pytest.raises(ConfigError, match=rf"{left} is of a run with another batch_size: train"):
        train_once(replace(config, batch_size=32))


def test_a_run_from_a_start_is_found_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its static phase is recorded as the start had it, whatever the recipe says."""
    train_once(quick_run(tmp_path / "first", static={"epochs": 1}, halting={"epochs": 0}))
    start = load_checkpoint(tmp_path / "first" / "static.pt")
    config = quick_run(tmp_path / "second", static={"epochs": 3})
    path = train_once(config, start)
    monkeypatch.setattr(module, "run", lambda *_, **__: pytest.fail("trained again"))
    assert train_once(config, start) == path
    path.unlink()
    assert train_once(config, start) == path


def test_a_run_from_before_a_setting_existed_is_found(tmp_path: Path) -> None:
    config = quick_run(tmp_path, halting={"epochs": 0})
    path = train_once(config)
    found = load_checkpoint(path)
    older = {name: value for name, value in found.run.items() if name != "ema_decay"}
    save_checkpoint(path, replace(found, run=older))
    assert train_once(config) == path
