"""What the runtime has to do for each token layout (design section 5)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from runtime.backends.base import Session
from runtime.backends.lagged import Lagged
from runtime.bundle.manifest import Manifest
from spikehalt.vocabulary import Layout


class Duties(Protocol):
    """What a layout's graphs want beside images and states."""

    def row_inputs(self, blocks: int) -> tuple[str, ...]:
        """Names of the row lists that `next.onnx` takes, in a model of so many blocks."""
        ...

    def next_inputs(
        self, live_masks: Sequence[NDArray[np.int32]], alive: NDArray[np.int64]
    ) -> dict[str, NDArray[np.int32]]:
        """Their values.

        Args:
            live_masks: per block int32 [B, chunk, K_l], what the previous chunk ran; empty where
                the bundle gives out none.
            alive: int64 [B'], the images that go on.
        """
        ...

    def keeps_rows(self, block: int) -> bool:
        """Whether membranes of a block, numbered from 1, are rows of tokens, not a grid."""
        ...

    def session(self, inner: Session, manifest: Manifest) -> Session:
        """A session that feeds them to the one that runs the graphs.

        Raises:
            BundleFormatError: the bundle gives out too little for that.
        """
        ...


@dataclass(frozen=True)
class Nothing:
    """All that a chunk needs to know are images and states.

    Attributes:
        rows: membranes are rows of tokens.
    """

    rows: bool

    def row_inputs(self, blocks: int) -> tuple[str, ...]:
        """No row lists."""
        return ()

    def next_inputs(
        self, live_masks: Sequence[NDArray[np.int32]], alive: NDArray[np.int64]
    ) -> dict[str, NDArray[np.int32]]:
        """None."""
        return {}

    def keeps_rows(self, block: int) -> bool:
        """As every other block's."""
        return self.rows

    def session(self, inner: Session, manifest: Manifest) -> Session:
        """The session itself."""
        return inner


DUTIES: Mapping[Layout, Duties] = {
    "packed": Nothing(rows=True),
    "dense": Nothing(rows=False),
    "lagged": Lagged(),
}
