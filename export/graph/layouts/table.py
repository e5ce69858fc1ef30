"""All layouts, by the names that manifests and options use."""

from __future__ import annotations

from collections.abc import Mapping

from export.graph.layouts import base, full, lagged, packed
from spikehalt import vocabulary

LAYOUTS: Mapping[vocabulary.Layout, type[base.Layout]] = {
    "packed": packed.Packed,
    "dense": full.Dense,
    "lagged": lagged.Lagged,
}
