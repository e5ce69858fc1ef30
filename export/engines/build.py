"""Build the engines of a bundle and put them into it, each with its sidecar.

Needs onnx and the target's library; no torch, so that it runs on a Jetson.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import onnx

from export.bundle.weights import load_graph
from export.engines.profiles import ROW_STEP, ShapedGraph, shape_graph
from export.engines.targets.base import BuiltEngine, EngineOptions, Say, Target
from runtime.bundle import FIRST_GRAPH, NEXT_GRAPH, Bundle, add_files, signature_notice
from runtime.bundle.engine_manifest import (
    PLAN_SUFFIX,
    SIDECAR_SUFFIX,
    EngineSidecar,
    GraphName,
    this_platform,
)
from runtime.bundle.manifest import Manifest

_GRAPHS: tuple[tuple[GraphName, str], ...] = (("first", FIRST_GRAPH), ("next", NEXT_GRAPH))


@dataclass(frozen=True)
class _Built:
    """An engine and what goes into its sidecar."""

    graph: GraphName
    shaped: ShapedGraph
    engine: BuiltEngine


def build_engines(
    bundle: Bundle, target: Target, options: EngineOptions, say: Say = lambda _: None
) -> Bundle:
    """Build an engine from every graph of a bundle.

    Args:
        bundle: whose graphs to build, in the dense or lagged layout.
        target: what to build with.
        options: how.
        say: takes one line per engine, and one if the bundle's signature no longer fits.

    Returns:
        The bundle with the engines in it.

    Raises:
        UnsupportedError: the packed layout, int8 for ONNX Runtime on a CPU, or an option the target
            does not have.
        EngineBuildError: the parser or builder refused; nothing was added.
        BundleError: the bundle cannot be read or written.
    """
    build, files = secrets.token_hex(8), dict[str, bytes | Path]()
    for built in _build_all(bundle, target, options, say):
        sidecar = make_sidecar(bundle.manifest, target, options, built, build)
        stem = f"{built.graph}.{engine_tag(target, options, bundle.manifest)}"
        files[stem + PLAN_SUFFIX] = built.engine.plan
        files[stem + SIDECAR_SUFFIX] = sidecar.to_json().encode()
    complete = add_files(bundle.root, files)
    notice = signature_notice(bundle.root)
    if notice is not None:
        say(notice)
    return complete


def engine_tag(target: Target, options: EngineOptions, manifest: Manifest) -> str:
    """What tells engines of one graph apart: library, GPUs, precision, batch."""
    gpus = "+".join(f"sm{c.replace('.', '')}" for c in target.compute_capabilities) or "ampere+"
    batch = str(options.batch).replace(":", "-")
    return f"{target.flavour}-{target.version}.{gpus}.{manifest.precision}.b{batch}"


def make_sidecar(
    manifest: Manifest, target: Target, options: EngineOptions, built: _Built, build: str
) -> EngineSidecar:
    """Describe an engine."""
    library, batch = target.plugin_library, options.batch
    return EngineSidecar(
        build=build,
        graph=built.graph,
        graph_sha256=manifest.files[dict(_GRAPHS)[built.graph]].sha256,
        flavour=target.flavour,
        version=target.version,
        platform=this_platform(),
        gpu=target.gpu,
        compute_capabilities=target.compute_capabilities,
        hardware_compatible=options.hardware_compatible,
        version_compatible=options.version_compatible,
        layout=manifest.layout,
        precision=manifest.precision,
        batch=(batch.smallest, batch.typical, batch.largest),
        profiles=tuple(each.largest for each in built.shaped.ranges),
        row_step=ROW_STEP if built.shaped.rows else 0,
        rows=dict(built.shaped.rows),
        plugins=built.engine.plugins,
        plugin_library_sha256=_sha256(library) if library and built.engine.plugins else None,
    )


def load_graphs(bundle: Bundle) -> dict[GraphName, onnx.ModelProto]:
    """The graphs of a bundle with their weights, checked against their sha256."""
    return {
        graph: load_graph(bundle, file) for graph, file in _GRAPHS if file in bundle.manifest.files
    }


def _build_all(
    bundle: Bundle, target: Target, options: EngineOptions, say: Say
) -> Iterator[_Built]:
    slots = bundle.manifest.tokens_per_block
    ranges = options.batch.split() if target.tunes_per_profile else (options.batch,)
    shaped = {
        graph: shape_graph(model, ranges, slots) for graph, model in load_graphs(bundle).items()
    }
    for graph, ready in shaped.items():
        begin = time.perf_counter()
        engine = target.build(ready)
        seconds = time.perf_counter() - begin
        say(f"built {graph}: {len(engine.plan):,} bytes, {engine.layers} layers, {seconds:.1f} s")
        yield _Built(graph, ready, engine)


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
