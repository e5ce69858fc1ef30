"""TokenPack: the rows of live tokens, one after the other."""

from plugins.token_pack.op import OP
from plugins.token_pack.reference import token_pack

__all__ = ["OP", "token_pack"]
