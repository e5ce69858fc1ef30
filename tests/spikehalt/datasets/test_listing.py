from __future__ import annotations

import os
import shutil
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from spikehalt.datasets.errors import DataFileError
from spikehalt.datasets.listing import describe_left_out, list_files
from spikehalt.datasets.names import IMAGE_SUFFIXES

DATA = ["train/a/0.png", "train/a/1.JPG", "train/b/deep/2.tif", "test/a/3.jp2", "test/b/4.avif"]
JUNK = [
    ".hidden/x.png", "train/.ipynb_checkpoints/0.png", "train/a/.ipynb_checkpoints/1.png",
    "train/a/._0.png", "__MACOSX/train/a/._0.png", "__macosx/x.png", "train/a/.DS_Store",
    "train/a/Thumbs.db", "desktop.ini", "@eaDir/0.png",
]  # fmt: skip

Make = Callable[[Path, list[str]], Path]


def folder(path: Path, names: list[str]) -> Path:
    for name in names:
        (path / "d" / name).parent.mkdir(parents=True, exist_ok=True)
        (path / "d" / name).write_bytes(b"content")
    return path / "d"


def zipped(path: Path, names: list[str]) -> Path:
    with zipfile.ZipFile(path / "d.zip", "w") as archive:
        for name in names:
            archive.writestr(name, b"content")
    return path / "d.zip"


@pytest.mark.parametrize("make", [folder, zipped])
def test_what_systems_leave_is_no_data(make: Make, tmp_path: Path) -> None:
    listing = list_files(make(tmp_path, [*DATA, *JUNK]), IMAGE_SUFFIXES)
    assert list(listing.files) == sorted(DATA) and listing.left_out == ()
    assert listing.read("test/a/3.jp2") == b"content"


@pytest.mark.parametrize("make", [folder, zipped])
def test_what_is_left_out_is_counted_and_named(make: Make, tmp_path: Path) -> None:
    others = ["train/a/0.psd", "train/a/1.PSD", "train/b/notes", "labels.txt"]
    listing = list_files(make(tmp_path, [*DATA, *others]), IMAGE_SUFFIXES)
    assert list(listing.left_out) == sorted(others)
    assert describe_left_out("d", 5, listing.left_out, ["x.png"]) == (
        "d: 5 of 10 files read; skipped: 2 .psd, 1 .txt, 1 without a suffix, "
        "1 in no folder of a split and class (such as labels.txt)"
    )
    assert describe_left_out("d", 5, ()) is None


def test_a_hidden_name_that_the_user_gave_is_no_reason_to_skip(tmp_path: Path) -> None:
    root = folder(tmp_path / ".cache" / "__MACOSX", DATA)
    assert len(list_files(root, IMAGE_SUFFIXES).files) == len(DATA)


def test_links_are_followed_and_cycles_noticed(tmp_path: Path) -> None:
    real = folder(tmp_path, DATA)
    view = tmp_path / "view"
    (view / "train").mkdir(parents=True)
    os.symlink(real / "train" / "a", view / "train" / "a")
    os.symlink(real / "test", view / "test")
    os.symlink(real / "train" / "b" / "deep" / "2.tif", view / "train" / "one.tif")
    os.symlink(view, view / "train" / "again")
    os.symlink("loop", view / "train" / "loop")
    (real / "test" / "b" / "up").symlink_to(real / "test")
    listing = list_files(view, IMAGE_SUFFIXES)
    assert list(listing.files) == [
        "test/a/3.jp2", "test/b/4.avif", "train/a/0.png", "train/a/1.JPG", "train/one.tif",
    ]  # fmt: skip
    assert list(listing.left_out) == ["test/b/up/", "train/again/", "train/loop"]


def test_two_folders_that_link_to_each_other_end(tmp_path: Path) -> None:
    root = folder(tmp_path, ["a/0.png", "b/0.png"])
    os.symlink(root / "b", root / "a" / "b")
    os.symlink(root / "a", root / "b" / "a")
    listing = list_files(root, IMAGE_SUFFIXES)
    assert list(listing.files) == ["a/0.png", "a/b/0.png", "b/0.png", "b/a/0.png"]
    assert list(listing.left_out) == ["a/b/a/", "b/a/b/"]


def test_links_that_multiply_are_refused(tmp_path: Path) -> None:
    names = "abcdefghij"
    root = folder(tmp_path, [f"{name}/0.png" for name in names])
    for name in names:
        for other in names:
            os.symlink(root / other, root / name / f"to {other}")
    with pytest.raises(DataFileError, match="same folders more than 10000 times"):
        list_files(root, IMAGE_SUFFIXES)


def test_a_folder_that_goes_while_it_is_listed_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, isdir = folder(tmp_path, DATA), os.path.isdir

    def remove_what_was_seen(place: Path) -> bool:
        was = isdir(place)
        if Path(place).name == "train":
            shutil.rmtree(place)
        return was

    monkeypatch.setattr(os.path, "isdir", remove_what_was_seen)
    with pytest.raises(DataFileError, match="train cannot be listed: No such file"):
        list_files(root, IMAGE_SUFFIXES)


def test_folders_without_a_file_are_named(tmp_path: Path) -> None:
    root = folder(tmp_path, DATA)
    (root / "train" / "c" / "deep").mkdir(parents=True)
    assert list_files(root, IMAGE_SUFFIXES).left_out == ("train/c/deep/",)
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("train/", "")
        archive.writestr("train/c/", "")
        archive.writestr("train/a/0.png", b"")
    assert list_files(tmp_path / "x.zip", IMAGE_SUFFIXES).left_out == ("train/c/",)


def test_links_in_a_zip_are_no_pictures(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("a/0.png", b"content")
        link = zipfile.ZipInfo("a/1.png")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "0.png")
    listing = list_files(tmp_path / "x.zip", IMAGE_SUFFIXES)
    assert listing.files == ("a/0.png",) and listing.left_out == ("a/1.png/",)


def test_zips_with_backslashes_and_ways_out_are_read_as_what_they_mean(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("train\\a\\0.png", b"content")
        archive.writestr("../../a/1.png", b"content")
        archive.writestr("./train/a/2.png", b"content")
    listing = list_files(tmp_path / "x.zip", IMAGE_SUFFIXES)
    assert listing.files == ("./train/a/2.png", "train/a/0.png")
    assert listing.read("train/a/0.png") == b"content"


def test_a_deep_tree_is_walked(tmp_path: Path) -> None:
    here = os.getcwd()
    os.chdir(tmp_path)
    try:
        for _ in range(300):
            os.mkdir("d")
            os.chdir("d")
        Path("0.png").write_bytes(b"")
    finally:
        os.chdir(here)
    assert len(list_files(tmp_path, IMAGE_SUFFIXES).files) == 1


@pytest.mark.skipif(os.geteuid() == 0, reason="root may list every folder")
def test_a_folder_that_may_not_be_listed_is_named(tmp_path: Path) -> None:
    root = folder(tmp_path, DATA)
    (root / "train" / "b").chmod(0)
    try:
        with pytest.raises(DataFileError, match="train/b cannot be listed: Permission denied"):
            list_files(root, IMAGE_SUFFIXES)
    finally:
        (root / "train" / "b").chmod(0o755)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "x.zip does not exist"),
        (b"PK no", "neither a folder nor a readable zip"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "a Git LFS pointer"),
    ],
)
def test_what_is_no_data_set_is_named(content: bytes | None, message: str, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "x.zip").write_bytes(content)
    with pytest.raises(DataFileError, match=message):
        list_files(tmp_path / "x.zip", IMAGE_SUFFIXES)
