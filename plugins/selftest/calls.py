"""The ops on a device, with the signatures of the numpy references.

Each `prepare_*` uploads the inputs and returns the launch with its output buffers, so that a
launch can be repeated and timed; `run` launches once and downloads.
"""

from __future__ import annotations

from collections.abc import Callable
from ctypes import byref
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from plugins.common.types import Array
from plugins.selftest.device import Buffer, Device
from plugins.selftest.kernels import (
    LifParams,
    TokenHaltParams,
    TokenHaltTensors,
    TokenMergeParams,
    TokenMergeTensors,
    type_of,
)


@dataclass(frozen=True)
class Call:
    """A prepared launch.

    Args:
        launch: enqueues the kernel on the device's stream.
        inputs: buffers it reads.
        outputs: buffers it writes, in the order of the reference's results.
    """

    launch: Callable[[], None]
    inputs: tuple[Buffer, ...]
    outputs: tuple[Buffer, ...]

    @property
    def bytes(self) -> int:
        """Bytes of all inputs and outputs: what a perfect kernel moves."""
        return sum(buffer.bytes for buffer in (*self.inputs, *self.outputs))


def run(device: Device, call: Call) -> tuple[Array, ...]:
    """Launch, wait, and return the outputs."""
    call.launch()
    device.synchronize()
    return tuple(output.download() for output in call.outputs)


def prepare_lif(
    device: Device,
    x: Array,
    v: Array,
    *,
    decay: float,
    threshold: float,
    v_reset: float = 0.0,
    reset: str = "hard",
    spike_type: npt.DTypeLike = np.float32,
    steps: int = 1,
) -> Call:
    """LIF; arguments as in `plugins.lif.reference.lif`."""
    one_step = x.shape[1:] if steps > 1 else x.shape
    params = LifParams(
        elements=int(np.prod(one_step, dtype=np.int64)),
        steps=steps,
        type=type_of(x.dtype),
        spikeType=type_of(spike_type),
        oneState=int(v.shape != one_step),
        softReset=int(reset == "soft"),
        decay=decay,
        threshold=threshold,
        vReset=v_reset,
    )
    inputs = (device.array(x), device.array(v))
    outputs = (device.empty(x.shape, spike_type), device.empty(one_step, x.dtype))
    pointers = [buffer.pointer for buffer in (*inputs, *outputs)]
    launch = partial(device.kernels.call, "spikehaltLif", byref(params), *pointers, device.stream)
    return Call(launch, inputs, outputs)


def prepare_token_halt(
    device: Device,
    x: Array,
    size: Array,
    hist: Array,
    cum: Array,
    live: Array,
    epsilon: Array,
    *,
    alpha: float,
    beta: float,
    last: int | bool,
    reduce: int | bool,
) -> Call:
    """TokenHalt; arguments as in `plugins.token_halt.reference.token_halt`."""
    images, tokens = (1, x.shape[0]) if x.ndim == 2 else x.shape[:2]
    params = TokenHaltParams(images, tokens, x.shape[-1], type_of(x.dtype), int(last), alpha, beta)
    inputs = tuple(device.array(array) for array in (x, size, hist, cum, live, epsilon))
    readout = (x.shape[0], x.shape[-1]) if reduce else x.shape
    outputs = (
        device.empty(readout, np.float32),
        device.empty(hist.shape, np.float32),
        device.empty(hist.shape, np.float32),
        device.empty(hist.shape, np.int32),
    )
    tensors = TokenHaltTensors(*(buffer.pointer for buffer in (*inputs, *outputs)))
    name = "spikehaltTokenHaltSum" if reduce else "spikehaltTokenHalt"
    launch = partial(device.kernels.call, name, byref(params), byref(tensors), device.stream)
    return Call(launch, inputs, outputs)


def prepare_token_merge(
    device: Device, x: Array, size: Array, live: Array, source: Array, *, gamma: int
) -> Call:
    """TokenMerge; arguments as in `plugins.token_merge.reference.token_merge`."""
    B, K, D = x.shape
    params = TokenMergeParams(B, D, K, gamma, type_of(x.dtype), int(source.size == 1))
    inputs = tuple(device.array(array) for array in (x, size, live, source))
    kept = (B, K - gamma)
    outputs = (
        device.empty((*kept, D), x.dtype),
        device.empty(kept, np.float32),
        device.empty(kept, np.int32),
        device.empty(kept, np.int32),
        device.empty((B, gamma), np.int32),
    )
    workspace = device.empty((device.kernels.merge_workspace(params),), np.uint8)
    pointers = [buffer.pointer for buffer in (*inputs, *outputs, workspace)]
    tensors = TokenMergeTensors(*pointers, workspace.bytes)
    launch = partial(
        device.kernels.call, "spikehaltTokenMerge", byref(params), byref(tensors), device.stream
    )
    return Call(launch, inputs, outputs)
