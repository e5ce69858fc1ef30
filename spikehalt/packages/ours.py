"""The project's packages, whose names are plain words that a user's own files may have too."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

from spikehalt.errors import SpikehaltError

ROOT = Path(__file__).resolve().parents[2]
OURS = ("export", "plugins", "runtime", "train")


class HiddenPackageError(SpikehaltError, ImportError):
    """A file of somebody else's stands where one of the project's packages is looked for."""


def import_ours(module: str) -> ModuleType:
    """Import a module of the project, as users' code would.

    Raises:
        HiddenPackageError: another file of that name is found first; it is named.
    """
    package = module.partition(".")[0]
    found = _place(importlib.util.find_spec(package)) if package not in sys.modules else None
    loaded = sys.modules.get(package)
    place = found or (str(loaded.__file__) if loaded is not None else None)
    if place is not None and not _is_ours(place, package):
        raise HiddenPackageError(
            f"spikehalt's package `{package}` is hidden by {place}: rename that file, or run "
            "Python in another folder"
        )
    return importlib.import_module(module)


def claim() -> None:
    """Make `import train` and the like find the project's packages, whatever lies in the folder.

    For the command, whose user may have a `train.py` of their own.
    """
    sys.meta_path.insert(0, _Finder)


class _Finder:
    """Finds the project's packages beside this one, before any path is searched."""

    @staticmethod
    def find_spec(name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        if name not in OURS:
            return None
        folder = ROOT / name
        return importlib.util.spec_from_file_location(
            name, folder / "__init__.py", submodule_search_locations=[str(folder)]
        )


def _place(spec: ModuleSpec | None) -> str | None:
    return None if spec is None else spec.origin or str(list(spec.submodule_search_locations or []))


def _is_ours(place: str, package: str) -> bool:
    return Path(place).resolve() == ROOT / package / "__init__.py"
