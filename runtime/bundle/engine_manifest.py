"""What TensorRT engines say about themselves: `NAME.plan.json` beside `NAME.plan` in a bundle.

An engine is TensorRT's here, and a plan is the file that holds one; `runtime.Engine` runs bundles.

TensorRT engines run only with the TensorRT version and the kind of GPU they were built for, and
loading a foreign one ends in an error at best. So the runtime reads this file first, compares, and
says in one sentence what does not fit.
"""

from __future__ import annotations

import dataclasses
import json
import platform
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from runtime.bundle.names import FIRST_GRAPH, NEXT_GRAPH
from runtime.bundle.read import Bundle
from runtime.errors import BundleFormatError, BundleVersionError
from spikehalt.strict import build, parse_json
from spikehalt.vocabulary import Layout, Precision

FORMAT = "spikehalt-engine"
FORMAT_VERSION = 1
PLAN_SUFFIX = ".plan"
SIDECAR_SUFFIX = ".plan.json"

Flavour = Literal["tensorrt", "tensorrt-rtx"]
GraphName = Literal["first", "next"]
TITLES = {"tensorrt": "TensorRT", "tensorrt-rtx": "TensorRT-RTX"}
RTX_AMPERE_ON = ("8.0", "8.6", "8.9", "12.0", "12.1")
"""Compute capabilities that TensorRT-RTX engines for no named GPU run on; not 8.7, 9.0, 11.0."""


@dataclass(frozen=True, kw_only=True)
class PluginUse:
    """Layers of an engine that are plugins.

    Attributes:
        name: the op.
        version: of the plugin.
        namespace: it is registered under.
        layers: how many there are.
    """

    name: str
    version: str
    namespace: str
    layers: int


@dataclass(frozen=True, kw_only=True)
class EngineSidecar:
    """Where an engine comes from and what it runs on.

    Attributes:
        format: always "spikehalt-engine".
        format_version: version of this layout, 1.
        build: names the build; engines that were built together share it, and only they can hand
            states to each other.
        graph: which graph of the bundle it is.
        graph_sha256: of that graph's ONNX file.
        flavour: which library built it.
        version: of that library, all four numbers.
        platform: operating system and processor, such as "linux-x86_64".
        gpu: name of the GPU it was tuned on; None where it was built without one.
        compute_capabilities: of the GPUs it runs on, such as "8.6"; empty: Ampere and newer (of
            TensorRT-RTX: `RTX_AMPERE_ON`).
        hardware_compatible: it runs on any GPU from Ampere on, not only on `gpu`.
        version_compatible: it runs with newer versions of the library too.
        layout: token layout of the graph.
        precision: of weights and activations.
        batch: smallest, typical and largest number of images.
        profiles: largest number of images of every optimization profile, ascending.
        row_step: in the lagged layout, row lists are padded to a multiple of this.
        rows: in the lagged layout, most rows of every input `rows.blockN`.
        plugins: plugin layers in it.
        plugin_library_sha256: of the library they came from; None without plugins.
    """

    format: str = FORMAT
    format_version: int = FORMAT_VERSION
    build: str
    graph: GraphName
    graph_sha256: str
    flavour: Flavour
    version: str
    platform: str
    gpu: str | None = None
    compute_capabilities: tuple[str, ...] = ()
    hardware_compatible: bool = False
    version_compatible: bool = False
    layout: Layout
    precision: Precision
    batch: tuple[int, ...]
    profiles: tuple[int, ...]
    row_step: int = 0
    rows: dict[str, int] = dataclasses.field(default_factory=dict)
    plugins: tuple[PluginUse, ...] = ()
    plugin_library_sha256: str | None = None

    @classmethod
    def from_json(cls, text: str, where: str) -> EngineSidecar:
        """Read a sidecar.

        Raises:
            BundleVersionError: a newer layout of this file.
            BundleFormatError: anything else that is not exactly as expected.
        """
        data = parse_json(text, where, BundleFormatError)
        if data.get("format") != FORMAT:
            raise BundleFormatError(
                f"{where} does not say format {FORMAT!r}: build the engine again"
            )
        version = data.get("format_version")
        if isinstance(version, int) and version > FORMAT_VERSION:
            raise BundleVersionError(f"{where} has format {version}: update spikehalt")
        sidecar = build(cls, data, where, BundleFormatError)
        if (
            len(sidecar.batch) != 3
            or not 1 <= sidecar.batch[0] <= sidecar.batch[1] <= sidecar.batch[2]
        ):
            raise BundleFormatError(f"{where}: batch {sidecar.batch} is not MIN ≤ OPT ≤ MAX")
        if not sidecar.profiles or sidecar.profiles[-1] != sidecar.batch[2]:
            raise BundleFormatError(f"{where}: profiles {sidecar.profiles} do not end at MAX")
        return sidecar

    def to_json(self) -> str:
        """The file's text."""
        return json.dumps(dataclasses.asdict(self), indent=2) + "\n"


@dataclass(frozen=True, kw_only=True)
class Machine:
    """What engines are compared with.

    Attributes:
        flavour: the library that would run them.
        version: its version.
        platform: see `this_platform`.
        gpu: name of the GPU.
        compute_capability: such as "8.6".
    """

    flavour: Flavour
    version: str
    platform: str
    gpu: str
    compute_capability: str


@dataclass(frozen=True)
class EnginePair:
    """The engines of one build.

    Attributes:
        first: file name and sidecar of the first graph's engine.
        next: likewise; None where the bundle has no second graph.
    """

    first: tuple[str, EngineSidecar]
    next: tuple[str, EngineSidecar] | None


def this_platform() -> str:
    """Operating system and processor, such as "linux-x86_64"."""
    return f"{sys.platform}-{platform.machine().lower()}"


def mismatch(sidecar: EngineSidecar, bundle: Bundle, machine: Machine) -> str | None:
    """Why an engine cannot run here, None if it can; the first reason found.

    Args:
        sidecar: of the engine.
        bundle: that holds it.
        machine: what is here.
    """
    graph = FIRST_GRAPH if sidecar.graph == "first" else NEXT_GRAPH
    entry = bundle.manifest.files.get(graph)
    if entry is None or entry.sha256 != sidecar.graph_sha256:
        return f"was built from another {graph} than the bundle's"
    if sidecar.platform != machine.platform:
        return f"was built for {sidecar.platform}, this is {machine.platform}"
    if not _version_fits(sidecar, machine.version):
        title = TITLES[sidecar.flavour]
        return f"was built by {title} {sidecar.version}, installed is {machine.version}"
    return _gpu_mismatch(sidecar, machine)


def _version_fits(sidecar: EngineSidecar, installed: str) -> bool:
    if sidecar.version_compatible:
        return numbers(installed) >= numbers(sidecar.version)
    return sidecar.version == installed


def numbers(version: str) -> tuple[int, ...]:
    """The leading numbers of a version."""
    found = []
    for part in version.split("."):
        if not part.isdigit():
            break
        found.append(int(part))
    return tuple(found)


def _gpu_mismatch(sidecar: EngineSidecar, machine: Machine) -> str | None:
    here = machine.compute_capability
    if sidecar.compute_capabilities and not sidecar.hardware_compatible:
        fits, built_for = here in sidecar.compute_capabilities, sidecar.compute_capabilities
    elif sidecar.flavour == "tensorrt-rtx":
        fits, built_for = here in RTX_AMPERE_ON, RTX_AMPERE_ON
    else:
        fits, built_for = numbers(here) >= (8, 0), ("8.0 and newer",)
    if fits:
        return None
    listed = ", ".join(built_for)
    return f"was built for GPUs of compute capability {listed}, {machine.gpu} has {here}"


def read_sidecars(bundle: Bundle, flavour: Flavour) -> dict[str, EngineSidecar]:
    """The bundle's engines of one flavour: sidecars by plan file name.

    Raises:
        BundleError: a sidecar is damaged.
    """
    found = {}
    for name in sorted(bundle.manifest.files):
        if name.endswith(SIDECAR_SUFFIX):
            where = f"{bundle.root.name}/{name}"
            text = bundle.read(name).decode("utf-8", errors="replace")
            sidecar = EngineSidecar.from_json(text, where)
            if sidecar.flavour == flavour:
                found[name.removesuffix(".json")] = sidecar
    return found


def pair_engines(
    bundle: Bundle,
    sidecars: dict[str, EngineSidecar],
    machine: Machine,
    objection: Callable[[EngineSidecar], str | None] = lambda sidecar: None,
) -> tuple[EnginePair | None, list[str]]:
    """The first build whose engines all run here, and why others do not.

    Args:
        bundle: that holds the engines.
        sidecars: as `read_sidecars` gives them.
        machine: what is here.
        objection: what else may keep an engine from running; None if nothing.

    Returns:
        The pair, None if no build fits, and one reason per engine that does not.
    """
    refusals: list[str] = []
    for build_id in _largest_first(sidecars):
        members = {n: s for n, s in sidecars.items() if s.build == build_id}
        reasons = [
            f"{name} {why}"
            for name, sidecar in members.items()
            if (why := mismatch(sidecar, bundle, machine) or objection(sidecar))
        ]
        pair = _pair(bundle, members)
        if pair is not None and not reasons:
            return pair, refusals
        refusals += reasons or [f"build {build_id} lacks the engine of a graph"]
    return None, refusals


def _largest_first(sidecars: dict[str, EngineSidecar]) -> list[str]:
    """Builds, those for the largest batches first: they run smaller ones too."""
    largest = {sidecar.build: sidecar.batch[2] for sidecar in sidecars.values()}
    return sorted(largest, key=lambda each: (-largest[each], each))


def _pair(bundle: Bundle, members: dict[str, EngineSidecar]) -> EnginePair | None:
    by_graph = {sidecar.graph: (name, sidecar) for name, sidecar in members.items()}
    needs_next = NEXT_GRAPH in bundle.manifest.files
    if "first" not in by_graph or (needs_next and "next" not in by_graph):
        return None
    return EnginePair(by_graph["first"], by_graph.get("next"))
