"""Where compiled libraries and caches lie; there may be no home, or one that is closed."""

from __future__ import annotations

import os
from pathlib import Path

from spikehalt.errors import SpikehaltError
from spikehalt.reading import reason

PLUGIN_FOLDER_VARIABLE = "SPIKEHALT_PLUGIN_DIR"


class NoPlaceError(SpikehaltError):
    """There is no folder for caches."""


def cache_folder(name: str) -> Path:
    """`spikehalt/NAME` in the user's cache folder.

    Raises:
        NoPlaceError: the user has no home, as in containers with an unknown user id.
    """
    try:
        cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    except (RuntimeError, OSError, KeyError) as error:
        raise NoPlaceError(
            f"there is no home folder ({reason(error)}): set HOME, XDG_CACHE_HOME or "
            f"{PLUGIN_FOLDER_VARIABLE}"
        ) from error
    return Path(cache) / "spikehalt" / name


def plugin_folder() -> Path:
    """`$SPIKEHALT_PLUGIN_DIR`, or `plugins` in the user's cache folder; errors as there."""
    given = os.environ.get(PLUGIN_FOLDER_VARIABLE)
    return Path(given) if given else cache_folder("plugins")


def why_no_file(path: Path) -> str:
    """Why there is no regular file that may be looked at; empty if there is one."""
    try:
        return "" if path.is_file() else f"{path} does not exist"
    except OSError as error:
        return f"{path} cannot be looked at: {reason(error)}"
