"""What runs bundles here: backends, the GPU, sensors of energy; each is really tried."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import Any

from runtime.backends.cuda.driver import CudaDriver
from runtime.backends.onnxruntime import cuda
from runtime.backends.onnxruntime.native_ops import BUILD_THEM, choose_native_ops
from runtime.backends.onnxruntime.session import PROVIDERS, check_device
from runtime.backends.tensorrt.full import import_tensorrt
from runtime.backends.tensorrt.rtx import import_tensorrt_rtx
from runtime.errors import BackendError
from runtime.sensors import open_sensor, sensor_names
from spikehalt.doctor.finding import Finding, broken, not_installed
from spikehalt.extras import install_command

# A model of one node, y = Identity(x), float32 [1] (IR version 8, opset 17).
IDENTITY = bytes.fromhex(
    "08083a370a100a017812017922084964656e746974791201675a0f0a0178120a"
    "0a08080112040a020801620f0a0179120a0a08080112040a02080142040a001011"
)
BUILD_OPS = "spikehalt plugins build --cpu"
_SENSOR_EXTRAS = {"nvml": ("pynvml", "nvml"), "zeus": ("zeus", "energy")}


def findings() -> Iterator[Finding]:
    """One finding per backend, for the native ops, the GPU, and per sensor."""
    gpu = _gpu()
    yield _onnxruntime("onnxruntime", "cpu", "onnxruntime")
    yield _native_ops()
    yield _onnxruntime("onnxruntime-cuda", "cuda", "gpu")
    yield _tensorrt("tensorrt", "tensorrt", import_tensorrt, gpu)
    yield _tensorrt("tensorrt-rtx", "tensorrt_rtx", import_tensorrt_rtx, gpu)
    yield gpu
    yield from (_sensor(name) for name in sensor_names()[1:])


def _gpu() -> Finding:
    try:
        driver = CudaDriver()
    except BackendError as error:
        return broken("GPU", "NVIDIA", error)
    text = f"{driver.name}, compute capability {driver.compute_capability}"
    return Finding("GPU", "NVIDIA", True, text)


def _onnxruntime(name: str, device: str, extra: str) -> Finding:
    """Whether ONNX Runtime runs a model on the device."""
    missing = not_installed("backend", name, "onnxruntime", extra)
    if missing is not None:
        return missing
    try:
        check_device(device)
        return Finding("backend", name, True, f"ONNX Runtime {_run_identity(device)}")
    except BackendError as error:
        return broken("backend", name, error)
    except Exception as error:  # ONNX Runtime's exceptions share no base class
        return broken("backend", name, error, install_command(extra))


def _run_identity(device: str) -> str:
    """Version of the ONNX Runtime that ran a model on the device."""
    import numpy as np
    import onnxruntime as ort

    if device == "cuda":
        cuda.load_libraries(ort)
    options = ort.SessionOptions()
    options.log_severity_level = 4
    provider = PROVIDERS[device]
    session = ort.InferenceSession(IDENTITY, options, providers=[provider], enable_fallback=0)
    if provider not in session.get_providers():
        raise BackendError(cuda.NOT_STARTED)
    session.run(None, {"x": np.zeros(1, np.float32)})
    return str(ort.__version__)


def _native_ops() -> Finding:
    area, name = "library", "native ops"
    if find_spec("onnxruntime") is None:
        return Finding(area, name, False, "they need ONNX Runtime")
    import onnxruntime as ort

    found = choose_native_ops(ort, wanted=None, device="cpu", precision="fp32")
    if found.path is not None:
        return Finding(area, name, True, found.why)
    return Finding(area, name, False, found.why.partition(f": {BUILD_THEM}")[0], BUILD_OPS)


def _tensorrt(name: str, module: str, load: Callable[[], Any], gpu: Finding) -> Finding:
    """Whether the library loads, and has a GPU."""
    missing = not_installed("backend", name, module, name)
    if missing is not None:
        return missing
    try:
        version = load().__version__
    except BackendError as error:
        return broken("backend", name, error)
    if not gpu.works:
        return Finding("backend", name, False, f"version {version}, and no GPU: {gpu.detail}")
    return Finding("backend", name, True, f"version {version} on {gpu.detail}")


def _sensor(name: str) -> Finding:
    if name in _SENSOR_EXTRAS:
        missing = not_installed("sensor", name, *_SENSOR_EXTRAS[name])
        if missing is not None:
            return missing
    sensor = open_sensor(name)
    if isinstance(sensor, str):
        return broken("sensor", name, sensor.removeprefix(f"{name}: "))
    text = f"{sensor.name}, windows of at least {sensor.min_window_s:g} s"
    sensor.close()
    return Finding("sensor", name, True, text)
