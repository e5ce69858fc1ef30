"""Targets by name; "auto" takes what is installed and can build for this machine's GPU."""

from __future__ import annotations

from collections.abc import Callable

from export.engines.targets.base import EngineOptions, Target
from export.engines.targets.tensorrt import TensorRT
from export.engines.targets.tensorrt_rtx import TensorRTRTX, import_tensorrt_rtx
from export.errors import TargetMissingError
from runtime.backends.cuda.driver import CudaDriver
from runtime.errors import DeviceError

AUTO, ONNX = "auto", "onnx"
_TARGETS: dict[str, Callable[[EngineOptions], Target]] = {
    "tensorrt": TensorRT,
    "tensorrt-rtx": TensorRTRTX,
}


def target_names() -> tuple[str, ...]:
    """What `--target` takes."""
    return (AUTO, *_TARGETS, ONNX)


def open_target(name: str, options: EngineOptions) -> Target:
    """The target of that name, or the best one for "auto".

    Raises:
        TargetMissingError: it cannot be used here; for "auto", with the reason of each.
        UnsupportedError: an option it does not have.
    """
    if name != AUTO:
        return _TARGETS[name](options)
    refusals = []
    for each in (TensorRT, _rtx_for_this_gpu):
        try:
            return each(options)
        except TargetMissingError as error:
            refusals.append(str(error))
    raise TargetMissingError("; ".join(refusals))


def this_capability() -> str:
    """Compute capability of this machine's GPU, such as "8.6".

    Raises:
        DeviceError: there is none.
    """
    return CudaDriver().compute_capability


def _rtx_for_this_gpu(options: EngineOptions) -> Target:
    """TensorRT-RTX could build for any GPU, but "auto" means the one that is here."""
    import_tensorrt_rtx()
    if not options.compute_capabilities:
        try:
            this_capability()
        except DeviceError as error:
            raise TargetMissingError(
                f"TensorRT-RTX is installed, but {error}: name the GPUs to build for with "
                "--target tensorrt-rtx --compute-capability 8.6 8.9"
            ) from error
    return TensorRTRTX(options)
