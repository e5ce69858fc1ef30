from __future__ import annotations

from pathlib import Path

import pytest

from runtime.bundle import write_bundle
from tests.runtime.manifests import small_manifest

FILES = {"first.onnx": b"first graph", "next.onnx": b"next graph"}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    write_bundle(tmp_path / "a.bundle", small_manifest(), FILES)
    return tmp_path / "a.bundle"
