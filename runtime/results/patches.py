"""What became of every patch of an image: ran, halted, or merged into another token."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from runtime.bundle import Manifest
from runtime.results.result import ImageResult

HALTED: Final = 0
RAN: Final = 1
MERGED: Final = 2


def patch_states(manifest: Manifest, answer: ImageResult) -> NDArray[np.int8] | None:
    """int8 [timesteps, L, K_0]: `RAN`, `HALTED` or `MERGED`, by block and timestep.

    A patch whose token merges is `MERGED` from that block on, in timesteps in which the token still
    ran in the block before; where it had halted it stays `HALTED`.

    Args:
        manifest: of the bundle.
        answer: with live masks.

    Returns:
        None without live masks, and where tokens merge and the bundle does not say which.
    """
    masks = answer.live_masks
    if masks is None or (manifest.merges and answer.merged is None):
        return None
    gone = iter(answer.merged or ())
    places = np.arange(manifest.tokens)  # the patch that each slot that is left began as
    states = np.zeros((answer.timesteps, manifest.blocks, manifest.tokens), np.int8)
    before = np.full((answer.timesteps, manifest.tokens), RAN, np.int8)
    for block, mask in enumerate(masks):
        here = np.where(before == MERGED, MERGED, HALTED).astype(np.int8)
        sources: NDArray[np.integer[Any]]
        if manifest.merges_similar:
            sources = np.flatnonzero(np.isin(places, np.flatnonzero(next(gone))))
        else:
            sources = next(gone) if mask.shape[1] < len(places) else np.arange(0)
        absorbed = places[sources]
        here[:, absorbed] = np.where(before[:, absorbed] == RAN, MERGED, HALTED)
        places = np.delete(places, sources)
        # Where slots stay, a slot is the patch that it began as.
        left = mask[:, places] if manifest.merges_similar else mask
        here[:, places] = np.where(left == 1, RAN, HALTED)
        states[:, block] = before = here
    return states
