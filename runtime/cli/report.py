"""`python -m runtime report BUNDLE DATA -o report.html`: one page about a bundle on some files."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from runtime import atomic
from runtime.bundle import Bundle
from runtime.cli import console, options
from runtime.cli.info import identity
from runtime.errors import BundleWriteError
from runtime.report import collect, render
from runtime.samples import Sample, find_samples


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    options.add_bundle(parser)
    parser.add_argument("data", metavar="DATA", help="images, a folder or a zip")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FILE.html")
    parser.add_argument("--data-json", type=Path, metavar="FILE.json", help="save the figures too")
    parser.add_argument(
        "--images", type=options.positive, default=500, metavar="N", help="at most (default 500)"
    )
    options.add_exit(parser)
    options.add_data(parser)


def run(arguments: argparse.Namespace) -> int:
    """Run the files and write the page."""
    options.check_output(arguments.output)
    if arguments.data_json is not None:
        options.check_output(arguments.data_json)
    bundle = Bundle.open(arguments.bundle, public_key=arguments.public_key)
    with options.open_engine(arguments, max_batch=arguments.batch) as engine:
        samples = _some(
            find_samples([arguments.data], engine.manifest.input, arguments.split), arguments.images
        )
        collected = collect(
            engine,
            samples,
            identity(bundle),
            batch=arguments.batch,
            fit=arguments.fit,
            ticking=_ticking,
        )
    _write(arguments.output, render(collected))
    if arguments.data_json is not None:
        _write(arguments.data_json, json.dumps(collected.data, indent=1, allow_nan=False))
    sys.stdout.write(f"{arguments.output}: {len(samples)} image(s)\n")
    return 0


def _some(samples: list[Sample], most: int) -> list[Sample]:
    """At most so many, spread evenly."""
    picks = np.unique(np.linspace(0, len(samples) - 1, min(most, len(samples))).round())
    return [samples[int(pick)] for pick in picks]


def _ticking(starts: Iterable[int], count: int) -> Iterator[int]:
    return console.progress(starts, count, "running", [1] * count)


def _write(path: Path, text: str) -> None:
    try:
        atomic.replace_file(path, text.encode())
    except OSError as error:
        raise BundleWriteError(f"cannot write {path}: {error}") from error
