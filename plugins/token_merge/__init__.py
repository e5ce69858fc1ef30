"""TokenMerge: the most similar even tokens merge into odd ones."""

from plugins.token_merge.op import OP
from plugins.token_merge.reference import token_merge

__all__ = ["OP", "token_merge"]
