"""What is not installed, and what is installed and cannot be loaded, are two different things."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from spikehalt.errors import MissingExtraError
from spikehalt.extras import install_command, require_extra


def test_a_package_that_is_not_installed_is_told_with_the_command_that_brings_it() -> None:
    with pytest.raises(MissingExtraError) as told:
        require_extra("absent_package.part", "sign", "signing")

    assert str(told.value) == (
        f"signing needs absent_package, which is not installed: {install_command('sign')}"
    )


@pytest.mark.parametrize(
    "loading",
    [
        "raise ImportError('libstdc++.so.6: version GLIBCXX_3.4.32 not found')",
        "raise OSError('libnvinfer.so.10: cannot open shared object file: GLIBCXX')",
        "raise RuntimeError('module compiled against another ABI, GLIBCXX')",
        "raise MemoryError",
    ],
)
def test_a_package_that_cannot_be_loaded_is_told_with_its_own_reason(
    loading: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken_package.py").write_text(loading)
    monkeypatch.syspath_prepend(tmp_path)
    sys.modules.pop("broken_package", None)

    with pytest.raises(MissingExtraError) as told:
        require_extra("broken_package", "sign", "signing")

    said = str(told.value)
    assert "needs broken_package, which is installed and cannot be loaded: " in said
    assert "GLIBCXX" in said or "more memory than there is" in said
