"""Values that the function bodies of one model share."""

from __future__ import annotations

from dataclasses import dataclass

from plugins.common.types import FLOAT


@dataclass(frozen=True)
class Bodies:
    """Attribute values that all nodes of one model share, since a body cannot branch on them.

    A function body cannot branch on a string, loop over an int attribute or ask for a shape's rank.

    Attributes:
        reset: of the LIF, PackedLIF and PackedLIFSteps nodes, `hard` or `soft`.
        steps: of the LIF and PackedLIFSteps nodes.
        reset_to_zero: all of them have `v_reset` 0; their bodies are faster then on a CPU.
        heads: of the SpikeAttention and PackedAttention nodes.
        dim: D, the width of their output.
        keys_first: their body multiplies k^T v first, which is cheaper for more than D / heads
            tokens.
        attention_type: ONNX element type of their output.
        count_weights: of the SpikeCount nodes.
        count_type: of the SpikeCount nodes.
    """

    reset: str = "hard"
    steps: int = 1
    reset_to_zero: bool = False
    heads: int = 1
    dim: int = 1
    keys_first: bool = False
    attention_type: int = FLOAT
    count_weights: tuple[int, ...] = (1,)
    count_type: int = FLOAT
