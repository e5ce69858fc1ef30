"""Quotients that decide something, rounded correctly also by programs that do not divide.

OpenVINO multiplies by the reciprocal instead, which is off by a unit in the last place for one
quotient in four: tokens that are equally similar are told apart by rounding then, and merge
otherwise. So what the quotient q of a / b leaves, r = a - q·b, is computed without rounding (the
product as Dekker and Veltkamp split it), and q + r / b rounds as the exact quotient does.
"""

from __future__ import annotations

import onnx
from onnx import TensorProto, helper

_SPLITTER = 4097.0  # 2^12 + 1: leaves halves of 12 bits, whose products are exact in float32
_NAME = "quotients.splitter"
# Outputs, ops and inputs; q_h and q_l are q's halves, b_h and b_l the divisor's.
_STEPS = (
    ("q_c", "Mul", "q", "splitter"), ("q_d", "Sub", "q_c", "q"), ("q_h", "Sub", "q_c", "q_d"),
    ("q_l", "Sub", "q", "q_h"),
    ("b_c", "Mul", "b", "splitter"), ("b_d", "Sub", "b_c", "b"), ("b_h", "Sub", "b_c", "b_d"),
    ("b_l", "Sub", "b", "b_h"),
    ("p", "Mul", "q", "b"), ("hh", "Mul", "q_h", "b_h"), ("hl", "Mul", "q_h", "b_l"),
    ("lh", "Mul", "q_l", "b_h"), ("ll", "Mul", "q_l", "b_l"),
    ("e1", "Sub", "hh", "p"), ("e2", "Add", "e1", "hl"), ("e3", "Add", "e2", "lh"),
    ("e", "Add", "e3", "ll"),
    ("r_p", "Sub", "a", "p"), ("r", "Sub", "r_p", "e"), ("step", "Div", "r", "b"),
    ("rounded", "Add", "q", "step"),
)  # fmt: skip


def round_quotients(model: onnx.ModelProto) -> None:
    """Correct every quotient whose divisor is a root, as the similarity's; in place."""
    roots = {node.output[0] for node in model.graph.node if node.op_type == "Sqrt"}
    nodes = list(model.graph.node)
    if not any(_decides(node, roots) for node in nodes):
        return
    splitter = helper.make_tensor(_NAME, TensorProto.FLOAT, [], [_SPLITTER])
    model.graph.initializer.append(splitter)
    del model.graph.node[:]
    for node in nodes:
        model.graph.node.extend(_rounded(node) if _decides(node, roots) else [node])


def _decides(node: onnx.NodeProto, roots: set[str]) -> bool:
    return node.op_type == "Div" and node.input[1] in roots


def _rounded(division: onnx.NodeProto) -> list[onnx.NodeProto]:
    """The division and what makes its result the nearest float."""
    (a, b), (result,) = division.input, division.output
    names: dict[str, str] = {"a": a, "b": b, "splitter": _NAME, "rounded": result}
    first = onnx.NodeProto()
    first.CopyFrom(division)
    first.output[0] = f"{result}.q"

    def name(value: str) -> str:
        return names.get(value, f"{result}.{value}")

    steps = [
        helper.make_node(op, [name(x), name(y)], [name(out)], name=name(out))
        for out, op, x, y in _STEPS
    ]
    return [first, *steps]
