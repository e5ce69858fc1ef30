"""The ops of the project: one table, from which everything that names all of them derives.

A new op is a folder whose `__init__` exports `OPS`, and a line in `FOLDERS`.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from plugins.common.attributes import AttributeValue, OpAttributeError
from plugins.common.bodies import Bodies
from plugins.common.op import Op
from plugins.common.types import Array

if TYPE_CHECKING:
    import onnx
    from onnx.reference.op_run import OpRun

FOLDERS: Final = (
    "lif",
    "token_halt",
    "token_merge",
    "token_merge_similar",
    "packed_lif",
    "packed_halt",
    "token_pack",
    "spike_attention",
    "spike_count",
    "patches",
    "spike_linear",
    "spike_conv",
)
"""The folders of ops, in the order in which every list of ops has them."""


def ops_of(folder: str) -> tuple[Op, ...]:
    """The ops that a folder of this package defines."""
    return tuple(import_module(f"plugins.{folder}").OPS)


OPS: Final = tuple(op for folder in FOLDERS for op in ops_of(folder))
OP_NAMES: Final = tuple(op.name for op in OPS)
PLUGIN_OPS: Final = tuple(op.name for op in OPS if op.plugin)
"""The ops that have TensorRT plugins; the others are for CPUs and run there as function bodies."""
SPIKE_OPS: Final = tuple(op.name for op in OPS if op.sparse)
"""The ops whose kernels pay only for activations that are not zero."""
_BY_NAME: Final = {op.name: op for op in OPS}


def node_attributes(op: str, **given: AttributeValue) -> dict[str, AttributeValue]:
    """Return every attribute a node of `op` must carry, the defaults filled in.

    ONNX functions of IR version 8 have no attribute defaults, so a node names all of them. The
    two `plugin_*` attributes let TensorRT find the plugin whatever its version; an op without one
    must not have them, or TensorRT would look for it and not at the function body.

    Args:
        op: one of `OP_NAMES`.
        **given: attribute values; floats may be given as ints, tuples as lists.

    Returns:
        name to value, ready for `onnx.helper.make_node(op, ..., domain=DOMAIN, **attributes)`.

    Raises:
        OpAttributeError: unknown op or attribute, a missing one, a wrong type or range.
    """
    if op not in _BY_NAME:
        raise OpAttributeError(f"There is no op {op!r}; the ops are {', '.join(OP_NAMES)}.")
    return _BY_NAME[op].node_attributes(**given)


def run_reference(op: str, attributes: Mapping[str, Any], *inputs: Array) -> tuple[Array, ...]:
    """Compute a node of `op` with its numpy reference; see `Op.run_reference`.

    Raises:
        ValueError: the inputs do not fit each other.
        KeyError: there is no such op.
    """
    return _BY_NAME[op].run_reference(attributes, *inputs)


def onnx_functions(bodies: Bodies | None = None) -> list[onnx.FunctionProto]:
    """Return the bodies of all ops, in standard ops and in the order of `OP_NAMES`.

    Args:
        bodies: what the nodes of the model agree on; the defaults when None.

    Raises:
        OpAttributeError: LIF does not allow this `reset` or `steps`.
    """
    of = bodies or Bodies()
    return [op.body(of) for op in OPS]


def reference_ops() -> list[type[OpRun]]:
    """Return the ops as `new_ops` of `onnx.reference.ReferenceEvaluator`.

    With them a whole exported graph runs in numpy, through the references, not the bodies.
    """
    from plugins.common.evaluator import evaluator_op

    return [evaluator_op(op) for op in OPS]
