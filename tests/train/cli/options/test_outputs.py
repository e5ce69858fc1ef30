from __future__ import annotations

import os
from pathlib import Path

import pytest

from spikehalt.errors import ConfigError
from train.cli.options.outputs import check_writable


def test_a_file_that_can_be_written_is_not_touched(tmp_path: Path) -> None:
    check_writable(tmp_path / "new.json", "--out")
    check_writable(tmp_path / "deep" / "er" / "new.png", "--out", makes_folders=True)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"--out .*the folder .*nope does not exist; make it"):
        check_writable(tmp_path / "nope" / "x", "--out")


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is a folder; name a file in it"):
        check_writable(tmp_path, "--out")


@pytest.mark.parametrize("makes_folders", [True, False])
def test_a_file_holds_no_files(tmp_path: Path, makes_folders: bool) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="file is no folder; name a file in one"):
        check_writable(tmp_path / "file" / "x.png", "--out", makes_folders=makes_folders)


def test_a_file_without_permission_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(ConfigError, match="may not be written"):
        check_writable(tmp_path / "x.json", "--out")
