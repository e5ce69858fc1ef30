from __future__ import annotations

import errno
import hashlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from runtime.bundle.read import Bundle, update_manifest, write_bundle
from runtime.errors import BundleWriteError
from spikehalt import files as atomic
from tests.runtime.manifests import small_manifest

FILES = {"first.onnx": b"first graph", "next.onnx": b"next graph"}


def test_returns_hash_and_size(tmp_path: Path) -> None:
    data = os.urandom(2_500_000)

    assert atomic.write_file(tmp_path / "x", data) == (hashlib.sha256(data).hexdigest(), len(data))


def test_permissions_follow_the_umask(tmp_path: Path) -> None:
    old = os.umask(0o027)
    try:
        atomic.replace_file(tmp_path / "x", b"")
        with atomic.replacing_folder(tmp_path / "f"):
            pass
    finally:
        os.umask(old)

    assert (tmp_path / "x").stat().st_mode & 0o777 == 0o640
    assert (tmp_path / "f").stat().st_mode & 0o777 == 0o750


@pytest.mark.parametrize("can_exchange", [True, False])
def test_a_failing_block_leaves_the_old_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, can_exchange: bool
) -> None:
    if not can_exchange:
        monkeypatch.setattr(atomic, "_exchange", lambda a, b: False)
    target = tmp_path / "f"
    for content in ("old", "new"):
        with atomic.replacing_folder(target) as folder:
            (folder / content).write_text(content)
    with pytest.raises(KeyError), atomic.replacing_folder(target) as folder:
        raise KeyError

    assert os.listdir(target) == ["new"]
    assert os.listdir(tmp_path) == ["f"]


def test_a_rename_that_fails_half_way_is_undone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "f"
    target.mkdir()
    (target / "old").write_text("old")
    rename = os.rename

    def failing(source: Any, destination: Any) -> None:
        if Path(source).name.startswith(".f.tmp-"):
            raise OSError(errno.ENOSPC, "No space left on device")
        rename(source, destination)

    monkeypatch.setattr(atomic, "_exchange", lambda a, b: False)
    monkeypatch.setattr(os, "rename", failing)
    with pytest.raises(OSError, match="No space"), atomic.replacing_folder(target):
        pass

    assert os.listdir(target) == ["old"]
    assert os.listdir(tmp_path) == ["f"]


def test_a_full_disk_leaves_the_old_bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.bundle"
    manifest = write_bundle(path, small_manifest(), FILES).manifest

    def full(fd: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(BundleWriteError, match="No space left"):
        write_bundle(path, small_manifest(name="second"), FILES)
    with pytest.raises(BundleWriteError, match="No space left"):
        update_manifest(path, manifest)

    assert Bundle.open(path).manifest == manifest
    assert os.listdir(tmp_path) == ["a.bundle"]


KILLED = """
import os, sys
from pathlib import Path

from runtime.bundle.read import Bundle, update_manifest, write_bundle
from tests.runtime.manifests import small_manifest
calls, limit, what = 0, int(sys.argv[2]), sys.argv[3]
real = os.fsync
def dying(fd):
    global calls
    calls += 1
    if calls > limit:
        os.kill(os.getpid(), 9)
    real(fd)
os.fsync = dying
path = Path(sys.argv[1])
if what == "write":
    write_bundle(path, small_manifest(name="second"), {"first.onnx": b"F", "next.onnx": b"N"})
else:
    update_manifest(path, Bundle.open(path).manifest)
"""


@pytest.mark.parametrize(("what", "limit"), [("write", 0), ("write", 2), ("write", 4), ("up", 0)])
def test_a_killed_writer_leaves_a_whole_bundle(tmp_path: Path, what: str, limit: int) -> None:
    path = tmp_path / "a.bundle"
    write_bundle(path, small_manifest(), FILES)

    command = [sys.executable, "-c", KILLED, str(path), str(limit), what]
    result = subprocess.run(command, cwd=Path(__file__).parents[2], check=False)

    assert result.returncode == -9
    assert Bundle.open(path).manifest.name in ("spikformer-2-8", "second")
