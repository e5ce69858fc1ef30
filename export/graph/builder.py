"""Build ONNX graphs node by node, with stable names and shared constants."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

import plugins

Shape = Sequence[int | str]


class GraphBuilder:
    """Nodes are named by the scope they are emitted in: `block2/t1/halt`.

    Args:
        name: the graph's name.
        dtype: float32 or float16, of weights and activations.
    """

    def __init__(self, name: str, dtype: Any = np.float32) -> None:
        self.name, self.dtype = name, np.dtype(dtype)
        self._nodes: list[onnx.NodeProto] = []
        self._constants: dict[str, onnx.TensorProto] = {}
        self._inputs: list[onnx.ValueInfoProto] = []
        self._outputs: list[tuple[str, str, int, Shape]] = []
        self._scope: list[str] = []
        self._used: set[str] = set()

    @contextmanager
    def scope(self, name: str) -> Iterator[None]:
        """Prefix the names of everything emitted inside."""
        self._scope.append(name)
        try:
            yield
        finally:
            self._scope.pop()

    def op(
        self, kind: str, *inputs: str, name: str = "", domain: str = "", **attributes: Any
    ) -> str:
        """Emit a node with one output; returns the output's name."""
        return self.ops(kind, inputs, 1, name=name, domain=domain, **attributes)[0]

    def ops(
        self, kind: str, inputs: Sequence[str], outputs: int, *, name: str = "", domain: str = "",
        **attributes: Any,
    ) -> list[str]:  # fmt: skip
        """Emit a node; returns the names of its outputs."""
        title = self._unique("/".join([*self._scope, name or kind]))
        results = [title if outputs == 1 else f"{title}:{i}" for i in range(outputs)]
        self._nodes.append(
            helper.make_node(kind, list(inputs), results, name=title, domain=domain, **attributes)
        )
        return results

    def custom(
        self, kind: str, inputs: Sequence[str], outputs: int, *, name: str, **attributes: Any
    ) -> list[str]:
        """Emit one of the project's ops; its attributes are checked against its contract."""
        checked = plugins.node_attributes(kind, **attributes)
        return self.ops(kind, inputs, outputs, name=name, domain=plugins.DOMAIN, **checked)

    def const(self, value: Any, dtype: Any = None) -> str:
        """A constant, stored once however often it is used; floats take the graph's dtype."""
        array = np.array(value, self.dtype if dtype is None else dtype, order="C")
        digest = hashlib.sha256(array.tobytes() + str((array.dtype, array.shape)).encode())
        name = f"const.{digest.hexdigest()[:16]}"
        if name not in self._constants:
            self._constants[name] = numpy_helper.from_array(array, name)
        return name

    def ints(self, *values: int) -> str:
        """A constant int64 vector."""
        return self.const(values, np.int64)

    def input(self, name: str, elem_type: int, shape: Shape) -> str:
        """Declare a graph input."""
        self._inputs.append(helper.make_tensor_value_info(name, elem_type, list(shape)))
        return name

    def output(self, name: str, value: str, elem_type: int, shape: Shape) -> None:
        """Declare a graph output that carries `value`."""
        self._outputs.append((name, value, elem_type, shape))

    @property
    def float_type(self) -> int:
        """ONNX element type of weights and activations."""
        return int(TensorProto.FLOAT16 if self.dtype == np.float16 else TensorProto.FLOAT)

    def model(self, functions: Sequence[onnx.FunctionProto], producer: str) -> onnx.ModelProto:
        """The finished model, with the bodies of the ops it uses."""
        outputs = self._finish_outputs()
        used = {node.op_type for node in self._nodes if node.domain == plugins.DOMAIN}
        bodies = [function for function in functions if function.name in used]
        graph = helper.make_graph(
            self._nodes, self.name, self._inputs, outputs, list(self._constants.values())
        )
        return helper.make_model(
            graph,
            functions=bodies,
            opset_imports=[
                helper.make_opsetid("", plugins.OPSET),
                helper.make_opsetid(plugins.DOMAIN, plugins.VERSION),
                *(helper.make_opsetid(each, 1) for each in sorted(self._foreign_domains(bodies))),
            ],
            ir_version=plugins.IR_VERSION,
            producer_name=producer,
        )

    def _foreign_domains(self, bodies: Sequence[onnx.FunctionProto]) -> set[str]:
        """Domains of nodes, also of the bodies in use, that are neither standard nor ours."""
        nodes = [*self._nodes, *(node for body in bodies for node in body.node)]
        return {node.domain for node in nodes} - {"", plugins.DOMAIN}

    def _finish_outputs(self) -> list[onnx.ValueInfoProto]:
        """Rename values to the outputs' names; a second name, or an input's, is an Identity."""
        produced = {value for node in self._nodes for value in node.output}
        names: dict[str, str] = {}
        again: list[tuple[str, str]] = []
        for name, value, _, _ in self._outputs:
            if value in produced and value not in names:
                names[value] = name
            else:
                again.append((value, name))
        for node in self._nodes:
            node.input[:] = [names.get(value, value) for value in node.input]
            node.output[:] = [names.get(value, value) for value in node.output]
        self._nodes += [
            helper.make_node("Identity", [names.get(value, value)], [name], name=f"output/{name}")
            for value, name in again
        ]
        return [
            helper.make_tensor_value_info(name, elem_type, list(shape))
            for name, _, elem_type, shape in self._outputs
        ]

    def _unique(self, title: str) -> str:
        name, count = title, 2
        while name in self._used:
            name, count = f"{title}.{count}", count + 1
        self._used.add(name)
        return name
