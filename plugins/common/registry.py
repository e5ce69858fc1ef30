"""All ops at once: their ONNX functions, and their references for onnx's evaluator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from plugins.common.contract import FLOAT

if TYPE_CHECKING:
    import onnx
    from onnx.reference.op_run import OpRun


@dataclass(frozen=True)
class Bodies:
    """What the nodes of one model agree on, because a body cannot choose by it.

    A function body cannot branch on a string, loop over an int attribute or ask for a shape's rank.

    Attributes:
        reset: of the LIF and PackedLIF nodes, `hard` or `soft`.
        steps: of the LIF nodes.
        reset_to_zero: all of them have `v_reset` 0; their bodies are faster then on a CPU.
        heads: of the SpikeAttention and PackedAttention nodes.
        dim: the width of what they give out.
        keys_first: their body multiplies k^T v first, which is cheaper for more than D / heads
            tokens.
        attention_type: ONNX element type of what they give out.
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


def onnx_functions(bodies: Bodies | None = None) -> list[onnx.FunctionProto]:
    """Return the bodies of all ops, in standard ops and in the order of `OP_NAMES`.

    Args:
        bodies: what the nodes of the model agree on; the defaults when None.

    Raises:
        OpAttributeError: `reset` or `steps` is none that LIF has.
    """
    from plugins.lif.function import lif_function
    from plugins.packed_halt.function import packed_token_halt_function
    from plugins.packed_lif.function import packed_lif_function
    from plugins.patches.function import patches_function
    from plugins.spike_attention.function import (
        packed_attention_function,
        spike_attention_function,
    )
    from plugins.spike_conv.function import spike_conv_function, spike_conv_integer_function
    from plugins.spike_count.function import spike_count_function
    from plugins.spike_linear.function import spike_linear_function, spike_linear_integer_function
    from plugins.token_halt.function import token_halt_function, token_halt_sum_function
    from plugins.token_merge.function import token_merge_function
    from plugins.token_pack.function import token_pack_function

    of = bodies or Bodies()
    return [
        lif_function(reset=of.reset, steps=of.steps, to_zero=of.reset_to_zero),
        token_halt_function(),
        token_halt_sum_function(),
        token_merge_function(),
        packed_lif_function(reset=of.reset, to_zero=of.reset_to_zero),
        packed_token_halt_function(),
        token_pack_function(),
        spike_attention_function(of),
        packed_attention_function(of),
        spike_count_function(of.count_weights, of.count_type),
        patches_function(),
        spike_linear_function(),
        spike_linear_integer_function(),
        spike_conv_function(),
        spike_conv_integer_function(),
    ]


def reference_ops() -> list[type[OpRun]]:
    """Return the ops as `new_ops` of `onnx.reference.ReferenceEvaluator`.

    With them a whole exported graph runs in numpy, through the references, not the bodies.
    """
    from plugins.common.evaluator import OPS

    return list(OPS)
