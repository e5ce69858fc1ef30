from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

import spikehalt  # noqa: F401  first of all: it switches the telemetry of libraries off
from plugins.building.cpu import compile_command
from plugins.building.toolchain import find_cxx
from plugins.libraries import FOLDER_VARIABLE, ONNXRUNTIME_NAME
from tests.plugins import compilers

# Tests run side by side, and what they compute is tiny: more threads would only wait for each
# other. It is set before PyTorch is imported, and for the processes that tests start.
os.environ.setdefault("OMP_NUM_THREADS", "1")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests come first, so that no worker is left with one at the end."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(scope="session")
def build_folder(request: pytest.FixtureRequest) -> Path:
    """Where compiled test programs are kept from run to run."""
    cache = request.config.cache
    assert cache is not None
    return Path(cache.mkdir("spikehalt_compiled"))


@pytest.fixture(scope="session")
def native_library(build_folder: Path) -> Path:
    """The library for ONNX Runtime, as `python -m plugins build` makes it; warnings are errors."""
    compiler = find_cxx()
    if compiler is None:
        pytest.skip("no C++ compiler: set CXX or install g++ to build the ONNX Runtime kernels")
    command = compile_command(compiler, ["-Werror"])
    return compilers.build_once(command, build_folder / ONNXRUNTIME_NAME)


@pytest.fixture(autouse=True)
def no_libraries_of_this_machine(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """What was built here before must not change what tests see.

    All tests have the same folder, which is not there: most need none of their own.
    """
    folder = tmp_path_factory.getbasetemp() / "no-libraries"
    monkeypatch.setenv(FOLDER_VARIABLE, str(folder))
    yield
    assert not folder.exists(), "this test leaves a library to those that follow"
