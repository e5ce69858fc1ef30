"""A prepared launch of a kernel: it can be run, repeated and timed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from plugins.common.types import Array
from plugins.selftest.device import Buffer, Device


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
