"""Inputs and outputs of the graphs, by name (design section 5)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from runtime.backends.facts import Facts
from runtime.bundle import FIRST_GRAPH, NEXT_GRAPH, Manifest
from runtime.errors import BundleFormatError

STATE = "state."
NEXT_STATE = "next.state."
LOGITS, HALT_SCORE, LIVE_TOKENS = "logits", "halt_score", "live_tokens"
MAC_OPS, AC_OPS = "mac_ops", "ac_ops"
IMAGE, FRAMES, EPSILON = "image", "frames", "epsilon"
ALIVE = "alive"  # which images of the previous chunk go on: positions, int64 [B']
ROWS = "rows."


def live_masks(blocks: int) -> tuple[str, ...]:
    """Names of the live mask outputs, block 1 first."""
    return tuple(f"live.block{n}" for n in range(1, blocks + 1))


def merged(manifest: Manifest) -> dict[str, int]:
    """Outputs of the first graph that say which slots merge, for blocks where any do.

    Returns:
        Their names and widths: gamma, or K where slots stay (`ImageResult.merged`).
    """
    arriving, widths = manifest.tokens, {}
    for number, slots in enumerate(manifest.tokens_per_block, 1):
        widths[f"merged.block{number}"] = slots if manifest.merges_similar else arriving - slots
        arriving = slots
    return {name: width for name, width in widths.items() if width}


def rows_input(number: int) -> str:
    """Name of the input with the rows of block `number`, where a layout has such inputs."""
    return f"{ROWS}block{number}"


@dataclass(frozen=True)
class Wiring:
    """What is bound to one graph when it runs.

    Attributes:
        inputs: names fed from outside.
        states_in: names of state inputs, empty for the first graph.
        states_out: names of state outputs that the next chunk takes.
    """

    inputs: tuple[str, ...]
    states_in: tuple[str, ...]
    states_out: tuple[str, ...]


@dataclass(frozen=True)
class Ports:
    """What a graph declares: names, and what else is known of it."""

    inputs: Sequence[str]
    outputs: Collection[str]
    facts: Facts = field(default_factory=Facts)


def wire_graphs(
    manifest: Manifest, first: Ports, following: Ports | None, rows: Collection[str] = ()
) -> tuple[Wiring, Wiring | None]:
    """Check the graphs' names against the contract, and pair the states.

    Args:
        manifest: of the bundle.
        first: what `first.onnx` declares.
        following: what `next.onnx` declares, None if there is none.
        rows: names of the row lists that the layout feeds to it.

    Raises:
        BundleFormatError: an input nobody feeds, or an output that is missing.
    """
    source = FRAMES if manifest.input.kind == "frames" else IMAGE
    states = tuple(n for n in following.inputs if n.startswith(STATE)) if following else ()
    outputs = _outputs(manifest)
    produced = tuple("next." + name for name in states)
    _check(FIRST_GRAPH, first, {source, EPSILON}, {source}, {*outputs, *produced})
    fed_first = tuple(first.inputs)
    if following is None:
        return Wiring(fed_first, (), ()), None
    frames = {FRAMES} if source == FRAMES else set()
    allowed = {ALIVE, EPSILON, *frames, *states, *rows}
    repeated = {*outputs, *produced} if manifest.timesteps > 2 * manifest.chunk else set(outputs)
    _check(NEXT_GRAPH, following, allowed, {ALIVE, *frames}, repeated)
    fed_next = tuple(name for name in following.inputs if name not in states)
    return Wiring(fed_first, (), produced), Wiring(fed_next, states, produced)


def _outputs(manifest: Manifest) -> tuple[str, ...]:
    masks = live_masks(manifest.blocks) if manifest.live_masks else ()
    operations = (MAC_OPS, AC_OPS) if manifest.instrumented else ()
    return (LOGITS, HALT_SCORE, LIVE_TOKENS, *operations, *masks)


def _check(
    graph: str, ports: Ports, allowed: set[str], needed: set[str], outputs: set[str]
) -> None:
    _refuse(graph, "has inputs nobody feeds", set(ports.inputs) - allowed, allowed)
    _refuse(graph, "lacks the inputs", needed - set(ports.inputs), ports.inputs)
    _refuse(graph, "lacks the outputs", outputs - set(ports.outputs), ports.outputs)


def _refuse(graph: str, what: str, names: set[str], exist: Collection[str]) -> None:
    if names:
        raise BundleFormatError(
            f"{graph} {what} {', '.join(sorted(names))} (known: {', '.join(sorted(exist))}): "
            "export the checkpoint again"
        )
