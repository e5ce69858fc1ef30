"""What a backend is to the engine: something that runs one chunk of timesteps.

A backend owns its states. `Session.run` hands them out as an opaque handle and takes the handle
back at the next chunk, so they never pass through numpy and never leave the device.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from runtime.errors import EngineStateError

Array = NDArray[Any]
Inputs = Mapping[str, Array]
CLOSED = "this engine is closed: make a new Engine(bundle)"


@dataclass(frozen=True, kw_only=True)
class BackendInfo:
    """Which backend runs, and why.

    Attributes:
        name: name in the registry, such as "onnxruntime".
        version: version of the library.
        device: what it computes on, such as "cpu".
        reason: why it was chosen.
        options: settings worth printing.
        max_batch: most images of one call; None: any number.
    """

    name: str
    version: str
    device: str
    reason: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    max_batch: int | None = None


@dataclass(frozen=True, kw_only=True)
class SessionOptions:
    """What a user may tell any backend.

    Attributes:
        threads: threads for one operator; None lets the library choose.
        spin: whether threads spin while a graph runs (fast) or sleep (saves energy).
        device: a device name the backend understands, None for its default.
        native_ops: whether ONNX Runtime gets the project's native ops for processors; None: where
            they have been built.
    """

    threads: int | None = None
    spin: bool = True
    device: str | None = None
    native_ops: bool | None = None


@dataclass(frozen=True, kw_only=True)
class ChunkOutputs:
    """What one chunk of timesteps gave, for the B' images that took part.

    Attributes:
        logits: float32 [B', N_c], running logits after the chunk.
        halt_score: float32 [B'].
        live_tokens: int32 [B', chunk, L].
        live_masks: per block int32 [B', chunk, K_l]; empty unless asked for.
        merged: for each block where tokens merge, int32 [B', gamma] or [B', K], as of an
            `ImageResult`; of the first chunk, with live masks, where the bundle says it, else
            empty.
        mac_ops: float32 [B', chunk], multiply-accumulates done; None unless instrumented.
        ac_ops: float32 [B', chunk], accumulates done; None unless instrumented.
        states: the backend's own handle, to be given back to `run`; None after the last chunk.
    """

    logits: NDArray[np.float32]
    halt_score: NDArray[np.float32]
    live_tokens: NDArray[np.int32]
    live_masks: tuple[NDArray[np.int32], ...] = ()
    merged: tuple[NDArray[np.int32], ...] = ()
    mac_ops: NDArray[np.float32] | None = None
    ac_ops: NDArray[np.float32] | None = None
    states: Any = None


class Session(Protocol):
    """The graphs of one bundle, loaded. `run` may be called from several threads."""

    @property
    def info(self) -> BackendInfo:
        """Which backend this is, and why it was chosen."""
        ...

    def run(self, inputs: Inputs, states: Any, *, last: bool, masks: bool) -> ChunkOutputs:
        """Run one chunk of timesteps.

        Args:
            inputs: by graph input name. The first chunk takes "image" (or "frames") and
                "epsilon"; later ones "alive" int64 [B'], "epsilon", and "frames" for event
                bundles.
            states: None for the first chunk, then what the previous chunk returned. A handle is
                used once.
            last: no chunk follows, so no states are needed.
            masks: also return `live_masks`.

        Raises:
            BackendError: the library failed; the session can be used again.
            EngineStateError: the session is closed, perhaps since the call began.
        """
        ...

    def close(self) -> None:
        """Free what the session holds; calling it twice does nothing."""
        ...


def refuse_closed(closed: bool) -> None:
    """What every session does first.

    Raises:
        EngineStateError: it is closed.
    """
    if closed:
        raise EngineStateError(CLOSED)
