"""A search for something optional ends nothing: no home, a closed one, an unknown user."""

from __future__ import annotations

from pathlib import Path

import pytest

from runtime.backends.onnxruntime.native_ops import choose_native_ops
from runtime.backends.tensorrt.kernel_cache import KernelCache
from spikehalt.places import PLUGIN_FOLDER_VARIABLE, NoPlaceError, plugin_folder, why_no_file


def no_home() -> Path:
    raise RuntimeError("Could not determine home directory.")


def closed(self: Path) -> bool:
    raise PermissionError(13, "Permission denied", str(self))


@pytest.fixture
def without_home(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (PLUGIN_FOLDER_VARIABLE, "XDG_CACHE_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Path, "home", no_home)


@pytest.mark.usefixtures("without_home")
def test_without_a_home_the_error_says_what_to_set() -> None:
    with pytest.raises(NoPlaceError, match=r"no home folder.*set HOME.*SPIKEHALT_PLUGIN_DIR"):
        plugin_folder()


@pytest.mark.usefixtures("without_home")
def test_without_a_home_there_are_no_native_ops_and_no_kept_kernels(tmp_path: Path) -> None:
    chosen = choose_native_ops(None, wanted=None, device="cpu", precision="fp32")

    assert chosen.path is None and "no home folder" in chosen.why
    assert KernelCache(b"plan").path is None
    assert KernelCache(b"plan", tmp_path).path is not None


def test_a_home_that_may_not_be_read_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "is_file", closed)

    chosen = choose_native_ops(None, wanted=None, device="cpu", precision="fp32")
    assert chosen.path is None and "cannot be looked at: Permission denied" in chosen.why
    assert "Permission denied" in why_no_file(Path("x"))
