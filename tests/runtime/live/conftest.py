from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from runtime.bundle import EnergySpec, write_bundle
from runtime.bundle.read import Bundle
from tests.runtime.toy import SIDE, toy_files, toy_manifest

ENERGY = EnergySpec(once_mj=1.0, per_timestep_mj=0.5, per_token_mj=(0.1, 0.01), source="tests")
PICTURES = 6


def write_toy(path: Path, **changes: object) -> Bundle:
    """A toy bundle with energy constants; keyword arguments change its manifest."""
    manifest = toy_manifest(**{"energy": ENERGY, **changes})
    return write_bundle(path, manifest, toy_files(manifest), overwrite=True)


def write_pictures(folder: Path) -> Path:
    """Pictures from dark to bright, of one colour each."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number in range(PICTURES):
        pixels = rng.integers(0, 90, (SIDE, SIDE, 3))
        pixels[..., number % 3] += 30 * number
        Image.fromarray(pixels.astype(np.uint8)).save(folder / f"picture {number}.png")
    return folder


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with toy.bundle, other.bundle, events.bundle and pictures."""
    place = tmp_path_factory.mktemp("live")
    write_toy(place / "toy.bundle")
    write_toy(place / "other.bundle", name="other", timesteps=2)
    write_toy(place / "events.bundle", kind="frames")
    write_pictures(place / "pictures")
    return place
