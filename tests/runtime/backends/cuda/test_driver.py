"""The driver's functions are called as its header declares them, checked against a C library."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from runtime.backends.cuda.driver import LIBRARY, CudaDriver
from runtime.errors import BackendError, DeviceError, OutOfMemoryError

COMPILER = shutil.which("cc") or shutil.which("gcc")
needs_compiler = pytest.mark.skipif(
    COMPILER is None or sys.platform == "win32", reason="no C compiler to build the fake driver"
)
Log = Callable[[], list[str]]


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> str:
    source, target = Path(__file__).with_name("fake_driver.c"), tmp_path_factory.mktemp("cuda")
    path = target / "libfakecuda.so"
    command = [str(COMPILER), "-shared", "-fPIC", "-Wall", "-Werror", str(source), "-o", str(path)]
    subprocess.run(command, check=True)
    return str(path)


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Log:
    """What was called since the last look."""
    file, seen = tmp_path / "log", [0]
    monkeypatch.setenv("FAKE_CUDA_LOG", str(file))

    def read() -> list[str]:
        lines = file.read_text().splitlines()
        fresh, seen[0] = lines[seen[0] :], len(lines)
        return fresh

    return read


@needs_compiler
def test_the_gpu_is_identified_and_its_primary_context_used(library: str, log: Log) -> None:
    cuda = CudaDriver(1, library)
    assert (cuda.name, cuda.compute_capability) == ("Fake 41", "8.7")
    assert "cuDevicePrimaryCtxRetain 41" in log()
    cuda.make_current()
    assert log() == ["cuCtxSetCurrent 0x1234"]


@needs_compiler
def test_memory_is_allocated_zeroed_and_copied(library: str, log: Log) -> None:
    cuda = CudaDriver(0, library)
    stream = cuda.create_stream()
    assert log()[-1] == "cuStreamCreate 1", "it must not wait for the default stream"
    device, host = cuda.allocate(8), cuda.allocate_host(8)
    assert ctypes.string_at(device, 8) == bytes(8)
    ctypes.memmove(host, b"spikes!!", 8)
    cuda.upload(device, host, 8, stream)
    assert ctypes.string_at(device, 8) == b"spikes!!"
    ctypes.memset(host, 0, 8)
    cuda.download(host, device, 8, stream)
    assert ctypes.string_at(host, 8) == b"spikes!!"
    assert log()[-2:] == [
        "cuMemcpyHtoDAsync_v2 8 0x7700000055",
        "cuMemcpyDtoHAsync_v2 8 0x7700000055",
    ]
    cuda.free(device)
    cuda.free_host(host)
    cuda.synchronize(stream)
    cuda.destroy_stream(stream)
    assert [line.split()[0] for line in log()] == [
        "cuMemFree_v2", "cuMemFreeHost", "cuStreamSynchronize", "cuStreamDestroy_v2",
    ]  # fmt: skip


@needs_compiler
def test_no_bytes_are_still_an_address(library: str) -> None:
    assert CudaDriver(0, library).allocate(0) != 0


@needs_compiler
def test_a_graph_is_captured_from_this_thread_alone(library: str, log: Log) -> None:
    cuda = CudaDriver(0, library)
    stream = cuda.create_stream()
    log()
    cuda.begin_capture(stream)
    graph = cuda.end_capture(stream)
    cuda.launch(graph, stream)
    cuda.destroy_graph(graph)
    assert log() == [
        "cuStreamBeginCapture_v2 0x7700000055 1",
        "cuStreamEndCapture 0x7700000055",
        "cuGraphInstantiateWithFlags 0x8800000066 0",
        "cuGraphDestroy 0x8800000066",
        "cuGraphLaunch 0x9900000077 0x7700000055",
        "cuGraphExecDestroy 0x9900000077",
    ]


@needs_compiler
@pytest.mark.parametrize(
    ("fail", "error", "message"),
    [
        ("cuInit:100", DeviceError, r"no usable NVIDIA GPU \(cuInit: CUDA_ERROR_X: went wrong\)"),
        ("cuDevicePrimaryCtxRetain:46", DeviceError, "stopped working for this process"),
    ],
)
def test_without_a_usable_gpu_the_error_says_so(
    library: str, monkeypatch: pytest.MonkeyPatch, fail: str, error: type, message: str
) -> None:
    monkeypatch.setenv("FAKE_CUDA_FAIL", fail)
    with pytest.raises(error, match=message):
        CudaDriver(0, library)


@needs_compiler
@pytest.mark.parametrize(
    ("fail", "error", "message"),
    [
        ("cuMemAlloc_v2:2", OutOfMemoryError, "out of memory .*fewer images at once"),
        ("cuMemsetD8Async:700", DeviceError, "start a new process"),
        ("cuMemsetD8Async:1", BackendError, "CUDA failed in cuMemsetD8Async: CUDA_ERROR_X"),
    ],
)
def test_errors_say_what_to_do(
    library: str, monkeypatch: pytest.MonkeyPatch, fail: str, error: type, message: str
) -> None:
    cuda = CudaDriver(0, library)
    monkeypatch.setenv("FAKE_CUDA_FAIL", fail)
    with pytest.raises(error, match=message):
        cuda.allocate(8)


@needs_compiler
def test_a_gpu_that_is_not_there_is_named(library: str) -> None:
    with pytest.raises(DeviceError, match="no GPU number 2: the driver reports 2"):
        CudaDriver(2, library)


def test_a_machine_without_a_driver_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(DeviceError, match="no NVIDIA driver on this machine"):
        CudaDriver(0, str(tmp_path / LIBRARY))


@needs_compiler
def test_a_driver_without_our_functions_is_too_old(tmp_path: Path) -> None:
    source, path = tmp_path / "old.c", tmp_path / "libold.so"
    source.write_text("int cuInit(unsigned flags) { return (int)flags; }\n")
    subprocess.run([str(COMPILER), "-shared", "-fPIC", str(source), "-o", str(path)], check=True)
    with pytest.raises(DeviceError, match="too old: update it"):
        CudaDriver(0, str(path))
