from __future__ import annotations

import os
import socket
import zipfile
from pathlib import Path

import pytest

from spikehalt.datasets.errors import DataFileError
from spikehalt.datasets.reading import MAX_FILE_BYTES, open_zip, read_file, read_member


def fifo(path: Path) -> None:
    os.mkfifo(path)


def device(path: Path) -> None:
    os.symlink("/dev/zero", path)


def listening(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as endpoint:
        endpoint.bind(str(path))


@pytest.mark.parametrize("make", [fifo, device, listening, Path.mkdir])
def test_what_is_no_regular_file_is_refused_without_waiting(make, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    make(tmp_path / "x.png")
    for read in (read_file, lambda path: read_member(path, "0.png"), open_zip):
        with pytest.raises(DataFileError, match=r"x\.png cannot be read: it is not a regular file"):
            read(tmp_path / "x.png")


def test_sizes_are_bounded_before_and_after_unpacking(tmp_path: Path) -> None:
    with open(tmp_path / "big", "wb") as file:
        file.truncate(MAX_FILE_BYTES + 1)
    with pytest.raises(DataFileError, match="the limit is 10"):
        read_file(tmp_path / "big", 10)
    with zipfile.ZipFile(tmp_path / "x.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("0.png", bytes(100_000))
    with pytest.raises(DataFileError, match=r"0\.png .* 100000 bytes or more, the limit is 99999"):
        read_member(tmp_path / "x.zip", "0.png", 99_999)
    assert read_member(tmp_path / "x.zip", "0.png", 100_000) == bytes(100_000)


def test_missing_files_and_members_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataFileError, match="gone cannot be read: No such file"):
        read_file(tmp_path / "gone")
    with zipfile.ZipFile(tmp_path / "x.zip", "w"):
        pass
    with pytest.raises(DataFileError, match=r"x\.zip/0\.png cannot be read"):
        read_member(tmp_path / "x.zip", "0.png")


def test_a_damaged_member_is_named_whatever_the_decompressor_raises(tmp_path: Path) -> None:
    for kind in (zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        path = tmp_path / f"{kind}.zip"
        with zipfile.ZipFile(path, "w", kind) as archive:
            archive.writestr("0.png", os.urandom(3000) + bytes(3000))
        content = path.read_bytes()
        for at in range(40, 400, 40):
            path.write_bytes(content[:at] + b"\xff" * 8 + content[at + 8 :])
            with pytest.raises(DataFileError, match=r"0\.png cannot be read"):
                read_member(path, "0.png")


def test_a_pointer_in_place_of_the_file_says_how_to_fetch_it(tmp_path: Path) -> None:
    (tmp_path / "0.png").write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n")
    with pytest.raises(DataFileError, match=r"Git LFS pointer, .* `git lfs pull` fetches it"):
        read_file(tmp_path / "0.png")
