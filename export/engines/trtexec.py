"""`python -m export trtexec BUNDLE`: the trtexec commands that build and profile its graphs.

Writes the graphs as trtexec takes them (fixed axes written in, function bodies removed so that only
plugins can run the ops), the inputs of both graphs as raw files, and prints the commands for the
TensorRT major version found or named; the flags differ between 10 and 11.
"""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from export.engines.arguments import add_batch_range, add_no_plugins
from export.engines.build import load_graphs
from export.engines.profiles import BatchRange, InputProfile, ShapedGraph, shape_graph
from export.engines.targets.tensorrt import for_plugins, import_tensorrt
from export.errors import TargetMissingError, UnsupportedError
from plugins.libraries import library_folder, plugins_name
from runtime.backends import ports as graph_io
from runtime.backends.lagged import PADDING
from runtime.backends.layouts import DUTIES
from runtime.bundle.engine_manifest import GraphName, numbers
from runtime.bundle.manifest import Manifest
from runtime.bundle.read import Bundle
from runtime.cli.options import BUNDLE_HELP, add_images, input_spec, load_images
from spikehalt.console import say
from spikehalt.files import beside, put_file

Values = Mapping[str, NDArray[Any]]
MAJORS = (10, 11)
# What 11 does anyway has to be asked for on 10, so that both measure the same.
_BUILD_FLAGS = {10: ["--stronglyTyped"], 11: []}
_RUN_FLAGS = {
    10: ["--useCudaGraph", "--noDataTransfers", "--useSpinWait", "--separateProfileRun"],
    11: [],
}


def add_arguments(p: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    p.description, p.formatter_class = __doc__, argparse.RawDescriptionHelpFormatter
    p.add_argument("bundle", metavar="BUNDLE", type=Path, help=BUNDLE_HELP)
    p.add_argument(
        "--out", metavar="DIR", type=Path,
        help="the files' folder (default: BUNDLE's name with .trtexec)",
    )  # fmt: skip
    p.add_argument(
        "--major", type=int, choices=MAJORS, help="of TensorRT (default: of the installed one)"
    )
    add_batch_range(p)
    add_images(p)
    add_no_plugins(p)


@dataclass(frozen=True)
class Commands:
    """The commands for one graph.

    Attributes:
        build: makes the engine.
        profile: times it and writes a profile per layer.
    """

    build: list[str]
    profile: list[str]


def run(arguments: argparse.Namespace) -> int:
    """Run the parsed command; returns the exit status.

    Raises:
        ExportError: packed graphs, a batch range that is none, a folder that cannot be made, or no
            TensorRT found nor named.
        SpikehaltError: the bundle or the images cannot be read.
    """
    bundle = Bundle.open(arguments.bundle)
    major = arguments.major or installed_major()
    batch = BatchRange.parse(arguments.batch)
    out = arguments.out or beside(bundle.root, ".trtexec")
    data = _images(arguments, bundle.manifest, batch.typical)
    shaped = write_files(bundle, batch, data, out, plugins=not arguments.no_plugins)
    lines = [f"cd {shlex.quote(str(out))}"]
    for graph, ready in shaped.items():
        commands = commands_for(graph, ready, major, plugins=not arguments.no_plugins)
        lines += [
            f"# {graph}: build, then profile",
            *map(shell, (commands.build, commands.profile)),
        ]
    say("\n".join(lines))
    return 0


def installed_major() -> int:
    """Major version of the installed TensorRT.

    Raises:
        TargetMissingError: none is installed, so it has to be named.
    """
    try:
        found = numbers(import_tensorrt().__version__)[0]
    except TargetMissingError as error:
        raise TargetMissingError(
            f"name the TensorRT to write for, --major 10 or 11: {error}"
        ) from error
    return min(found, max(MAJORS))


def write_files(
    bundle: Bundle, batch: BatchRange, data: NDArray[Any], out: Path, *, plugins: bool
) -> dict[GraphName, ShapedGraph]:
    """Write graphs and inputs into a folder.

    Args:
        bundle: whose graphs.
        batch: numbers of images.
        data: `batch.typical` images, as the bundle takes them.
        out: the folder; made if need be.
        plugins: remove the function bodies.

    Returns:
        The graphs as written.

    Raises:
        UnsupportedError: packed graphs, or the folder cannot be made.
    """
    models, slots = load_graphs(bundle), bundle.manifest.tokens_per_block
    shaped = {graph: shape_graph(model, (batch,), slots) for graph, model in models.items()}
    _make_folder(out)
    for graph, ready in shaped.items():
        model = for_plugins(ready.model) if plugins else ready.model
        put_file(out / f"{graph}.onnx", model.SerializeToString(), "graph")
    inputs = graph_inputs(bundle.manifest, models, shaped, data)
    for graph, values in inputs.items():
        for name, value in values.items():
            put_file(out / input_file(graph, name), np.ascontiguousarray(value).tobytes(), "input")
    return shaped


def _make_folder(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UnsupportedError(
            f"the folder {out} cannot be made ({error.strerror}): name another one with --out"
        ) from error


def commands_for(graph: GraphName, shaped: ShapedGraph, major: int, *, plugins: bool) -> Commands:
    """The commands for one graph, to be run in the folder of its files."""
    library = [f"--dynamicPlugins={library_folder() / plugins_name(major)}"] if plugins else []
    profile = dict(shaped.profiles[0])
    build = [
        "trtexec", f"--onnx={graph}.onnx", f"--saveEngine={graph}.plan", *_BUILD_FLAGS[major],
        "--noTF32", *_shape_flags(profile), *library, "--profilingVerbosity=detailed",
        "--timingCacheFile=timings", "--skipInference",
    ]  # fmt: skip
    names = [value.name for value in shaped.model.graph.input]
    files = ",".join(f"{name}:{input_file(graph, name)}" for name in names)
    run_it = [
        "trtexec", f"--loadEngine={graph}.plan", *_typical_shapes(profile), f"--loadInputs={files}",
        *library, *_RUN_FLAGS[major], "--warmUp=500", "--duration=10", "--dumpProfile",
        f"--exportProfile={graph}.profile.json", f"--exportTimes={graph}.times.json",
        f"--exportLayerInfo={graph}.layers.json",
    ]  # fmt: skip
    return Commands(build, run_it)


def graph_inputs(
    manifest: Manifest,
    models: Mapping[GraphName, onnx.ModelProto],
    shaped: Mapping[GraphName, ShapedGraph],
    data: NDArray[Any],
) -> dict[GraphName, dict[str, NDArray[Any]]]:
    """Real inputs of every graph at its typical shape: states are those the first graph leaves."""
    source = graph_io.FRAMES if manifest.input.kind == "frames" else graph_io.IMAGE
    epsilon = np.array(manifest.halting.epsilon, np.float32)
    first = {source: _part(manifest, data, 0), graph_io.EPSILON: epsilon}
    inputs = {"first": first}
    if "next" in models:
        outputs = _run(models["first"], first)
        given: dict[str, Any] = {graph_io.EPSILON: epsilon, graph_io.ALIVE: np.arange(len(data))}
        given[source] = _part(manifest, data, manifest.chunk)
        given |= DUTIES[manifest.layout].next_inputs(
            _masks(manifest, outputs), given[graph_io.ALIVE]
        )
        given |= {n.removeprefix("next."): v for n, v in outputs.items() if n.startswith("next.")}
        inputs["next"] = _fitted(shaped["next"], given)
    return {graph: inputs[graph] for graph in models}


def _masks(manifest: Manifest, outputs: Values) -> list[NDArray[np.int32]]:
    """Per block int32 [B, chunk, K_l], where the bundle gives them out."""
    names = graph_io.live_masks(manifest.blocks)
    return [outputs[name] for name in names if name in outputs]


def _part(manifest: Manifest, data: NDArray[Any], start: int) -> NDArray[Any]:
    """Images as they are; of frames those of the chunk after `start` timesteps."""
    frames = manifest.input.kind == "frames"
    return np.ascontiguousarray(data[:, start : start + manifest.chunk]) if frames else data


def input_file(graph: str, name: str) -> str:
    """File with the values of an input."""
    return f"{graph}.{name}.bin"


def shell(words: list[str]) -> str:
    """A command as one would type it, an option a line."""
    return " \\\n    ".join(shlex.quote(word) for word in words)


def _fitted(shaped: ShapedGraph, values: Values) -> dict[str, NDArray[Any]]:
    """Values padded to the shapes the engine has: states to the largest, rows to a bucket."""
    fitted = {}
    for value in shaped.model.graph.input:
        dims = [dim.dim_value for dim in value.type.tensor_type.shape.dim]
        if value.name in shaped.profiles[0]:
            dims = list(shaped.profiles[0][value.name].typical)
        array = np.asarray(values[value.name])
        fill = PADDING if value.name.startswith(graph_io.ROWS) else 0
        fitted[value.name] = np.full(dims, fill, array.dtype)
        fitted[value.name][tuple(slice(size) for size in array.shape)] = array
    return fitted


def _shape_flags(profile: Mapping[str, InputProfile]) -> list[str]:
    if not profile:
        return []
    return [
        f"--{which}Shapes={_shapes({n: getattr(p, size) for n, p in profile.items()})}"
        for which, size in (("min", "smallest"), ("opt", "typical"), ("max", "largest"))
    ]


def _typical_shapes(profile: Mapping[str, InputProfile]) -> list[str]:
    if not profile:
        return []
    return [f"--shapes={_shapes({name: each.typical for name, each in profile.items()})}"]


def _shapes(shapes: Mapping[str, tuple[int, ...]]) -> str:
    return ",".join(f"{name}:{'x'.join(map(str, shape))}" for name, shape in shapes.items())


def _images(arguments: argparse.Namespace, manifest: Manifest, count: int) -> NDArray[Any]:
    """So many of the images, each several times if they are fewer; or noise."""
    if arguments.images is not None:
        data = load_images(arguments, input_spec(arguments, manifest.input), count)
        return data[np.arange(count) % len(data)]
    spec, rng = manifest.input, np.random.default_rng(0)
    if spec.kind == "frames":
        assert spec.timesteps is not None
        shape = (count, spec.timesteps, spec.channels, spec.height, spec.width)
        return rng.integers(0, 3, shape).astype(np.float32)
    return rng.integers(0, 256, (count, spec.height, spec.width, spec.channels), dtype=np.uint8)


def _run(model: onnx.ModelProto, feed: Values) -> dict[str, NDArray[Any]]:
    """One graph in ONNX Runtime."""
    import onnxruntime

    data = model.SerializeToString()
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    names = [each.name for each in session.get_outputs()]
    wanted = {each.name: feed[each.name] for each in session.get_inputs()}
    return dict(zip(names, session.run(names, wanted), strict=True))
