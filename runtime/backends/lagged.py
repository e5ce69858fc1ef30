"""Row lists of the lagged layout: what the next chunk still has to look at (design section 5).

The live set of (l, t + 1) lies inside that of (l, t), so the live masks a chunk gave out tell every
shape of the next one before it starts; images that left lose all their rows.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runtime.backends import ports as graph_io
from runtime.backends.base import BackendInfo, ChunkOutputs, Inputs, Session
from runtime.bundle import Manifest
from runtime.errors import BundleFormatError

PADDING = -1


def next_rows(
    live_masks: Sequence[NDArray[np.int32]], alive: NDArray[np.int64]
) -> dict[str, NDArray[np.int32]]:
    """The inputs `rows.blockN` of the next chunk.

    Args:
        live_masks: per block int32 [B, chunk, K_l], what the previous chunk ran.
        alive: int64 [B'], the images that go on.

    Returns:
        For every block after the first int32 [M + 1]: positions b' * K_l + k, ascending, then one
        `PADDING`, which the graph needs; a backend with fixed sizes may append more of it.
    """
    rows = {}
    for number, mask in enumerate(live_masks[1:], 2):
        found = np.flatnonzero(mask[alive, -1])
        rows[graph_io.rows_input(number)] = np.append(found, PADDING).astype(np.int32)
    return rows


class Lagged:
    """What the runtime has to do for graphs of the lagged layout."""

    def row_inputs(self, blocks: int) -> tuple[str, ...]:
        """Inputs of the next chunk with row lists: of every block but the first."""
        return tuple(graph_io.rows_input(number) for number in range(2, blocks + 1))

    def next_inputs(
        self, live_masks: Sequence[NDArray[np.int32]], alive: NDArray[np.int64]
    ) -> dict[str, NDArray[np.int32]]:
        """Their values; see `next_rows`."""
        return next_rows(live_masks, alive)

    def keeps_rows(self, block: int) -> bool:
        """In every block but the first, whose rows are all slots."""
        return block > 1

    def session(self, inner: Session, manifest: Manifest) -> Session:
        """Feeds them."""
        return LaggedSession(inner, manifest)


@dataclass(frozen=True)
class LaggedStates:
    """Handle of `LaggedSession`: the inner session's handle and the masks it left.

    Attributes:
        inner: the inner session's handle.
        live_masks: per block int32 [B, chunk, K_l].
    """

    inner: Any
    live_masks: tuple[NDArray[np.int32], ...]


class LaggedSession:
    """A session for graphs of the lagged layout; feeds `rows.blockN` from the masks before.

    Args:
        inner: runs the graphs.
        manifest: of the bundle.

    Attributes:
        inner: the session that runs the graphs.

    Raises:
        BundleFormatError: the bundle gives out no live masks.
    """

    def __init__(self, inner: Session, manifest: Manifest) -> None:
        if not manifest.live_masks:
            raise BundleFormatError(
                f"{manifest.name} has the lagged layout but gives out no live masks, from "
                "which its row lists are made: export the checkpoint again"
            )
        self.inner = inner

    @property
    def info(self) -> BackendInfo:
        """The inner session's."""
        return self.inner.info

    def run(self, inputs: Inputs, states: Any, *, last: bool, masks: bool) -> ChunkOutputs:
        """Run one chunk; see `runtime.backends.base.Session.run`."""
        inner = None
        if states is not None:
            inputs = {**inputs, **next_rows(states.live_masks, inputs[graph_io.ALIVE])}
            inner = states.inner
        step = self.inner.run(inputs, inner, last=last, masks=masks or not last)
        handle = None if last else LaggedStates(step.states, step.live_masks)
        live = step.live_masks if masks else ()
        merged = step.merged if masks else ()
        return dataclasses.replace(step, live_masks=live, merged=merged, states=handle)

    def close(self) -> None:
        """Close the inner session."""
        self.inner.close()
