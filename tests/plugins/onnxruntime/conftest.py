from __future__ import annotations

from pathlib import Path

import pytest

from tests.plugins.onnxruntime.nodes import Native


@pytest.fixture(scope="session")
def native(native_library: Path) -> Native:
    return Native(str(native_library))
