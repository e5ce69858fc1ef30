from __future__ import annotations

import dataclasses
import os
from importlib.util import find_spec
from pathlib import Path

import pytest

from runtime.bundle import Bundle, read, write_bundle
from runtime.errors import BundleFormatError, BundleIntegrityError
from spikehalt.reading import LFS_POINTER
from tests.runtime.bundle.conftest import FILES
from tests.runtime.manifests import small_manifest


def test_what_was_written_is_read(path: Path) -> None:
    bundle = Bundle.open(path)

    assert {name: bundle.read(name) for name in bundle.manifest.files} == FILES
    assert bundle.manifest == dataclasses.replace(small_manifest(), files=bundle.manifest.files)
    assert bundle.manifest.files["first.onnx"].bytes == 11


@pytest.mark.parametrize("verify", [True, False])
def test_a_missing_file_is_named(path: Path, verify: bool) -> None:
    (path / "next.onnx").unlink()

    with pytest.raises(BundleIntegrityError, match=r"next\.onnx is missing"):
        Bundle.open(path, verify=verify)


@pytest.mark.parametrize("verify", [True, False])
def test_a_truncated_file_is_named(path: Path, verify: bool) -> None:
    (path / "next.onnx").write_bytes(b"next")

    with pytest.raises(BundleIntegrityError, match="truncated: 4 bytes, the manifest says 10"):
        Bundle.open(path, verify=verify)


def test_a_modified_file_is_named(path: Path) -> None:
    (path / "next.onnx").write_bytes(b"NEXT graph")

    with pytest.raises(BundleIntegrityError, match=r"next\.onnx was modified"):
        Bundle.open(path)
    with pytest.raises(BundleIntegrityError, match=r"next\.onnx was modified"):
        Bundle.open(path, verify=False).read("next.onnx")


def test_a_file_that_grew_after_opening_is_not_read(path: Path) -> None:
    bundle = Bundle.open(path)
    (path / "next.onnx").write_bytes(b"next graph and more")

    with pytest.raises(BundleIntegrityError, match="longer than declared"):
        bundle.read("next.onnx")


def test_a_link_out_of_the_bundle_is_refused(path: Path) -> None:
    outside = path.parent / "secret"
    outside.write_bytes(FILES["next.onnx"])
    (path / "next.onnx").unlink()
    (path / "next.onnx").symlink_to(outside)

    with pytest.raises(BundleIntegrityError, match="leads out of the bundle"):
        Bundle.open(path)


def test_a_link_to_itself_is_refused(path: Path) -> None:
    (path / "next.onnx").unlink()
    (path / "next.onnx").symlink_to("next.onnx")

    with pytest.raises(BundleIntegrityError, match=r"next\.onnx"):
        Bundle.open(path)


def test_a_pipe_in_place_of_a_file_does_not_hang(path: Path) -> None:
    (path / "next.onnx").unlink()
    os.mkfifo(path / "next.onnx")

    with pytest.raises(BundleIntegrityError, match="not a regular file"):
        Bundle.open(path)


def test_asking_for_an_unknown_file_names_the_nearest(path: Path) -> None:
    with pytest.raises(BundleFormatError, match=r"did you mean 'first\.onnx'"):
        Bundle.open(path).read("frist.onnx")


def test_what_is_not_a_bundle_gets_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "folder").mkdir()
    (tmp_path / "binary").mkdir()
    (tmp_path / "binary" / "manifest.json").write_bytes(b"\xff\xfe\x00")

    for name, message in [
        ("nothing", "does not exist"),
        ("file", "not a bundle folder"),
        ("folder", r"has no manifest\.json"),
        ("binary", "not UTF-8"),
    ]:
        with pytest.raises(BundleFormatError, match=message):
            Bundle.open(tmp_path / name)


def test_advice_names_a_command_that_exists_wherever_it_is_installed(tmp_path: Path) -> None:
    with pytest.raises(BundleFormatError, match=r"`python -m export\.to_trt` writes bundles"):
        Bundle.open(tmp_path / "nowhere")
    assert find_spec("export.to_trt") is not None


def replaced(path: Path, bundle: Bundle) -> bytes:
    """Another bundle at the same place; returns its first graph."""
    files = {**FILES, "first.onnx": b"another graph"}
    write_bundle(path, bundle.manifest, files)
    return files["first.onnx"]


def test_who_has_opened_a_bundle_keeps_it_while_it_is_replaced(path: Path) -> None:
    bundle = Bundle.open(path)
    other = replaced(path, bundle)

    assert {name: bundle.read(name) for name in bundle.manifest.files} == FILES
    assert Bundle.open(path).read("first.onnx") == other


def test_a_bundle_that_is_replaced_while_it_is_opened_is_the_new_one(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle, read_manifest, others = Bundle.open(path), read.read_manifest, []

    def then_replace(root: Path) -> bytes:
        data = read_manifest(root)
        if not others:
            others.append(b"")  # writing opens what was written
            others.append(replaced(path, bundle))
        return data

    monkeypatch.setattr(read, "read_manifest", then_replace)
    assert Bundle.open(path).read("first.onnx") == others[1]


@pytest.mark.parametrize("name", ["first.onnx", "manifest.json"])
def test_a_git_lfs_pointer_is_told(path: Path, name: str) -> None:
    (path / name).write_bytes(LFS_POINTER + b"v1\noid sha256:0\nsize 1\n")

    with pytest.raises(BundleIntegrityError, match=f"{name} is a Git LFS pointer"):
        Bundle.open(path)
