"""Files and folders that a command writes: refused before the work, not after it."""

from __future__ import annotations

import os
from pathlib import Path

from train.errors import ConfigError


def check_writable(path: Path, option: str, *, makes_folders: bool = False) -> None:
    """Refuse a file that could not be written.

    Args:
        path: the file.
        option: that named it, for the message.
        makes_folders: missing folders above it will be made.

    Raises:
        ConfigError: it is a folder, lies in none, or may not be written; with what to do.
    """
    if path.is_dir():
        raise ConfigError(f"{option} {path} is a folder; name a file in it")
    above = next(p for p in path.absolute().parents if p.exists())
    if not above.is_dir():
        raise ConfigError(f"{option} {path}: {above} is no folder; name a file in one")
    if not makes_folders and not path.parent.is_dir():
        raise ConfigError(
            f"{option} {path}: the folder {path.parent} does not exist; make it, or name another"
        )
    if not os.access(path if path.exists() else above, os.W_OK):
        raise ConfigError(f"{option} {path} may not be written; name a file in a folder of yours")
