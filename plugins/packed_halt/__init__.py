"""PackedTokenHalt: halting where only live tokens have a row."""

from plugins.packed_halt.op import OPS
from plugins.packed_halt.reference import packed_token_halt

__all__ = ["OPS", "packed_token_halt"]
