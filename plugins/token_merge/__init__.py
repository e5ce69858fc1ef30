"""TokenMerge: the most similar even tokens merge into odd ones."""

from plugins.token_merge.op import OPS
from plugins.token_merge.reference import token_merge

__all__ = ["OPS", "token_merge"]
