"""TokenMerge: the most similar even tokens merge into odd ones."""

from plugins.token_merge.reference import token_merge

__all__ = ["token_merge"]
