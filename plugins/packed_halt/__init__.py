"""PackedTokenHalt: halting where only live tokens have a row."""

from plugins.packed_halt.reference import packed_token_halt

__all__ = ["packed_token_halt"]
