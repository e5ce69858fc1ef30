"""PackedLIF: LIF neurons whose potentials lie in other rows than their currents."""

from plugins.packed_lif.op import OP
from plugins.packed_lif.reference import packed_lif

__all__ = ["OP", "packed_lif"]
