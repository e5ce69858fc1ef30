from __future__ import annotations

from pathlib import Path

import pytest

from spikehalt.datasets.errors import DataFileError
from spikehalt.datasets.texts import read_names, read_text

NAMES = ("café", "grey owl", "猫")


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_utf8_is_read_with_and_without_its_mark(tmp_path: Path, mark: bytes, ending: str) -> None:
    (tmp_path / "names.txt").write_bytes(mark + ending.join([*NAMES, "", ""]).encode())
    assert read_names(tmp_path / "names.txt") == NAMES


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16", "cp1252"])
def test_another_encoding_is_named_with_its_line(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "names.txt").write_bytes("owl\ncafé\n".encode(encoding))
    with pytest.raises(DataFileError, match=r"names.txt is not UTF-8 text \(line \d+, byte \d+\)"):
        read_text(tmp_path / "names.txt")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "an empty class name"),
        ("a\n\nb\n", "an empty class name"),
        ("crane\nb\ncrane\n", r"1 class name\(s\) more than once, such as 'crane'"),
        ("caf\u00e9\ncafe\u0301\n", "more than once"),
    ],
)
def test_names_that_cannot_tell_classes_apart_are_refused(
    tmp_path: Path, content: str, message: str
) -> None:
    (tmp_path / "names.txt").write_text(content, encoding="utf-8")
    with pytest.raises(DataFileError, match=message):
        read_names(tmp_path / "names.txt")
