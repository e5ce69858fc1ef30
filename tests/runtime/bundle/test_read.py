from __future__ import annotations

import dataclasses
import os
from importlib.util import find_spec
from pathlib import Path

import pytest

from runtime.bundle.read import Bundle, ExitSpec, add_files, update_manifest, write_bundle
from runtime.errors import BundleFormatError, BundleIntegrityError, BundleWriteError
from tests.runtime.manifests import small_manifest

FILES = {"first.onnx": b"first graph", "next.onnx": b"next graph"}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    write_bundle(tmp_path / "a.bundle", small_manifest(), FILES)
    return tmp_path / "a.bundle"


def test_what_was_written_is_read(path: Path) -> None:
    bundle = Bundle.open(path)

    assert {name: bundle.read(name) for name in bundle.manifest.files} == FILES
    assert bundle.manifest == dataclasses.replace(small_manifest(), files=bundle.manifest.files)
    assert bundle.manifest.files["first.onnx"].bytes == 11


def test_nothing_else_is_left_beside_the_bundle(path: Path) -> None:
    write_bundle(path, small_manifest(name="second"), FILES)

    assert os.listdir(path.parent) == ["a.bundle"]
    assert sorted(os.listdir(path)) == ["first.onnx", "manifest.json", "next.onnx"]
    assert Bundle.open(path).manifest.name == "second"


def test_files_can_be_copied_from_paths(tmp_path: Path) -> None:
    source = tmp_path / "graph"
    source.write_bytes(b"x" * 3_000_000)

    bundle = write_bundle(tmp_path / "a.bundle", small_manifest(), {**FILES, "first.onnx": source})

    assert bundle.read("first.onnx") == source.read_bytes()


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


def test_a_folder_of_the_user_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "photo.png").write_bytes(b"dear")

    with pytest.raises(BundleWriteError, match="not a bundle"):
        write_bundle(tmp_path, small_manifest(), FILES)
    assert (tmp_path / "photo.png").read_bytes() == b"dear"


def test_overwrite_can_be_forbidden(path: Path) -> None:
    with pytest.raises(BundleWriteError, match="overwrite=True"):
        write_bundle(path, small_manifest(), FILES, overwrite=False)


def test_a_manifest_that_contradicts_the_files_leaves_the_old_bundle(path: Path) -> None:
    with pytest.raises(BundleFormatError, match=r"lacks next\.onnx"):
        write_bundle(path, small_manifest(name="second"), {"first.onnx": b"x"})

    assert Bundle.open(path).manifest.name == "spikformer-2-8"
    assert os.listdir(path.parent) == ["a.bundle"]


@pytest.mark.parametrize(
    "name", ["../evil", "a/b", "", "..", "manifest.json", "manifest.sig", "a\\b"]
)
def test_files_cannot_be_written_outside(tmp_path: Path, name: str) -> None:
    with pytest.raises(BundleFormatError, match="not a plain file name"):
        write_bundle(tmp_path / "a.bundle", small_manifest(), {**FILES, name: b"x"})
    assert os.listdir(tmp_path) == []


def test_the_manifest_can_be_updated_alone(path: Path) -> None:
    before = Bundle.open(path)
    manifest = dataclasses.replace(before.manifest, exit=ExitSpec(default="entropy", entropy=0.3))

    after = update_manifest(path, manifest)

    assert after.manifest.exit.entropy == 0.3
    assert after.fingerprint != before.fingerprint
    assert Bundle.open(path).read("first.onnx") == FILES["first.onnx"]


def test_an_update_may_not_list_files_that_are_not_there(path: Path) -> None:
    manifest = Bundle.open(path).manifest
    wrong = {**manifest.files, "x.plan": manifest.files["first.onnx"]}

    with pytest.raises(BundleIntegrityError, match=r"x\.plan is missing"):
        update_manifest(path, dataclasses.replace(manifest, files=wrong))


def test_engines_can_be_added_and_replaced(path: Path) -> None:
    add_files(path, {"first.plan": b"one"})
    bundle = add_files(path, {"first.plan": b"another"})

    assert bundle.read("first.plan") == b"another"
    assert bundle.read("first.onnx") == FILES["first.onnx"]
    with pytest.raises(BundleFormatError, match="write a new bundle"):
        add_files(path, {"first.onnx": b"x"})


def test_advice_names_a_command_that_exists_wherever_it_is_installed(tmp_path: Path) -> None:
    with pytest.raises(BundleFormatError, match=r"`python -m export\.to_trt` writes bundles"):
        Bundle.open(tmp_path / "nowhere")
    assert find_spec("export.to_trt") is not None
