"""How long until an engine of a 9 M-parameter bundle is ready, and what memory it takes.

    python -m benchmarks.start

Random weights in the `spikformer-4-384` shape with I-SPS and halting; every figure is the median of
fresh processes, counted from the import of `runtime` on: import, opening and checking the bundle,
ONNX Runtime's sessions. Memory is what the process holds more than before.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks import cpu_models as models
from export.bundle import ExportOptions, Precision, export_bundle
from train.checkpoint import Checkpoint, save_checkpoint
from train.config import HaltingConfig

console = Console()
PRECISIONS: tuple[Precision, ...] = ("fp32", "int8")
OPENING = """
import json, sys, time

def memory_mb():
    lines = open("/proc/self/smaps_rollup").read().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Rss:")) / 1e3

begin = time.perf_counter()
import runtime
import onnxruntime
imported, before = time.perf_counter(), memory_mb()
engine = runtime.Engine(sys.argv[1], threads=1)
done = time.perf_counter()
print(json.dumps({
    "import_ms": (imported - begin) * 1e3,
    "open_ms": (done - imported) * 1e3,
    "memory_mb": memory_mb() - before,
}))
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.start", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("--runs", type=int, default=7)
    runs = parser.parse_args(argv).runs
    table = Table(title=f"median of {runs} fresh processes, Linux, one thread")
    for title in ("", "on disk MB", "import ms", "open ms", "memory MB"):
        table.add_column(title, justify="right" if title else "left", no_wrap=True)
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = random_checkpoint(Path(folder) / "net.pt")
        for precision in PRECISIONS:
            out = Path(folder) / f"{precision}.bundle"
            root = export_bundle(checkpoint, out, ExportOptions(precision=precision)).root
            size = sum(file.stat().st_size for file in root.iterdir()) / 1e6
            found = [opened(root) for _ in track(range(runs), precision, transient=True)]
            medians = [statistics.median(each[key] for each in found) for key in found[0]]
            table.add_row(precision, f"{size:.1f}", *(f"{value:.0f}" for value in medians))
    console.print(table)
    return 0


def random_checkpoint(path: Path) -> Path:
    """9.3 million random weights."""
    config = models.config_of("isps", halting=False)
    network = models.random_network(
        replace(config, halting=HaltingConfig(mode="block_time", alpha=3.0, beta=-3.0))
    )
    names = tuple(f"class {index}" for index in range(config.classes))
    save_checkpoint(path, Checkpoint(network.config, network.state_dict(), names, "halting", {}))
    return path


def opened(root: Path) -> dict[str, float]:
    """One fresh process opens the bundle; milliseconds and megabytes."""
    command = [sys.executable, "-c", OPENING, str(root)]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(result.stdout.splitlines()[-1])  # type: ignore[no-any-return]


if __name__ == "__main__":
    sys.exit(main())
