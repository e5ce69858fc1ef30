"""What a target is given and what it gives back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from export.engines.profiles import BatchRange, ShapedGraph
from runtime.bundle.engine_manifest import Flavour, PluginUse

Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class EngineOptions:
    """How engines are built.

    Attributes:
        batch: numbers of images.
        plugins: let the project's plugins run its ops; otherwise their function bodies do.
        compute_capabilities: GPUs to build for, such as "8.6"; empty: this machine's.
        workspace_mib: scratch memory the builder may use; None leaves it to the library.
        timing_cache: file with kernel timings, read if it exists and written afterwards.
        hardware_compatible: for any GPU from Ampere on, at some cost in speed.
        version_compatible: for newer TensorRT versions too, at some cost in speed.
    """

    batch: BatchRange = field(default_factory=lambda: BatchRange(1, 8, 32))
    plugins: bool = True
    compute_capabilities: tuple[str, ...] = ()
    workspace_mib: int | None = None
    timing_cache: Path | None = None
    hardware_compatible: bool = False
    version_compatible: bool = False


@dataclass(frozen=True, kw_only=True)
class BuiltEngine:
    """An engine.

    Attributes:
        plan: the serialised engine.
        layers: in the network, before the builder fused them.
        plugins: plugin layers by op.
    """

    plan: bytes
    layers: int
    plugins: tuple[PluginUse, ...] = ()


class Target(Protocol):
    """A library that builds engines."""

    @property
    def flavour(self) -> Flavour:
        """Its name in sidecars."""
        ...

    @property
    def version(self) -> str:
        """Its version, all four numbers."""
        ...

    @property
    def gpu(self) -> str | None:
        """Name of the GPU it tunes on, None if it builds without one."""
        ...

    @property
    def compute_capabilities(self) -> tuple[str, ...]:
        """GPUs its engines run on; empty: Ampere and newer."""
        ...

    @property
    def plugin_library(self) -> Path | None:
        """The library its plugins come from, None if it uses none."""
        ...

    @property
    def tunes_per_profile(self) -> bool:
        """Whether kernels are chosen per profile, so that several for one engine pay."""
        ...

    def build(self, graph: ShapedGraph) -> BuiltEngine:
        """Build one engine.

        Raises:
            EngineBuildError: the parser or the builder refused the graph.
        """
        ...
