"""Whether a graph is the one that the manifest speaks of: shapes, types, ops and what export noted.

Nothing is computed over a contradiction: numpy would broadcast one timestep into two, and a graph
runs any number of timesteps.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

from runtime.backends.facts import Facts, Shape
from runtime.backends.layouts import DUTIES
from runtime.backends.ports import Ports, Wiring, wire_graphs
from runtime.bundle import FIRST_GRAPH, NEXT_GRAPH, Manifest
from runtime.bundle.properties import PREFIX, graph_properties
from runtime.errors import BundleFormatError

_STATE = re.compile(r"(next\.)?state\.(block(?P<block>\d+)\.)?(?P<what>\w+)")
# Membranes that may have no tokens: of the readout, and of the Spike-driven Transformer's gates.
_PER_IMAGE = ("head_lif", "attn_lif")
_INT8_OPS = {
    "QuantizeLinear", "DequantizeLinear", "MatMulInteger", "MatMulIntegerToFloat",
    "SpikeLinearInteger", "SpikeConvInteger",
}  # fmt: skip
_QDQ_OP = "DequantizeLinear"


def wire(manifest: Manifest, first: Ports, following: Ports | None) -> tuple[Wiring, Wiring | None]:
    """Compare the graphs of a bundle with its manifest, and pair their states.

    Args:
        manifest: of the bundle.
        first: what `first.onnx` declares.
        following: what `next.onnx` declares, None if there is none.

    Raises:
        BundleFormatError: as `check_facts` and `wire_graphs`.
    """
    check_facts(manifest, FIRST_GRAPH, first.facts)
    if following is not None:
        check_facts(manifest, NEXT_GRAPH, following.facts)
    rows = DUTIES[manifest.layout].row_inputs(manifest.blocks)
    return wire_graphs(manifest, first, following, rows)


def check_facts(manifest: Manifest, graph: str, facts: Facts) -> None:
    """Compare a graph with the manifest.

    Raises:
        BundleFormatError: they contradict each other; field and values are named.
    """
    _check_model(manifest)
    for name, said in graph_properties(manifest).items():
        noted = facts.properties.get(name, said)
        _require(noted == said, graph, name.removeprefix(PREFIX), said, noted)
    _check_ops(manifest, graph, facts.ops)
    for name, wanted in _shapes(manifest, graph == FIRST_GRAPH):
        _check_shape(graph, name, wanted, facts.shapes.get(name))
    for name, shape in facts.shapes.items():
        _check_state(manifest, graph, name, shape, facts.types.get(name))


def _check_model(manifest: Manifest) -> None:
    """Compare with the model's own configuration, where the manifest holds one."""
    halting = manifest.model.get("halting")
    mode = halting.get("mode") if isinstance(halting, dict) else None
    said: dict[str, tuple[object, object]] = {
        "timesteps": (manifest.timesteps, manifest.model.get("timesteps")),
        "halting": (manifest.halting.mode, mode),
    }
    gamma = manifest.model.get("merge_gamma")
    if isinstance(gamma, int):
        slots = [manifest.tokens]
        for _ in manifest.tokens_per_block:
            slots.append(slots[-1] - min(gamma, slots[-1] // 2))
        said["tokens_per_block"] = ([*manifest.tokens_per_block], slots[1:])
    for name, (value, trained) in said.items():
        _require(trained in (None, value), "its model", name, value, trained)


def _shapes(manifest: Manifest, first: bool) -> Iterator[tuple[str, Shape]]:
    """What every chunk takes and gives, B images being free."""
    spec, chunk = manifest.input, manifest.chunk
    if spec.kind == "frames":
        yield "frames", (None, chunk, spec.channels, spec.height, spec.width)
    elif first:
        yield "image", (None, spec.height, spec.width, spec.channels)
    yield "logits", (None, len(manifest.classes))
    yield "halt_score", (None,)
    yield "live_tokens", (None, chunk, manifest.blocks)
    for number, slots in enumerate(manifest.tokens_per_block, 1):
        yield f"live.block{number}", (None, chunk, slots)
    for name in ("mac_ops", "ac_ops"):
        yield name, (None, chunk)


def _check_shape(graph: str, name: str, wanted: Shape, real: Shape | None) -> None:
    if real is None:
        return
    fits = len(real) == len(wanted) and all(
        a is None or b is None or a == b for a, b in zip(real, wanted, strict=True)
    )
    _require(fits, graph, f"{name} of shape", _text(wanted), _text(real))


def _check_state(
    manifest: Manifest, graph: str, name: str, shape: Shape, dtype: str | None
) -> None:
    """Slots of each block, rows as the layout has them, the type of membranes."""
    found = _STATE.fullmatch(name)
    if found is None:
        return
    what, block = found["what"], int(found["block"] or 1)
    if not 1 <= block <= manifest.blocks:
        _require(False, graph, "blocks", manifest.blocks, name)
    slots = manifest.tokens_per_block[block - 1]
    if what in ("hist", "tokens", "size", "live"):
        _check_shape(graph, name, (None, slots, *shape[2:]), shape)
    if what.endswith("_lif") and what not in _PER_IMAGE:
        rows = DUTIES[manifest.layout].keeps_rows(block)
        _require(len(shape) == (2 if rows else 3), graph, "layout", manifest.layout, name)
        wanted = "float16" if manifest.precision == "fp16" else "float32"
        _require(dtype in (None, wanted), graph, "precision", manifest.precision, dtype)


def _check_ops(manifest: Manifest, graph: str, ops: Collection[str]) -> None:
    if not ops:
        return
    int8 = not _INT8_OPS.isdisjoint(ops)
    has = "int8 products" if int8 else "none in int8"
    _require(int8 == (manifest.precision == "int8"), graph, "precision", manifest.precision, has)
    qdq = _QDQ_OP in ops
    _require(qdq == manifest.qdq, graph, "qdq", manifest.qdq, qdq)


def _text(shape: Shape) -> str:
    return f"[{', '.join('B' if size is None else str(size) for size in shape)}]"


def _require(good: bool, graph: str, what: str, said: object, real: object) -> None:
    if not good:
        raise BundleFormatError(
            f"the manifest says {what} {said}, {graph} has {real}: they do not belong together; "
            "export the checkpoint again"
        )
