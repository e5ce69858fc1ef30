from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from runtime.bundle import Bundle, write_bundle
from tests.runtime.toy import SIDE, toy_files, toy_manifest

MakeBundle = Callable[..., Bundle]


@pytest.fixture
def make_bundle(tmp_path: Path) -> MakeBundle:
    """Writes a toy bundle; keyword arguments change its manifest."""

    def make(name: str = "toy.bundle", **changes: Any) -> Bundle:
        manifest = toy_manifest(**changes)
        return write_bundle(tmp_path / name, manifest, toy_files(manifest))

    return make


@pytest.fixture
def bundle(make_bundle: MakeBundle) -> Bundle:
    return make_bundle()


@pytest.fixture(scope="session")
def images() -> NDArray[np.uint8]:
    """Twelve images from dark to bright and from grey to one colour."""
    rng = np.random.default_rng(0)
    base = rng.integers(0, 256, (12, SIDE, SIDE, 3)) * np.linspace(0.1, 1, 12)[:, None, None, None]
    base[np.arange(12), :, :, np.arange(12) % 3] *= 1.6
    return np.clip(base, 0, 255).astype(np.uint8)


@pytest.fixture(scope="session")
def frames() -> NDArray[np.float32]:
    rng = np.random.default_rng(1)
    return rng.random((5, 4, 2, SIDE, SIDE), np.float32)
