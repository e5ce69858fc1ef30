from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from runtime.bundle import Bundle, ExitSpec, add_files, update_manifest, write_bundle
from runtime.errors import BundleFormatError, BundleIntegrityError, BundleWriteError
from tests.runtime.bundle.conftest import FILES
from tests.runtime.manifests import small_manifest

CALIBRATED = ExitSpec(default="entropy", entropy=0.3, calibration={"images": 3})


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


def test_writers_of_one_new_place_all_end_well(tmp_path: Path) -> None:
    def write(number: int) -> Bundle:
        return write_bundle(tmp_path / "a.bundle", small_manifest(name=f"w{number}"), FILES)

    with ThreadPoolExecutor(8) as pool:
        written = list(pool.map(write, range(24)))

    last = Bundle.open(tmp_path / "a.bundle").manifest.name
    assert last in {f"w{number}" for number in range(24)} and len(written) == 24
    assert os.listdir(tmp_path) == ["a.bundle"]


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda path: (path / "manifest.sig").write_bytes(b"x" * 64), "a signature"),
        (lambda path: add_files(path, {"a.plan": b"engine"}), "a.plan"),
        (
            lambda path: update_manifest(
                path, small_manifest(files=Bundle.open(path).manifest.files, exit=CALIBRATED)
            ),
            "calibrated exit thresholds",
        ),
    ],
)
def test_nothing_is_lost_unasked(path: Path, make: Callable[[Path], object], named: str) -> None:
    make(path)
    before = {each.name: each.read_bytes() for each in path.iterdir()}

    with pytest.raises(BundleWriteError, match=f"{named}.* pass overwrite=True"):
        write_bundle(path, small_manifest(), FILES)
    assert {each.name: each.read_bytes() for each in path.iterdir()} == before

    write_bundle(path, small_manifest(), FILES, overwrite=True)
    assert sorted(os.listdir(path)) == sorted([*FILES, "manifest.json"])


def test_thresholds_that_the_new_bundle_has_too_are_not_lost(path: Path) -> None:
    for _ in range(2):
        write_bundle(path, small_manifest(exit=CALIBRATED), FILES)
    assert Bundle.open(path).manifest.exit == CALIBRATED
