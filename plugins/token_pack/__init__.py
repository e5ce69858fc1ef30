"""TokenPack: the rows of live tokens, one after the other."""

from plugins.token_pack.op import OPS
from plugins.token_pack.reference import token_pack

__all__ = ["OPS", "token_pack"]
