"""What embedding costs: disk, import time, session start, beside the limits we set ourselves.

    python -m benchmarks.footprint                     disk and import
    python -m benchmarks.footprint --bundle BUNDLE     session start too

Disk counts the files of the distributions that `pip install 'spikehalt[onnxruntime]'` brings, as
installed here, compiled Python files left out. Times are medians over fresh processes.
"""

from __future__ import annotations

import argparse
import re
import statistics
import subprocess
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parents[1]
ROUNDS = 9
PACKAGES = ("runtime", "plugins", "export", "train")
INSTALLED = ("numpy", "onnxruntime")
MAX_DISK_MB, MAX_IMPORT_S, MAX_START_S = 80.0, 0.3, 0.5
IMPORT = """
import time
begin = time.perf_counter()
import runtime
print(time.perf_counter() - begin)
"""
START = """
import sys, time
import onnxruntime
from runtime import Engine
begin = time.perf_counter()
engine = Engine(sys.argv[1], policy="never")
print(time.perf_counter() - begin)
engine.close()
"""


def main(argv: list[str] | None = None) -> int:
    """Measure and print one table; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.footprint", description=__doc__)
    parser.add_argument("--bundle", help="also time how long a session with it takes to start")
    arguments = parser.parse_args(argv)
    table = Table("what", "measured", "limit", "parts")
    sizes = disk_mb()
    total = sum(sizes.values())
    parts = ", ".join(f"{name} {size:.1f}" for name, size in sizes.items())
    table.add_row("disk (MB)", f"{total:.1f}", f"{MAX_DISK_MB:g}", parts)
    table.add_row("import runtime (s)", spread(seconds(IMPORT)), f"{MAX_IMPORT_S:g}", "")
    if arguments.bundle is not None:
        start = spread(seconds(START, arguments.bundle))
        table.add_row("session start (s)", start, f"{MAX_START_S:g}", arguments.bundle)
    Console(width=None if sys.stdout.isatty() else 140).print(table)
    return 0


def disk_mb() -> dict[str, float]:
    """MB on disk by distribution, our own first."""
    own = [path for name in PACKAGES for path in (ROOT / name).rglob("*")]
    sizes = {"spikehalt": sum(map(_bytes, own)) / 1e6}
    for name in sorted(required(INSTALLED)):
        files = metadata.distribution(name).files or []
        sizes[name] = sum(_bytes(Path(str(each.locate()))) for each in files) / 1e6
    return sizes


def required(names: tuple[str, ...]) -> set[str]:
    """The distributions and whatever they need, without their extras."""
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += _needs(name)
    return found


def _needs(name: str) -> Iterator[str]:
    for requirement in metadata.requires(name) or []:
        if "extra ==" not in requirement:
            yield re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0].lower()


def _bytes(path: Path) -> int:
    return path.stat().st_size if path.is_file() and path.suffix != ".pyc" else 0


def seconds(program: str, *arguments: str) -> list[float]:
    """What the program prints, in so many fresh processes after one that fills the caches."""
    command = [sys.executable, "-c", program, *arguments]
    runs = [
        subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        for _ in range(ROUNDS + 1)
    ]
    return [float(run.stdout) for run in runs[1:]]


def spread(values: list[float]) -> str:
    """Median and quartiles."""
    low, median, high = statistics.quantiles(values, n=4)
    return f"{median:.3f} ({low:.3f}-{high:.3f})"


if __name__ == "__main__":
    sys.exit(main())
