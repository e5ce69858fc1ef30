"""A numpy reference as an op of `onnx.reference.ReferenceEvaluator`."""

from __future__ import annotations

from typing import Any

from onnx.reference.op_run import OpRun

from plugins.common.contract import DOMAIN
from plugins.common.op import Op
from plugins.common.types import Array


def evaluator_op(op: Op) -> type[OpRun]:
    """Return a class that runs the reference of `op`; onnx finds it by its name and domain."""

    def run(_: OpRun, *inputs: Array, **attributes: Any) -> tuple[Array, ...]:
        return op.run_reference(attributes, *inputs)

    return type(op.name, (OpRun,), {"op_domain": DOMAIN, "_run": run, "__doc__": op.name})
