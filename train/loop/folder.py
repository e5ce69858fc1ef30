"""A run's folder: made before the work, and not overwritten unasked."""

from __future__ import annotations

import os
from pathlib import Path

from spikehalt.errors import ConfigError

CHECKPOINTS = ("static.pt", "halting.pt", "last.pt")


def make_folder(out: str) -> None:
    """The run's folder, made before anything is read or trained.

    Raises:
        ConfigError: it cannot be made or written to.
    """
    folder = Path(out)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            f"the folder {folder} cannot be made ({error.strerror}); name another with --out"
        ) from None
    if not os.access(folder, os.W_OK):
        raise ConfigError(f"the folder {folder} may not be written to; name another with --out")


def used(out: str, start: str | None = None) -> list[Path]:
    """Checkpoints in a folder that a new run there would overwrite.

    Args:
        out: the folder.
        start: the checkpoint that the run starts from; one in this folder is meant to go on there.
    """
    folder = Path(out)
    there = [folder / name for name in CHECKPOINTS if (folder / name).is_file()]
    if start is None or os.path.dirname(os.path.realpath(start)) != os.path.realpath(folder):
        return there
    own = Path(start).name
    return [] if own == "last.pt" else [path for path in there if own != path.name == "halting.pt"]


def check_unused(out: str, start: str | None = None) -> None:
    """Refuse a folder whose run would be lost; see `used`.

    Raises:
        ConfigError: what is there, and how to go on, go elsewhere, or replace it.
    """
    lost = [path.name for path in used(out, start)]
    if not lost:
        return
    resumed = f"python -m train resume {Path(out) / 'last.pt'}"
    raise ConfigError(
        f"{out} holds a run already ({', '.join(lost)}): "
        + (f"continue it ({resumed}), " if "last.pt" in lost else "")
        + "name another folder with --out, or replace that run with --overwrite"
    )
