"""What `python -m plugins selftest` runs: the parts of all folders, at awkward sizes."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from itertools import product
from pathlib import Path
from typing import Final

import numpy as np

from plugins.ops import FOLDERS, ops_of
from plugins.selftest.kernels import Kernels
from plugins.selftest.part import Case, Part

TOKENS: Final = (1, 2, 31, 32, 33, 64, 65, 197)
QUICK_TOKENS: Final = (1, 33, 64)
WIDTHS: Final = (1, 17, 64, 384)
DTYPES: Final = (np.float32, np.float16)


def all_parts() -> tuple[Part, ...]:
    """The part of every folder with an op that has CUDA kernels."""
    folders = [folder for folder in FOLDERS if any(op.plugin for op in ops_of(folder))]
    return tuple(import_module(f"plugins.{folder}.selftest").PART for folder in folders)


def open_kernels(path: Path) -> Kernels:
    """The kernels library, with the functions of every op.

    Raises:
        LibraryError: the file cannot be loaded or lacks one of our functions.
    """
    functions = [part.functions.items() for part in all_parts()]
    return Kernels(path, dict(each for items in functions for each in items))


def all_cases(*, quick: bool) -> Iterator[Case]:
    """Every case, or with `quick` a tenth of them."""
    parts = all_parts()
    tokens = QUICK_TOKENS if quick else TOKENS
    widths = WIDTHS[1:3] if quick else WIDTHS
    for seed, (K, D, dtype) in enumerate(product(tokens, widths, DTYPES)):
        rng = np.random.default_rng(seed)
        for part in parts:
            yield from part.cases(rng, K, D, dtype)
