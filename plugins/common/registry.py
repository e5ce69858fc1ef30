"""All ops at once: their ONNX functions, and their references for onnx's evaluator."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import onnx
    from onnx.reference.op_run import OpRun


def onnx_functions(
    reset: str = "hard", steps: int = 1, reset_to_zero: bool = False
) -> list[onnx.FunctionProto]:
    """Return the bodies of LIF, TokenHalt, TokenHaltSum and TokenMerge, in standard ops.

    A function body cannot branch on a string or loop over an int attribute, so LIF's depends on
    `reset` and `steps`: all LIF nodes of one model must agree on them.

    Args:
        reset: `hard` or `soft`, as in the model's LIF nodes.
        steps: the LIF nodes' attribute `steps`.
        reset_to_zero: all LIF nodes have `v_reset` 0; their body is faster then on a CPU.

    Raises:
        OpAttributeError: `reset` or `steps` is none that LIF has.
    """
    from plugins.lif.function import lif_function
    from plugins.token_halt.function import token_halt_function, token_halt_sum_function
    from plugins.token_merge.function import token_merge_function

    return [
        lif_function(reset=reset, steps=steps, to_zero=reset_to_zero),
        token_halt_function(),
        token_halt_sum_function(),
        token_merge_function(),
    ]


def reference_ops() -> list[type[OpRun]]:
    """Return the ops as `new_ops` of `onnx.reference.ReferenceEvaluator`.

    With them a whole exported graph runs in numpy, through the references, not the bodies.
    """
    from plugins.common.evaluator import OPS

    return list(OPS)
