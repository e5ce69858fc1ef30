"""What embedding costs: disk, import time, session start, beside the limits we set ourselves.

    python -m benchmarks.footprint                     disk and import
    python -m benchmarks.footprint --large             and a 9 M-parameter engine: start, memory
    python -m benchmarks.footprint --bundle BUNDLE     the same of a bundle of yours

Disk counts the files of the distributions that the extra `onnxruntime` brings, as
installed here, compiled Python files left out. Times are medians over fresh processes.
"""

from __future__ import annotations

import dataclasses
import re
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from importlib import metadata
from pathlib import Path

from benchmarks.common.table import Row, Table, words
from spikehalt.commands import Parser
from spikehalt.commands import run as run_command

ROOT = Path(__file__).parents[1]
ROUNDS = 9
PACKAGES = ("spikehalt", "runtime", "plugins", "export", "train")
INSTALLED = ("numpy", "onnxruntime")
MAX_DISK_MB, MAX_IMPORT_S, MAX_START_S = 80.0, 0.3, 0.5
IMPORT = """
import time
begin = time.perf_counter()
import runtime
print(time.perf_counter() - begin)
"""
OPEN = """
import sys, time
import onnxruntime
from runtime import Engine

def memory_mb():
    lines = open("/proc/self/smaps_rollup").read().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Rss:")) / 1e3

begin, before = time.perf_counter(), memory_mb()
engine = Engine(sys.argv[1], policy="never", threads=1)
seconds, held = time.perf_counter() - begin, memory_mb() - before
print(seconds if sys.argv[2] == "start" else held)
engine.close()
"""


def main(argv: list[str] | None = None) -> int:
    """Measure and print one table; returns the exit status."""
    parser = Parser(prog="python -m benchmarks.footprint", description=__doc__)
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--bundle", type=Path, help="also what an engine of it takes")
    which.add_argument("--large", action="store_true", help="also spikformer-4-384, random weights")
    arguments = parser.parse_args(argv)
    rows = [disk_row(disk_mb())]
    rows.append(line("import runtime (s)", in_words(seconds(IMPORT)), MAX_IMPORT_S))
    if arguments.bundle is not None:
        rows += engine_rows(arguments.bundle)
    if arguments.large:
        with tempfile.TemporaryDirectory() as folder:
            for bundle in large_bundles(Path(folder)):
                rows += engine_rows(bundle)
    table().print(rows)
    return 0


def table() -> Table:
    """What was measured beside its limit."""
    columns = [words("what"), *(words(name, name) for name in ("measured", "limit", "parts"))]
    return Table("", columns)


def line(what: str, measured: str, limit: float | None = None, parts: str = "") -> Row:
    """One line; None = there is no limit."""
    shown = "" if limit is None else f"{limit:g}"
    return Row(what, {"measured": measured, "limit": shown, "parts": parts})


def disk_row(sizes: Mapping[str, float]) -> Row:
    """MB of all distributions, and of each."""
    parts = ", ".join(f"{name} {size:.1f}" for name, size in sizes.items())
    return line("disk (MB)", f"{sum(sizes.values()):.1f}", MAX_DISK_MB, parts)


def engine_rows(bundle: Path) -> list[Row]:
    """What an engine of a bundle takes until it is ready, ONNX Runtime being imported."""
    size = sum(file.stat().st_size for file in bundle.iterdir()) / 1e6
    start, memory = (seconds(OPEN, str(bundle), what) for what in ("start", "memory"))
    parts = f"{bundle.stem}, {size:.1f} MB on disk"
    return [
        line("session start (s)", in_words(start), MAX_START_S, parts),
        line("session memory (MB, Linux)", in_words(memory), parts=parts),
    ]


def large_bundles(folder: Path) -> Iterator[Path]:
    """Bundles of 9.3 million random weights, float32 and int8, with I-SPS and halting."""
    from benchmarks.common import networks
    from export.bundle.write import export_bundle
    from export.options import ExportOptions
    from spikehalt.vocabulary import Precision
    from train.checkpoint import Checkpoint, save_checkpoint
    from train.config import HaltingConfig

    halting = HaltingConfig(mode="block_time", alpha=3.0, beta=-3.0)
    config = dataclasses.replace(networks.config_of("isps", halting=False), halting=halting)
    weights = networks.random_network(config).state_dict()
    names = tuple(f"class {index}" for index in range(config.classes))
    path = folder / "net.pt"
    save_checkpoint(path, Checkpoint(config, weights, names, "halting", {}))
    precisions: tuple[Precision, ...] = ("fp32", "int8")
    for precision in precisions:
        out = folder / f"{networks.MODEL}-{precision}.bundle"
        yield export_bundle(path, out, ExportOptions(precision=precision)).root


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


def in_words(values: Sequence[float]) -> str:
    """Median and quartiles."""
    low, median, high = statistics.quantiles(values, n=4)
    return f"{median:.3f} ({low:.3f}-{high:.3f})"


if __name__ == "__main__":
    sys.exit(run_command(main))
