"""The numpy references in Polygraphy's `pluginref` backend.

`PluginRefRunner` runs every node of a graph through its registry, which has hardly any standard op:
use it for graphs of a single op of ours, to compare a TensorRT plugin with its reference.
Polygraphy's command line cannot import third-party references; use its Python interface:

    from plugins.polygraphy import register_references
    from polygraphy.backend.pluginref import PluginRefRunner

    register_references()
    with PluginRefRunner(graph) as runner:  # an onnx-graphsurgeon graph
        outputs = runner.infer(feeds)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from plugins.common.op import Op
from plugins.common.types import Array
from plugins.ops import OPS
from spikehalt.extras import require_extra


def register_references() -> None:
    """Register every op's reference with Polygraphy; doing it again changes nothing.

    Raises:
        spikehalt.errors.MissingExtraError: Polygraphy is not installed.
    """
    references = require_extra(
        "polygraphy.backend.pluginref.references", "compare", "registering references"
    )
    for op in OPS:
        references.register(op.name)(_reference_of(op))


def _reference_of(op: Op) -> Any:
    """A function as Polygraphy calls it: attributes first, a list of outputs back."""

    def reference(attributes: Mapping[str, Any], *inputs: Array) -> list[Array]:
        return list(op.run_reference(attributes, *inputs))

    return reference
