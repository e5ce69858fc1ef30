from __future__ import annotations

import json
from typing import Any

import pytest

from runtime.bundle import EnergySpec, ExitSpec, FileEntry, Manifest
from runtime.errors import BundleFormatError, BundleVersionError
from spikehalt.datasets.preprocessing import Preprocessing
from tests.runtime.manifests import small_manifest

ENTRY = FileEntry(sha256="0" * 64, bytes=3)


def test_survives_a_round_trip_through_json() -> None:
    manifest = small_manifest(
        energy=EnergySpec(
            once_mj=1, per_timestep_mj=0.5, per_token_mj=(0.1, 0.2), source="measured"
        ),
        exit=ExitSpec(default="halting", halting=1.5, calibration={"images": 100}),
        files={"first.onnx": ENTRY, "next.onnx": ENTRY},
    )

    assert Manifest.from_json(manifest.to_json()) == manifest


def test_newer_format_gets_one_clear_sentence() -> None:
    data = {**json.loads(small_manifest().to_json()), "format_version": 7, "unheard_of": 1}

    with pytest.raises(BundleVersionError, match="bundle format 7, this runtime reads up to 1"):
        Manifest.from_json(json.dumps(data))


@pytest.mark.parametrize("version", [0, -1, True, "1", None])
def test_format_version_must_be_a_positive_integer(version: Any) -> None:
    data = {**json.loads(small_manifest().to_json()), "format_version": version}

    with pytest.raises(BundleFormatError, match="positive integer"):
        Manifest.from_json(json.dumps(data))


def test_a_foreign_json_file_is_not_ours() -> None:
    with pytest.raises(BundleFormatError, match="not one of ours"):
        Manifest.from_json('{"format": "zip"}')


def test_bundles_from_before_preprocessing_was_written_open_with_its_defaults() -> None:
    plain = json.loads(small_manifest().to_json())
    del plain["input"]["preprocessing"]
    assert Manifest.from_json(json.dumps(plain)).input.preprocessing == Preprocessing()
    plain["input"]["preprocessing"] = {"fit": "crop", "crop_share": 2}
    with pytest.raises(BundleFormatError, match=r"crop_share 2.0 is not in \(0, 1\]"):
        Manifest.from_json(json.dumps(plain))
