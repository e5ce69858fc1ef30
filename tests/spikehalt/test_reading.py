"""Errors are mapped by place: whatever is raised while a file is read names that file."""

from __future__ import annotations

import zlib
from pathlib import Path

import pytest

from spikehalt.errors import ConfigError, OutputError, SpikehaltError
from spikehalt.reading import LFS_POINTER, reading, refuse_lfs_pointer

POINTER = LFS_POINTER + b"v1\noid sha256:0\nsize 9\n"


@pytest.mark.parametrize(
    "raised",
    [
        zlib.error("incorrect header"),
        EOFError(),
        MemoryError(),
        RecursionError("too deep"),
        KeyError("frames"),
        FileNotFoundError(2, "No such file or directory", "x"),
        type("OfSomeLibrary", (Exception,), {})("two\nlines"),
    ],
)
def test_whatever_a_library_raises_becomes_one_line_with_the_name(raised: Exception) -> None:
    one_line = r"^data/x\.npz cannot be read: ."
    with pytest.raises(ConfigError, match=one_line) as told, reading("data/x.npz", ConfigError):
        raise raised

    assert "\n" not in str(told.value) and told.value.__cause__ is raised


def test_errors_of_this_project_pass() -> None:
    with pytest.raises(OutputError, match="as told"), reading("x", ConfigError):
        raise OutputError("as told")


def test_ctrl_c_passes() -> None:
    with pytest.raises(KeyboardInterrupt), reading("x", ConfigError):
        raise KeyboardInterrupt


@pytest.mark.parametrize("raised", [ValueError("bad magic"), SpikehaltError("not ours")])
def test_a_git_lfs_pointer_is_recognised_whatever_its_reader_says(
    tmp_path: Path, raised: Exception
) -> None:
    path = tmp_path / "ckpt.pt"
    path.write_bytes(POINTER)

    pointer = r"ckpt\.pt is a Git LFS pointer.*git lfs pull"
    with pytest.raises(ConfigError, match=pointer), reading(path, ConfigError):
        raise raised


def test_bytes_may_be_a_pointer_too() -> None:
    with pytest.raises(ConfigError, match="Git LFS pointer"):
        refuse_lfs_pointer("a.zip/x.png", POINTER, ConfigError)
    assert refuse_lfs_pointer("x", b"\x89PNG", ConfigError) == b"\x89PNG"


def test_names_that_are_not_utf8_can_be_printed() -> None:
    with pytest.raises(ConfigError) as told, reading("\udcff.jpg", ConfigError):
        raise ValueError("damaged")

    assert str(told.value).encode()
