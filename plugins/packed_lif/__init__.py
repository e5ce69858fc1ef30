"""PackedLIF, PackedLIFSteps: LIF neurons whose potentials lie in other rows than currents."""

from plugins.packed_lif.op import OPS
from plugins.packed_lif.reference import packed_lif, packed_lif_steps

__all__ = ["OPS", "packed_lif", "packed_lif_steps"]
