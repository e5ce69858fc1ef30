"""Open a bundle's engines: what both TensorRT backends do before they differ."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

from runtime.backends.base import SessionOptions
from runtime.backends.cuda.driver import Cuda, CudaDriver
from runtime.bundle import Bundle
from runtime.bundle.engine_manifest import (
    TITLES,
    EnginePair,
    EngineSidecar,
    Flavour,
    Machine,
    pair_engines,
    read_sidecars,
    this_platform,
)
from runtime.errors import BackendError, BackendMissingError, BundleError, DeviceError

Import = Callable[[], ModuleType]
Objection = Callable[[EngineSidecar], "str | None"]
GPU_DEVICES = (None, "cuda", "gpu")


def find_engines(
    bundle: Bundle,
    flavour: Flavour,
    load_module: Import,
    objection: Objection = lambda sidecar: None,
) -> tuple[ModuleType, Cuda, EnginePair]:
    """The library, the GPU and the engines that fit both; cheap questions first.

    Args:
        bundle: that holds the engines.
        flavour: of the library.
        load_module: imports it.
        objection: what else may keep an engine from running.

    Raises:
        BackendMissingError: no engine of this flavour, no library, or none that fits.
        DeviceError: no GPU.
        BundleError: a sidecar is damaged.
    """
    sidecars = read_sidecars(bundle, flavour)
    if not sidecars:
        raise BackendMissingError(
            f"{bundle.root} holds no {TITLES[flavour]} engine; build one with "
            f"`python -m export.to_trt {bundle.root} --target {flavour}`"
        )
    trt, cuda = load_module(), CudaDriver()
    machine = Machine(
        flavour=flavour,
        version=trt.__version__,
        platform=this_platform(),
        gpu=cuda.name,
        compute_capability=cuda.compute_capability,
    )
    pair, refusals = pair_engines(bundle, sidecars, machine, objection)
    if pair is None:
        raise BackendMissingError(
            f"no engine of {bundle.root} runs here: {'; '.join(refusals)}. Build it here with "
            f"`python -m export.to_trt {bundle.root} --target {flavour}`"
        )
    return trt, cuda, pair


def probe(find: Callable[[], object], options: SessionOptions) -> str | None:
    """Why a TensorRT backend cannot run a bundle here, None if it can."""
    if options.device not in GPU_DEVICES:
        return f"device {options.device!r} was asked for"
    try:
        find()
    except (BackendError, BundleError) as error:
        return str(error)
    return None


def refuse_other_devices(options: SessionOptions) -> None:
    """Refuse a device that TensorRT does not have.

    Raises:
        DeviceError: the device is none of a GPU's names.
    """
    if options.device not in GPU_DEVICES:
        raise DeviceError(f"TensorRT has no device {options.device!r}: use device='cuda' or None")
