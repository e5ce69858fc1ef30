"""What is wrong with the arguments of a comparison, before any work is done."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from export.errors import UnsupportedError
from runtime.bundle.read import Bundle
from spikehalt.files import beside


def output_file(arguments: argparse.Namespace, bundle: Bundle) -> Path:
    """The file to write; by default it lies beside the bundle.

    Raises:
        UnsupportedError: it could not be written when everything has run.
    """
    target: Path = arguments.out or beside(bundle.root, ".compare.json")
    if not target.parent.is_dir():
        problem = f"there is no folder {target.parent}"
    elif target.is_dir():
        problem = "it is a folder"
    elif not os.access(target if target.exists() else target.parent, os.W_OK):
        problem = "no permission to write there"
    else:
        return target
    raise UnsupportedError(f"cannot write {target}: {problem}; name another file with --out")
