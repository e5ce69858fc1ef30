"""What is wrong with the arguments of a comparison, before any work is done."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from export.errors import UnsupportedError
from runtime.bundle import Bundle

_SMALLEST = {"count": 1, "batch": 1, "spikes": 0}


def check_counts(arguments: argparse.Namespace) -> None:
    """Refuse numbers of images that are none.

    Raises:
        UnsupportedError: names the option and the smallest number it takes.
    """
    for name, smallest in _SMALLEST.items():
        given = getattr(arguments, name)
        if given < smallest:
            raise UnsupportedError(
                f"--{name} {given} is no number of images: give {smallest} or more"
            )


def json_target(arguments: argparse.Namespace, bundle: Bundle) -> Path:
    """The file to write; by default it lies beside the bundle.

    Raises:
        UnsupportedError: it could not be written when everything has run.
    """
    target: Path = arguments.json or bundle.root.with_suffix(".compare.json")
    if not target.parent.is_dir():
        problem = f"there is no folder {target.parent}"
    elif target.is_dir():
        problem = "it is a folder"
    elif not os.access(target if target.exists() else target.parent, os.W_OK):
        problem = "no permission to write there"
    else:
        return target
    raise UnsupportedError(f"cannot write {target}: {problem}; name another file with --json")
