"""How fast the live page is fed, beside the inference that feeds it.

    python -m benchmarks.live                      the zoo's CIFAR-10 model, exported here
    python -m benchmarks.live BUNDLE --source DIR  a bundle and pictures of yours

Starts `spikehalt live` as a user does, without a limit on pictures per second, and takes what a
page would take. Processor time is that of the server's process, inference included.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from benchmarks.common import command_line
from benchmarks.common.table import Row, Table, number, words
from runtime.live.knobs import MAX_RATE
from spikehalt.commands import above_zero
from spikehalt.commands import run as run_command
from spikehalt.extras import require_extra

ROOT = Path(__file__).parents[1]
CHECKPOINT = ROOT / "zoo" / "cifar10-small" / "halting.pt"
WARM_UP = 30  # pictures
PICTURES = 64


def main(argv: list[str] | None = None) -> int:
    """Measure and print one table; returns the exit status."""
    parser = command_line.parser("benchmarks.live", __doc__)
    parser.add_argument("bundle", nargs="?", type=Path, help="default: the zoo's CIFAR-10 model")
    parser.add_argument("--source", help="pictures (default: smooth noise, 32 x 32)")
    parser.add_argument(
        "--seconds", type=above_zero(3600), default=10.0, help="of each round (default 10)"
    )
    arguments = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        bundle = arguments.bundle or exported(Path(folder))
        source = arguments.source or drawn(Path(folder) / "pictures")
        rows = [
            Row(name, measured(bundle, source, arguments.seconds, compare))
            for name, compare in (("adaptive alone", False), ("beside the static network", True))
        ]
    Table(
        "The live page's socket, onnxruntime on this CPU",
        [
            words("answers"),
            number("pictures/s", "rate", ".1f"),
            number("ms of processor time", "processor_ms"),
            number("KB", "kilobytes", ".1f"),
        ],
        "processor time and size of a message are per picture",
    ).print(rows)
    return 0


def exported(folder: Path) -> Path:
    """The zoo's model as a bundle."""
    from export.bundle.write import export_bundle
    from export.options import ExportOptions

    return export_bundle(CHECKPOINT, folder / "cifar10.bundle", ExportOptions()).root


def drawn(folder: Path) -> str:
    """Pictures that have something of photographs: noise without fine detail."""
    from PIL import Image

    folder.mkdir()
    rng = np.random.default_rng(0)
    for name in range(PICTURES):
        coarse = Image.fromarray(rng.integers(0, 256, (6, 6, 3), np.uint8))
        coarse.resize((32, 32), Image.Resampling.BICUBIC).save(folder / f"{name:02}.png")
    return str(folder)


def measured(bundle: Path, source: str, seconds: float, compare: bool) -> dict[str, float]:
    """Pictures per second that come, processor time and size of each."""
    client = require_extra("websockets.sync.client", "live", "watching the live page")
    exits = ["--policy", "confidence", "--threshold", "0.9"]
    with serving([str(bundle), "--source", source, "--rate", str(MAX_RATE), *exits]) as (pid, home):
        address, origin = home.replace("http", "ws") + "live", home.rstrip("/")
        with client.connect(address, origin=origin, compression=None, max_size=None) as socket:
            socket.send(json.dumps({"compare": compare}))
            pictures = (each for each in socket if isinstance(each, bytes))
            for _ in range(WARM_UP):
                next(pictures)
            begin, before_s, count, size = time.perf_counter(), processor_s(pid), 0, 0
            while time.perf_counter() - begin < seconds:
                size += len(next(pictures))
                count += 1
            spent_s = processor_s(pid) - before_s
            rate = count / (time.perf_counter() - begin)
    return {"rate": rate, "processor_ms": 1e3 * spent_s / count, "kilobytes": size / count / 1e3}


@contextmanager
def serving(arguments: list[str]) -> Iterator[tuple[int, str]]:
    """`spikehalt live` on a free port: its process id and address."""
    command = [sys.executable, "-m", "spikehalt", "live", *arguments, "--port", "0", "--quiet"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        found = re.search(r"http://\S+", process.stdout.readline())
        if found is None:
            raise SystemExit("spikehalt live did not start; it says above why")
        yield process.pid, found[0]
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate()


def processor_s(pid: int) -> float:
    """Seconds of processor time that a process has used (Linux)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    sys.exit(run_command(main))
