"""PackedLIF: LIF neurons whose potentials lie in other rows than their currents."""

from plugins.packed_lif.op import OPS
from plugins.packed_lif.reference import packed_lif

__all__ = ["OPS", "packed_lif"]
