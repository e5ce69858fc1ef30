from __future__ import annotations

import errno
import hashlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from runtime.bundle import Bundle, update_manifest, write_bundle
from runtime.errors import BundleWriteError
from spikehalt import files as atomic
from spikehalt.files import put_file
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
from runtime.bundle import Bundle, update_manifest, write_bundle
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


def write_through_python(target: Path, code: str) -> subprocess.Popen[bytes]:
    program = (
        f"from pathlib import Path\nfrom spikehalt import files\ntarget = Path({str(target)!r})\n"
    )
    return subprocess.Popen(
        [sys.executable, "-c", program + code],
        cwd=Path(__file__).parents[2], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip


WAITS = "print('in', flush=True); input()"
WRITERS = {
    "folder": f"with files.replacing_folder(target) as folder:\n    {WAITS}",
    "file": f"with files._held(target, make_folder=False):\n    {WAITS}",
}


@pytest.mark.parametrize("kind", WRITERS)
def test_what_a_killed_writer_left_is_removed_by_the_next(tmp_path: Path, kind: str) -> None:
    target = tmp_path / "x"
    writer = write_through_python(target, WRITERS[kind])
    assert writer.stdout is not None and writer.stdout.readline() == b"in\n"
    (leftover,) = tmp_path.iterdir()

    atomic.replace_file(target, b"while it lives")
    assert sorted(tmp_path.iterdir()) == sorted([leftover, target])
    target.unlink()
    writer.kill()
    writer.communicate()
    with atomic.replacing_folder(target):
        pass

    assert list(tmp_path.iterdir()) == [target]


def test_only_names_of_the_same_target_are_swept(tmp_path: Path) -> None:
    others = [tmp_path / name for name in (".xy.tmp-01234567", ".x.tmp-0123", "x.tmp-01234567")]
    for other in others:
        other.touch()
    (tmp_path / ".x.old-01234567").mkdir()

    atomic.replace_file(tmp_path / "x", b"")

    assert sorted(tmp_path.iterdir()) == sorted([*others, tmp_path / "x"])


def test_where_nothing_can_be_locked_age_decides(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(atomic, "_CAN_LOCK", False)
    young, old = tmp_path / ".x.tmp-00000001", tmp_path / ".x.tmp-00000002"
    for path in (young, old):
        path.touch()
    os.utime(old, (0, 0))

    atomic.replace_file(tmp_path / "x", b"")

    assert sorted(tmp_path.iterdir()) == [young, tmp_path / "x"]


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("old")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("real")
    (tmp_path / "to-folder").symlink_to("folder")

    atomic.replace_file(tmp_path / "link", b"new")
    with atomic.replacing_folder(tmp_path / "to-folder") as folder:
        (folder / "inside").touch()

    assert (tmp_path / "link").is_symlink() and (tmp_path / "real").read_text() == "new"
    assert (tmp_path / "to-folder").is_symlink() and os.listdir(tmp_path / "folder") == ["inside"]


def test_a_fifo_is_written_into(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    reader = subprocess.Popen(["wc", "-c", str(path)], stdout=subprocess.PIPE)
    data = b"x" * 300_000  # more than a pipe holds
    while True:
        try:
            atomic.replace_file(path, data)
            break
        except OSError as error:
            assert error.errno == errno.ENXIO  # it is not opened yet

    assert int(reader.communicate()[0].split()[0]) == len(data) and path.is_fifo()


def test_a_fifo_without_a_reader_is_an_error(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="No such device or address"):
        atomic.replace_file(tmp_path / "pipe", b"")


def test_a_device_stays_a_device() -> None:
    atomic.replace_file(Path("/dev/null"), b"gone")
    assert Path("/dev/null").is_char_device()
    with pytest.raises(OSError, match="No space left"):
        atomic.replace_file(Path("/dev/full"), b"x")


def test_a_folder_does_not_replace_a_file(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("mine")
    with pytest.raises(NotADirectoryError), atomic.replacing_folder(tmp_path / "x"):
        pass
    assert (tmp_path / "x").read_text() == "mine"


def test_two_writers_of_one_new_folder_both_end_well(tmp_path: Path) -> None:
    target = tmp_path / "x"
    with atomic.replacing_folder(target) as first:
        (first / "first").touch()
        with atomic.replacing_folder(target) as second:
            (second / "second").touch()

    assert os.listdir(target) == ["first"] and os.listdir(tmp_path) == ["x"]


@pytest.mark.parametrize("name", ["x" * 255, "é" * 127])
def test_a_name_as_long_as_may_be_is_written_twice(tmp_path: Path, name: str) -> None:
    for content in ("old", "new"):
        put_file(tmp_path / name, content, "file")
    assert [(each.name, each.read_text()) for each in tmp_path.iterdir()] == [(name, "new")]


@pytest.mark.parametrize("name", ["x" * 255, "é" * 127, "短" * 85, "\udcff" * 255, "short"])
def test_a_long_name_leaves_room(name: str) -> None:
    short = atomic.short_name(name)
    assert len(short.encode()) <= 200 and name.startswith(short.rstrip("?"))
