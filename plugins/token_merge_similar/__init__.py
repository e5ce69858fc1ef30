"""TokenMergeSimilar: even tokens that are similar enough to an odd one merge into it."""

from plugins.token_merge_similar.op import OPS
from plugins.token_merge_similar.reference import token_merge_similar

__all__ = ["OPS", "token_merge_similar"]
