"""What continuous batching would bring: a simulation with costs measured on the engine.

    python -m benchmarks.serve.continuous BUNDLE
    python -m benchmarks.serve.continuous --flat 5      any batch takes 5 ms a chunk, as on a GPU

Whole batches: a batch runs until its last image has left; then all that wait are the next one.
Continuous: after every chunk what waits runs its first chunk, and joins the others in the next.
Images arrive at random, at a share of what whole batches of 64 can do, and leave after 1 to 4
timesteps in given proportions. Costs of chunks are processor time (least of nine), by batch size.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.common import command_line
from benchmarks.common.table import Row, Table, console, number, words
from runtime import Engine
from spikehalt.commands import run as run_command
from spikehalt.commands import whole

SIZES = (1, 2, 4, 8, 16, 32, 64)
MAX_BATCH = SIZES[-1]
LEAVING = {
    "all at 4": (0, 0, 0, 1),
    "nearly all at 1": (0.99, 0.007, 0.002, 0.001),
    "1.4 on average": (0.75, 0.13, 0.07, 0.05),
    "2.5 on average": (0.25, 0.25, 0.25, 0.25),
}
LOADS = (0.3, 0.7, 0.9, 3.0)
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Costs:
    """Seconds of a batch's first chunk and of a further one, by its images."""

    first_s: Callable[[float], float]
    next_s: Callable[[float], float]


def main(argv: Sequence[str] | None = None) -> int:
    """Simulate and print; returns the exit status."""
    parser = command_line.parser("benchmarks.serve.continuous", __doc__)
    parser.add_argument("bundle", type=Path, nargs="?")
    parser.add_argument("--flat", type=float, metavar="MS", help="of a chunk, whatever its batch")
    parser.add_argument(
        "--images", type=whole(1), default=6000, help="in a simulation (default 6000)"
    )
    options = parser.parse_args(argv)
    if (options.bundle is None) == (options.flat is None):
        parser.error("give a BUNDLE, or --flat MS in its place")
    costs = flat(options.flat / 1e3) if options.flat else measured(options.bundle)
    rows = [compare(costs, what, load, options.images) for what in LEAVING for load in LOADS]
    table().print(rows)
    return 0


def flat(chunk_s: float) -> Costs:
    """A device that is full with no batch."""
    return Costs(lambda images: chunk_s if images else 0.0, lambda images: chunk_s if images else 0)


def measured(bundle: Path) -> Costs:
    """The costs of a bundle on one thread."""
    with Engine(bundle, threads=1, spin=False) as engine:
        found = np.array([_fastest(engine, size) for size in SIZES])
    for size, (first, later) in zip(SIZES, 1e3 * found / np.array(SIZES)[:, None], strict=True):
        console.print(f"batch {size}: {first:.3f} ms per image, then {later:.3f}", highlight=False)
    first_s, next_s = found.T
    return Costs(_interpolated(first_s), _interpolated(next_s))


def _fastest(engine: Engine, images: int) -> tuple[float, float]:
    """Processor seconds of a batch's first timestep, and of each further one."""
    spec = engine.manifest.input
    shape = (images, spec.height, spec.width, spec.channels)
    noise = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    T, chunk = engine.manifest.timesteps, engine.manifest.chunk
    run = partial(engine, noise, policy="never")
    once_s, all_s = (
        min(_cpu_s(partial(run, max_timesteps=steps)) for _ in range(9)) for steps in (chunk, T)
    )
    return once_s, (all_s - once_s) / max(T // chunk - 1, 1)


def _cpu_s(call: Callable[[], Any]) -> float:
    begin = time.process_time()
    call()
    return time.process_time() - begin


def _interpolated(seconds: Floats) -> Callable[[float], float]:
    return lambda images: float(np.interp(images, SIZES, seconds)) if images else 0.0


def compare(costs: Costs, what: str, load: float, images: int) -> Row:
    """Both ways at one load."""
    rng = np.random.default_rng(0)
    shares = np.array(LEAVING[what], float)
    going_on = 1 - np.cumsum(shares)[:-1]
    batch_s = costs.first_s(MAX_BATCH) + sum(costs.next_s(MAX_BATCH * each) for each in going_on)
    arrivals = np.cumsum(rng.exponential(batch_s / MAX_BATCH / load, images))
    steps = rng.choice(len(shares), images, p=shares) + 1
    whole, joined = (simulate(costs, arrivals, steps, joins) for joins in (False, True))
    figures: dict[str, Any] = {"load": load}
    for name, done in (("whole", whole), ("joined", joined)):
        figures[f"{name}_images_per_s"] = images / (done.max() - arrivals[0])
        p50, p99 = 1e3 * np.percentile(done - arrivals, [50, 99])
        figures |= {f"{name}_p50_ms": p50, f"{name}_p99_ms": p99}
    for key in ("images_per_s", "p50_ms", "p99_ms"):
        figures[f"ratio_{key}"] = figures[f"joined_{key}"] / figures[f"whole_{key}"]
    return Row(what, figures)


def simulate(costs: Costs, arrivals: Floats, steps: NDArray[np.int64], joins: bool) -> Floats:
    """When every image is done.

    Args:
        costs: of chunks of one timestep.
        arrivals: ascending, seconds.
        steps: timesteps of every image.
        joins: whether what waits joins a running batch.
    """
    done, now, arrived = np.zeros(len(arrivals)), 0.0, 0
    running: list[tuple[int, int]] = []  # images, and timesteps they have left
    while arrived < len(arrivals) or running:
        if not running:
            now = max(now, float(arrivals[arrived]))
        free = MAX_BATCH - len(running) if joins or not running else 0
        waiting = int(np.searchsorted(arrivals, now, side="right"))
        new = range(arrived, min(waiting, arrived + free))
        arrived = max(arrived, new.stop)
        now += costs.next_s(len(running)) + costs.first_s(len(new))
        ran = [*running, *((image, int(steps[image])) for image in new)]
        running = [(image, left - 1) for image, left in ran if left > 1]
        for image, left in ran:
            if left == 1:
                done[image] = now
    return done


def table() -> Table:
    """The table of all comparisons."""
    pairs = (("images/s", "images_per_s", ".0f"), ("p50 ms", "p50_ms", ".1f"),
             ("p99 ms", "p99_ms", ".1f"))  # fmt: skip
    columns = [words("images leave"), number("load", "load", ".1f")]
    for title, key, how in pairs:
        columns += [number(f"{title} whole", f"whole_{key}", how)]
        columns += [number("continuous", f"joined_{key}", how), number("×", f"ratio_{key}")]
    return Table("Continuous batching (simulated) against whole batches", columns)


if __name__ == "__main__":
    sys.exit(run_command(main))
