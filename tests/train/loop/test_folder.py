from __future__ import annotations

from pathlib import Path

import pytest

from spikehalt.errors import ConfigError
from train.loop.folder import check_unused, used


def put(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).write_bytes(b"x")


@pytest.mark.parametrize("name", ["static.pt", "halting.pt", "last.pt"])
def test_a_folder_that_holds_a_run_is_refused(tmp_path: Path, name: str) -> None:
    check_unused(str(tmp_path / "new"))
    put(tmp_path, "log.csv", "notes.txt")
    check_unused(str(tmp_path))
    put(tmp_path, name)
    with pytest.raises(ConfigError, match=rf"holds a run already \({name}\): .* --overwrite") as e:
        check_unused(str(tmp_path), start=str(tmp_path.parent / "other" / name))
    assert ("train resume" in str(e.value)) == (name == "last.pt")


def test_a_run_that_goes_on_in_its_folder_is_not(tmp_path: Path) -> None:
    put(tmp_path, "static.pt", "last.pt")
    check_unused(str(tmp_path), start=str(tmp_path / "static.pt"))
    put(tmp_path, "halting.pt")
    check_unused(str(tmp_path), start=str(tmp_path / "last.pt"))
    assert used(str(tmp_path), str(tmp_path / "static.pt")) == [tmp_path / "halting.pt"]
