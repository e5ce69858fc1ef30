"""What a node of ours costs in ONNX Runtime on a CPU: the native kernel against the function body.

    python -m plugins build --cpu
    python -m benchmarks.ops

One-node models, one thread, both in turn; microseconds of a whole run, of which a run of the
smallest node there is (Identity of one number) is given beside them. Widths are those of
`spikformer-4-384`: D 384, hidden 1536, 12 heads; 29 or 64 live tokens of 64; three in ten spikes
are ones, and for the ops that pay for spikes alone a share of 0 to 100 %.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, helper, numpy_helper
from rich.progress import track

import plugins
from benchmarks.common import command_line
from benchmarks.common.figures import in_turn
from benchmarks.common.table import Row, Table, console, number, words
from benchmarks.cpu.worker import our_session
from plugins.common.contract import MICROSOFT
from plugins.ops import run_reference
from spikehalt.commands import run as run_command
from spikehalt.commands import whole

SLOTS, DIM, HIDDEN, HEADS, STEPS = 64, 384, 1536, 12, 4
ROWS = (29, 64)
HALTING = {"alpha": 5.0, "beta": -10.0}
DENSITIES = (0.0, 0.05, 0.1, 0.2, 0.4, 1.0)
# A measurement looks at the clock after so many runs each, and ends when it has had enough.
RUNS, ENOUGH_S = (1, 1, 2, 4, 8, 16, 32), 0.005
Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Case:
    """A node to time.

    Attributes:
        op: of `plugins.OP_NAMES`.
        size: in words.
        feeds: its inputs.
        attributes: of the node.
        bodies: what its function body is made for.
        constants: inputs that are the graph's own.
    """

    op: str
    size: str
    feeds: Arrays
    attributes: Mapping[str, Any] = field(default_factory=dict)
    bodies: plugins.Bodies = field(default_factory=lambda: plugins.Bodies(reset_to_zero=True))
    constants: tuple[str, ...] = ()


def cases() -> list[Case]:
    """Every op at the sizes it has in the model."""
    rng = np.random.default_rng(0)
    of_rows = [case for rows in ROWS for case in _of_rows(rng, rows)]
    return [*of_rows, *_of_images(rng), *_of_densities(rng)]


def _of_densities(rng: np.random.Generator) -> list[Case]:
    """The ops that pay for spikes alone, at the sizes of the model's layers."""
    linear = [(29, HIDDEN, DIM), (64, DIM, HIDDEN)]
    sizes = [*linear, (32, 96, 192), (16, 192, DIM), (8, DIM, DIM)]
    return [
        case
        for size in sizes
        for density in DENSITIES
        for case in (_linear if size in linear else _conv)(rng, *size, density)
    ]


def _linear(
    rng: np.random.Generator, rows: int, inputs: int, outputs: int, density: float
) -> list[Case]:
    size = f"{rows} x {inputs} → {outputs}, {density:.0%}"
    x = (rng.random((rows, inputs)) < density).astype(np.uint8)
    weight, scale = _weights(rng, inputs, outputs), np.ones(outputs, np.float32)
    layer: Arrays = {"weight": weight, "scale": scale, "bias": scale}
    floats: Arrays = {"weight": weight.astype(np.float32), "bias": scale}
    return [
        Case("SpikeLinearInteger", size, {"x": x, **layer}, constants=tuple(layer)),
        Case("SpikeLinear", size, {"x": x.astype(np.float32), **floats}, constants=tuple(floats)),
    ]


def _conv(
    rng: np.random.Generator, side: int, channels: int, outputs: int, density: float
) -> list[Case]:
    size = f"{side} x {side}, {channels} → {outputs}, {density:.0%}"
    shape = (1, side, side, channels)
    x = (rng.integers(1, 5, shape) * (rng.random(shape) < density)).astype(np.uint8)
    layer = {"weight": _weights(rng, 9 * channels, outputs)}
    floats = {"weight": layer["weight"].astype(np.float32), "bias": np.ones(outputs, np.float32)}
    return [
        Case("SpikeConvInteger", size, {"x": x, **layer}, constants=tuple(layer)),
        Case("SpikeConv", size, {"x": x.astype(np.float32), **floats}, constants=tuple(floats)),
    ]


def _weights(rng: np.random.Generator, inputs: int, outputs: int) -> NDArray[np.int8]:
    return rng.integers(-127, 128, (inputs, outputs)).astype(np.int8)


def _of_rows(rng: np.random.Generator, rows: int) -> list[Case]:
    index = np.sort(rng.permutation(SLOTS)[:rows])
    live = np.zeros((1, SLOTS), np.int32)
    live[0, index] = 1
    place = np.where(live[0] > 0, np.cumsum(live) - 1, rows)
    neuron = {"decay": 0.5, "threshold": 1.0, "spike_type": 2}
    heads = {"heads": HEADS, "slots": SLOTS}
    bodies = plugins.Bodies(heads=HEADS, dim=DIM, keys_first=True)
    found = []
    for width in (DIM, HIDDEN):
        x, v = _normal(rng, rows, width), _normal(rng, SLOTS, width)
        size = f"{rows} x {width}"
        found.append(Case("LIF", size, {"x": x, "v": v[:rows]}, neuron))
        found.append(Case("PackedLIF", size, {"x": x, "v": v, "row": index}, neuron))
        found.append(_through_steps(rng, index, width, neuron))
    x, grid = _normal(rng, rows, DIM), np.ones((1, SLOTS), np.float32)
    end: Arrays = {"epsilon": np.array(0.01, np.float32)}
    state: dict[str, NDArray[Any]] = {"size": grid, "hist": 0 * grid, "cum": 0 * grid}
    size = f"{rows} x {DIM}"
    spikes: Arrays = {"spikes": _spikes(rng, rows, 3 * DIM)}
    packed: Arrays = {**spikes, "index": index, "place": place}
    return [
        *found,
        Case("PackedTokenHalt", size, {**state, "x": x, "index": index, **end}, HALTING),
        Case("TokenPack", size, {"x": x, "index": index, "live": live}),
        Case("PackedAttention", size, packed, heads, bodies),
    ]


def _through_steps(
    rng: np.random.Generator, index: NDArray[np.int64], width: int, neuron: Mapping[str, Any]
) -> Case:
    """PackedLIF of as many rows at every timestep."""
    rows = len(index)
    feeds = {
        "x": _normal(rng, STEPS * rows, width),
        "v": _normal(rng, SLOTS, width),
        "row": np.concatenate([index, *[np.arange(rows)] * (STEPS - 1)]),
        "count": np.full(STEPS, rows),
    }
    bodies = plugins.Bodies(steps=STEPS, reset_to_zero=True)
    return Case("PackedLIFSteps", f"{rows} x {width}, T {STEPS}", feeds, neuron, bodies)


def _of_images(rng: np.random.Generator) -> list[Case]:
    x, grid = rng.integers(0, 3, (1, SLOTS, DIM)).astype(np.float32), np.ones((1, SLOTS))
    tokens = {"x": x, "size": grid.astype(np.float32)}
    live = grid.astype(np.int32)
    zeros = {"hist": np.zeros((1, SLOTS), np.float32), "cum": np.zeros((1, SLOTS), np.float32)}
    end = {"epsilon": np.array(0.01, np.float32)}
    size, planes = f"{SLOTS} x {DIM}", "32 x 32 x 48"
    bytes_in = rng.integers(0, 5, (1, 32, 32, 48), np.uint8)
    sums = {"x": rng.integers(-50, 50, (1, 32, 32, 48), np.int32)}
    steps = {"at": np.sort(rng.integers(-20, 20, (3, 48)), axis=0).astype(np.int32)}
    weights = {"weights": (1, 1, 2), "count_type": 2}
    merged = {**tokens, "live": live, "source": np.array([[-1]], np.int32)}
    counting = plugins.Bodies(count_weights=(1, 1, 2), count_type=2)
    bodies = plugins.Bodies(heads=HEADS, dim=DIM, keys_first=True)
    spikes = {"spikes": _spikes(rng, SLOTS, 3 * DIM)}
    return [
        Case("TokenHaltSum", size, {**tokens, **zeros, "live": live, **end}, HALTING),
        Case("TokenMerge", f"{size}, γ 25", merged, {"gamma": 25}),
        Case("TokenMergeSimilar", f"{size}, τ 0.5", merged, {"threshold": 0.5}),
        Case("SpikeAttention", size, spikes, {"heads": HEADS, "slots": SLOTS}, bodies),
        Case("SpikeCount", planes, sums | steps, weights, counting),
        Case("Patches", planes, {"x": bytes_in}),
    ]  # fmt: skip


def _normal(rng: np.random.Generator, *shape: int) -> NDArray[np.float32]:
    return rng.normal(0, 1, shape).astype(np.float32)


def _spikes(rng: np.random.Generator, *shape: int) -> NDArray[np.uint8]:
    return (rng.random(shape) < 0.3).astype(np.uint8)


def model_of(case: Case) -> ModelProto:
    """A model of the node, with its function body."""
    (body,) = (f for f in plugins.onnx_functions(case.bodies) if f.name == case.op)
    attributes = plugins.node_attributes(case.op, **case.attributes)
    feeds = [case.feeds[name] for name in body.input]
    wanted = run_reference(case.op, attributes, *feeds)
    node = helper.make_node(case.op, body.input, body.output, domain=plugins.DOMAIN, **attributes)
    named = dict(zip(body.input, feeds, strict=True))
    constants = [numpy_helper.from_array(named[name], name) for name in case.constants]
    given = {name: array for name, array in named.items() if name not in case.constants}
    inputs = _values(list(given), list(given.values()))
    graph = helper.make_graph(
        [node], "one_node", inputs, _values(body.output, wanted), initializer=constants
    )
    return _model(graph, functions=[body])


def _model(graph: Any, **more: Any) -> ModelProto:
    imports = [("", plugins.OPSET), (plugins.DOMAIN, plugins.VERSION), (MICROSOFT, 1)]
    return helper.make_model(
        graph,
        ir_version=plugins.IR_VERSION,
        opset_imports=[helper.make_opsetid(domain, version) for domain, version in imports],
        **more,
    )


def _values(names: Sequence[str], arrays: Sequence[NDArray[Any]]) -> list[Any]:
    kind = helper.np_dtype_to_tensor_dtype
    return [
        helper.make_tensor_value_info(name, kind(array.dtype), array.shape)
        for name, array in zip(names, arrays, strict=True)
    ]


def runner(model: ModelProto, feeds: Arrays, *, native: bool) -> Callable[[], None]:
    """A function that runs the model once; inputs and outputs stay in ONNX Runtime."""
    session = our_session(model.SerializeToString(), 1, native)
    binding = session.io_binding()
    for value in session.get_inputs():
        binding.bind_cpu_input(value.name, feeds[value.name])
    for each in session.get_outputs():
        binding.bind_output(each.name)
    return lambda: session.run_with_iobinding(binding)


def measure(functions: Sequence[Callable[[], None]], rounds: int) -> list[float]:
    """Median microseconds of each, taking turns."""
    return in_turn([partial(microseconds, function) for function in functions], rounds)


def microseconds(function: Callable[[], None]) -> float:
    """Process time of a run, averaged over all of RUNS or over those that ENOUGH_S holds."""
    done, spent_s, begin = 0, 0.0, time.process_time()
    for runs in RUNS:
        for _ in range(runs):
            function()
        done, spent_s = done + runs, time.process_time() - begin
        if spent_s >= ENOUGH_S:
            break
    return 1e6 * spent_s / done


def nothing() -> tuple[ModelProto, Arrays]:
    """The smallest node."""
    x = np.zeros(1, np.float32)
    node = helper.make_node("Identity", ["x"], ["y"])
    return _model(helper.make_graph([node], "x", _values(["x"], [x]), _values(["y"], [x]))), {
        "x": x
    }


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print; returns the exit status."""
    parser = command_line.parser("benchmarks.ops", __doc__)
    parser.add_argument("--rounds", type=whole(1), default=12)
    arguments = parser.parse_args(argv)
    (empty,) = measure([runner(*nothing(), native=False)], arguments.rounds)
    timed = track(cases(), "measuring", transient=True, console=console)
    rows = [row_of(case, arguments.rounds) for case in timed]
    table(empty).print(rows)
    return 0


def row_of(case: Case, rounds: int) -> Row:
    """Microseconds of a run with the kernel and with the body."""
    model = model_of(case)
    both = [runner(model, case.feeds, native=native) for native in (True, False)]
    kernel, body = measure(both, rounds)
    figures = {"size": case.size, "kernel_us": kernel, "body_us": body, "gain": body / kernel}
    return Row(case.op, figures)


def table(empty_us: float) -> Table:
    """All nodes, beside a run of the smallest one."""
    columns = [
        words("op"),
        words("size", "size"),
        number("kernel", "kernel_us", ".1f"),
        number("body", "body_us", ".1f"),
        number("body / kernel", "gain", ".1f"),
    ]
    return Table(f"µs of a run; {empty_us:.1f} of an empty one", columns)


if __name__ == "__main__":
    sys.exit(run_command(main))
