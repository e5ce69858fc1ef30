"""Which of NVML's GPUs is the one that CUDA, and so the backend, computes on.

NVML numbers all GPUs in the order of the PCI bus; CUDA numbers those that CUDA_VISIBLE_DEVICES
names, the fastest first. So the GPU is named by its place on the bus, as CUDA's driver tells it, or
by its UUID. A MIG instance has no counter of its own.
"""

from __future__ import annotations

import ctypes
import os
from typing import Any

from runtime.sensors.base import SensorError

_LIBRARY = "libcuda.so.1"
_DEVICE = 0  # the backends compute on the first GPU that CUDA sees


def find_gpu(nvml: Any, bus_id: str | None) -> Any:
    """NVML's handle of the GPU that CUDA sees first.

    Args:
        nvml: the module `pynvml`, initialised.
        bus_id: its place on the PCI bus; None where CUDA's driver does not tell.

    Raises:
        SensorError: it cannot be told which one it is, or it is a part of a GPU.
    """
    handle = nvml.nvmlDeviceGetHandleByPciBusId(bus_id) if bus_id else _visible(nvml)
    if _is_divided(nvml, handle):
        raise SensorError("the GPU is divided (MIG), and its counters do not tell its parts apart")
    return handle


def cuda_bus_id(library: str = _LIBRARY) -> str | None:
    """Where the first GPU that CUDA sees is plugged in, as "0000:65:00.0"; None without one."""
    try:
        driver = ctypes.CDLL(library)
        device, text = ctypes.c_int(), ctypes.create_string_buffer(64)
        failed = (
            driver.cuInit(0)
            or driver.cuDeviceGet(ctypes.byref(device), _DEVICE)
            or driver.cuDeviceGetPCIBusId(text, len(text), device)
        )
    except (OSError, AttributeError):
        return None
    return None if failed else text.value.decode()


def _visible(nvml: Any) -> Any:
    """By CUDA_VISIBLE_DEVICES alone, where that leaves no doubt."""
    listed = os.environ.get("CUDA_VISIBLE_DEVICES")
    first = "0" if listed is None else listed.split(",")[0].strip()
    if first.startswith("MIG-"):
        raise SensorError(f"{first} is a part of a GPU (MIG), which has no counter of its own")
    if first.startswith("GPU-"):
        return _by_uuid(nvml, first)
    if not (first.isascii() and first.isdigit()):
        raise SensorError(f"CUDA_VISIBLE_DEVICES={listed!r} shows no GPU")
    count = int(nvml.nvmlDeviceGetCount())
    if count > 1 and not _in_bus_order(nvml, count):
        raise SensorError(
            f"which of the {count} GPUs CUDA's number {first} is cannot be told: name it by UUID "
            "in CUDA_VISIBLE_DEVICES, or set CUDA_DEVICE_ORDER=PCI_BUS_ID"
        )
    if int(first) >= count:
        raise SensorError(f"CUDA_VISIBLE_DEVICES={listed!r} names GPU {first} of {count}")
    return nvml.nvmlDeviceGetHandleByIndex(int(first))


def _by_uuid(nvml: Any, start: str) -> Any:
    """CUDA takes the start of a UUID for the whole, where one GPU alone begins so."""
    handles = map(nvml.nvmlDeviceGetHandleByIndex, range(int(nvml.nvmlDeviceGetCount())))
    found = [each for each in handles if text_of(nvml.nvmlDeviceGetUUID(each)).startswith(start)]
    if len(found) != 1:
        many = f"are {len(found)} GPUs" if found else "is no GPU"
        raise SensorError(f"there {many} {start}, which CUDA_VISIBLE_DEVICES names")
    return found[0]


def _in_bus_order(nvml: Any, count: int) -> bool:
    """Whether CUDA numbers GPUs as NVML does: told to, or since none is faster than another."""
    if os.environ.get("CUDA_DEVICE_ORDER") == "PCI_BUS_ID":
        return True
    handles = map(nvml.nvmlDeviceGetHandleByIndex, range(count))
    return len({text_of(nvml.nvmlDeviceGetName(handle)) for handle in handles}) == 1


def _is_divided(nvml: Any, handle: Any) -> bool:
    try:
        return bool(nvml.nvmlDeviceGetMigMode(handle)[0])
    except Exception:  # GPUs that cannot be divided, and old libraries, refuse the question
        return False


def text_of(value: str | bytes) -> str:
    """Old versions of pynvml give bytes."""
    return value.decode(errors="replace") if isinstance(value, bytes) else value
