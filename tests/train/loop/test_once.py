from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from spikehalt.errors import ConfigError
from tests.train.samples import quick_run
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
