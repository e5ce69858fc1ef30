"""TokenHalt and TokenHaltSum: halting scores, live set and halting-weighted readout."""

from plugins.token_halt.op import OP, SUM_OP
from plugins.token_halt.reference import token_halt

__all__ = ["OP", "SUM_OP", "token_halt"]
