"""TokenHalt and TokenHaltSum: halting scores, live set and halting-weighted readout."""

from plugins.token_halt.op import OPS
from plugins.token_halt.reference import token_halt

__all__ = ["OPS", "token_halt"]
