"""Engines of spying graphs, so that TensorRT's spikes can be compared too."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from export.comparison.spiking import Models
from export.engines.build import build_engines
from export.engines.profiles import BatchRange
from export.engines.targets.base import EngineOptions
from export.engines.targets.choose import open_target, this_capability
from runtime.bundle import Bundle, write_bundle
from runtime.bundle.engine_manifest import Flavour, read_sidecars


def build_spying(
    bundle: Bundle, models: Models, flavour: Flavour, batch: int, folder: Path
) -> Bundle:
    """A bundle beside the one to compare, with engines that give out every spike.

    Args:
        bundle: the one to compare; its engines say whether plugins are used.
        models: its graphs with every spike given out.
        flavour: what to build with, for this machine's GPU.
        batch: images at once.
        folder: where to put it.

    Raises:
        ExportError: the engines cannot be built here.
    """
    manifest = dataclasses.replace(bundle.manifest, live_masks=True)
    files: dict[str, bytes | Path] = {n: m.SerializeToString() for n, m in models.items()}
    spying = write_bundle(folder / f"{flavour}.bundle", manifest, files)
    rtx = flavour == "tensorrt-rtx"
    options = EngineOptions(
        batch=BatchRange(batch, batch, batch),
        plugins=any(sidecar.plugins for sidecar in read_sidecars(bundle, flavour).values()),
        compute_capabilities=(this_capability(),) if rtx else (),
    )
    return build_engines(spying, open_target(flavour, options), options)
