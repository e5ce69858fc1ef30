"""Small checkpoints and bundles with exact arithmetic, for tests of engines and their backends."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from export.bundle.write import export_bundle
from export.options import ExportOptions
from runtime.bundle.read import Bundle
from tests.export.dyadic import dyadic_config, dyadic_network
from train.checkpoint import Checkpoint, save_checkpoint


def write_checkpoint(
    path: Path, arch: str = "spikformer", mode: str = "block_time", gamma: int = 0, **changes: Any
) -> Path:
    """A model of two blocks on 8 x 8 pixels, 64 tokens."""
    config = dyadic_config(
        arch, changes.pop("stem", "isps"), mode, gamma, **{"depth": 2, **changes}
    )
    network = dyadic_network(config)
    classes = tuple(f"class {n}" for n in range(config.classes))
    save_checkpoint(path, Checkpoint(config, network.state_dict(), classes, "halting"))
    return path


def write_small_bundle(folder: Path, layout: str = "lagged", **changes: Any) -> Bundle:
    """The bundle of such a checkpoint; keyword arguments of `ExportOptions` go there."""
    names = ("chunk", "precision", "qdq", "live_masks", "instrument")
    options = {name: changes.pop(name) for name in names if name in changes}
    checkpoint = write_checkpoint(folder / "small.pt", **changes)
    chosen = ExportOptions(layout=layout, **options)  # type: ignore[arg-type]
    return export_bundle(checkpoint, folder / "small.bundle", chosen)
