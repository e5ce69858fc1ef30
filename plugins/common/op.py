"""One op: its names, attributes, reference and function body."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from plugins.common.attributes import Attribute, AttributeValue, OpAttributeError
from plugins.common.bodies import Bodies
from plugins.common.contract import DOMAIN, VERSION
from plugins.common.types import Array

if TYPE_CHECKING:
    import onnx


@dataclass(frozen=True)
class Op:
    """What the project knows about an op; the code form of its `op.yaml`.

    Args:
        name: the op type of its nodes.
        inputs: the names of its inputs.
        outputs: the names of its outputs.
        reference: takes the inputs in order and the attributes by name, as ONNX writes them;
            returns the outputs.
        body: returns the ONNX function of standard ops for what a model's nodes agree on. It
            imports onnx itself, so that a table of ops needs numpy alone.
        attributes: by name.
        plugin: it has a TensorRT plugin; without one it runs there as its function body.
        sparse: its kernels pay only for activations that are not zero.
    """

    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    reference: Callable[..., tuple[Array, ...]]
    body: Callable[[Bodies], onnx.FunctionProto]
    attributes: Mapping[str, Attribute]
    plugin: bool = False
    sparse: bool = False

    def node_attributes(self, **given: AttributeValue) -> dict[str, AttributeValue]:
        """Return every attribute that a node carries; see `plugins.node_attributes`.

        Raises:
            OpAttributeError: an unknown attribute, a missing one, a wrong type or range.
        """
        unknown = sorted(set(given) - set(self.attributes))
        if unknown:
            known = ", ".join(self.attributes) or "none"
            raise OpAttributeError(f"{self.name} has no attribute {unknown[0]!r}; it has {known}.")
        values = {name: self._checked(name, given.get(name)) for name in self.attributes}
        if not self.plugin:
            return values
        return values | {"plugin_namespace": DOMAIN, "plugin_version": str(VERSION)}

    def check(self, **given: AttributeValue) -> None:
        """Check some of the attributes.

        Raises:
            OpAttributeError: a wrong type or range.
        """
        for name, value in given.items():
            self._checked(name, value)

    def run_reference(self, attributes: Mapping[str, Any], *inputs: Array) -> tuple[Array, ...]:
        """Compute a node with the numpy reference.

        Args:
            attributes: the node's attributes; those that only TensorRT reads are ignored.
            *inputs: the node's inputs.

        Raises:
            ValueError: the inputs do not fit each other.
        """
        own = {name: value for name, value in attributes.items() if name in self.attributes}
        return self.reference(*inputs, **own)

    def _checked(self, name: str, value: AttributeValue | None) -> AttributeValue:
        return self.attributes[name].checked(f"{self.name} attribute {name!r}", value)
