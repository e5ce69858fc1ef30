"""Put a fake TensorRT and a fake GPU in the place of the real ones."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import export.engines.targets.choose
import export.engines.targets.tensorrt
import runtime.backends.tensorrt.open
from runtime.errors import DeviceError
from tests.fakes.cuda import FakeCuda
from tests.fakes.tensorrt import LIBRARY_MARK, World, make_module


def install(
    monkeypatch: pytest.MonkeyPatch,
    folder: Path,
    *,
    flavour: str = "tensorrt",
    version: str = "10.13.3.9",
    gpu: bool = True,
    cuda: FakeCuda | None = None,
) -> World:
    """Install the fakes, with a plugin library for that version in `folder`."""
    world = World((cuda or FakeCuda()) if gpu else None)
    name = flavour.replace("-", "_")
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    monkeypatch.setitem(sys.modules, "tensorrt_rtx", None)
    monkeypatch.setitem(sys.modules, name, make_module(world, version, name))

    def driver() -> FakeCuda:
        if world.cuda is None:
            raise DeviceError("there is no NVIDIA driver on this machine (fake)")
        return world.cuda

    for module in (
        export.engines.targets.choose,
        export.engines.targets.tensorrt,
        runtime.backends.tensorrt.open,
    ):
        monkeypatch.setattr(module, "CudaDriver", driver)
    monkeypatch.setenv("SPIKEHALT_PLUGIN_DIR", str(folder))
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
    library = folder / f"libspikehalt_plugins_trt{version.split('.')[0]}.so"
    library.write_bytes(LIBRARY_MARK + version.encode())
    return world
