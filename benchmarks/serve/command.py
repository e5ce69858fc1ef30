"""Serving over HTTP against direct calls of the engine, in turn in one run.

    python -m benchmarks.serve BUNDLE                    throughput and latency
    python -m benchmarks.serve BUNDLE --overload 600     ten minutes at twice the capacity
    python -m benchmarks.serve.continuous BUNDLE         what joining a running batch would bring

The engine runs with one thread in both, in batches of at most 64; `hey` asks, and `wrk` where
single requests are timed (`apt-get install hey wrk`). Rows: whole batches, directly and as
requests of 64 images (saturation); single images, directly, by one client that waits for each
(what HTTP adds), and by 64 clients. An engine that is called again at once has its weights and
code in the processor's caches, one that waited has not: hence a row with a pause between calls.
Times vary with what else the machine does, processor time and the fastest tenth less.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.common import command_line
from benchmarks.common.table import Row, Table, console, number, words
from benchmarks.serve.hey import Body, Load, run_hey, write_body
from benchmarks.serve.server import Server
from benchmarks.serve.wrk import run_wrk
from runtime import Engine
from runtime.cli import options as shared
from spikehalt import commands

BATCH, CLIENTS = 64, 64
_CROWD = 16  # clients of whole batches: more than the queue holds
_PAUSE_S = 0.001  # about what lies between the answer to a client and its next request
_ONE_CLIENT_S = 3
Figures = dict[str, float]


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print; returns the exit status."""
    parser = command_line.parser("benchmarks.serve", __doc__)
    parser.add_argument("bundle", type=Path)
    shared.add_exit(parser)
    parser.add_argument("--rounds", type=commands.whole(1), default=5)
    parser.add_argument(
        "--images", type=commands.whole(1), default=1024, help="in a round (default 1024)"
    )
    parser.add_argument(
        "--overload", type=commands.whole(1), metavar="SECONDS", help="twice the capacity"
    )
    options = parser.parse_args(argv)
    exits = {name: getattr(options, name) for name in ("policy", "threshold", "epsilon")}
    asked = {name: value for name, value in exits.items() if value is not None}
    with (
        tempfile.TemporaryDirectory() as folder,
        Engine(options.bundle, threads=1, max_batch=BATCH, **asked) as engine,
        Server(options.bundle, "--threads", "1", "--max-batch", str(BATCH)) as server,
    ):
        url = f"{server.address}/v2/models/{options.bundle.name.removesuffix('.bundle')}/infer"
        images = noise(engine)
        whole = write_body(Path(folder) / "whole", images, asked)
        single = write_body(Path(folder) / "single", images[:1], asked)
        if options.overload:
            overload(server, url, whole, options.overload)
        else:
            compare(engine, server, url, images, (whole, single), options)
    return 0


def noise(engine: Engine) -> NDArray[np.uint8]:
    """A batch of the bundle's size."""
    spec = engine.manifest.input
    shape = (BATCH, spec.height, spec.width, spec.channels)
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


def compare(
    engine: Engine,
    server: Server,
    url: str,
    images: NDArray[np.uint8],
    bodies: tuple[Body, Body],
    options: argparse.Namespace,
) -> None:
    """Direct calls and requests in turn."""
    whole, single = bodies
    few = max(options.images // 4, 1)
    candidates: dict[str, Callable[[], Figures]] = {
        "engine, batches of 64": partial(direct, engine, images, options.images // BATCH),
        "requests of 64 images, 4 clients": partial(
            asked, server, url, whole, 4, options.images // BATCH, BATCH
        ),
        "requests of 1 image, 64 clients": partial(
            asked, server, url, single, CLIENTS, options.images, 1
        ),
        "engine, single images": partial(direct, engine, images[:1], few),
        "engine, single images, 1 ms apart": partial(direct, engine, images[:1], few, _PAUSE_S),
        "requests of 1 image, 1 client": partial(asked_by_one, server, url, single),
    }
    found = rounds(list(candidates.values()), options.rounds)
    rows = [
        Row(name, {key: statistics.median(each[key] for each in of_one) for key in of_one[0]})
        for name, of_one in zip(candidates, found, strict=True)
    ]
    table().print(rows)
    console.print(added(rows), highlight=False)


def rounds(candidates: Sequence[Callable[[], Figures]], count: int) -> list[list[Figures]]:
    """Every candidate's figures of every round."""
    for each in candidates:
        each()
    turns = [[each() for each in candidates] for _ in range(count)]
    return [list(of_one) for of_one in zip(*turns, strict=True)]


def direct(engine: Engine, images: NDArray[np.uint8], calls: int, pause_s: float = 0.0) -> Figures:
    """Calls of the engine, one after another."""
    times: list[float] = []
    cpu_s = time.process_time()
    for _ in range(calls):
        if pause_s:
            time.sleep(pause_s)
        begin = time.perf_counter()
        engine(images)
        times.append(time.perf_counter() - begin)
    used_s, total = time.process_time() - cpu_s, calls * len(images)
    p10, p50, p99 = np.percentile(times, [10, 50, 99]) * 1e3
    return {
        "images_per_s": total / sum(times), "cpu_ms": 1e3 * used_s / total,
        "p10_ms": float(p10), "p50_ms": float(p50), "p99_ms": float(p99),
    }  # fmt: skip


def asked(server: Server, url: str, body: Body, clients: int, count: int, images: int) -> Figures:
    """Requests of so many images each; the processor time is the server's."""
    count = max(count // clients, 1) * clients
    return measured(server, partial(run_hey, url, body, clients, "-n", str(count)), images)


def asked_by_one(server: Server, url: str, body: Body) -> Figures:
    """Requests of one image, one after another; the processor time is the server's."""
    return measured(server, partial(run_wrk, url, body, _ONE_CLIENT_S), 1)


def measured(server: Server, make: Callable[[], Load], images: int) -> Figures:
    """The figures of a load of requests of so many images each, all of which are answered."""
    cpu_s = server.cpu_s
    load = make()
    used_s = server.cpu_s - cpu_s
    assert load.statuses.keys() == {200}, load
    return {
        "images_per_s": load.requests_per_s * images,
        "cpu_ms": 1e3 * used_s / (load.statuses[200] * images),
        "p10_ms": load.p10_ms, "p50_ms": load.p50_ms, "p99_ms": load.p99_ms,
    }  # fmt: skip


def table() -> Table:
    """The table of a comparison."""
    return Table(
        "Serving against direct calls, one thread",
        [
            words("what"), number("images/s", "images_per_s", ".0f"),
            number("CPU ms/image", "cpu_ms", ".3f"), number("p10 ms", "p10_ms"),
            number("p50 ms", "p50_ms"), number("p99 ms", "p99_ms"),
        ],
    )  # fmt: skip


def added(rows: Sequence[Row]) -> str:
    """The ratios that matter, in words."""
    whole, of_whole, of_many, single, apart, of_single = rows
    return (
        f"at saturation: {of_whole['images_per_s'] / whole['images_per_s']:.1%} of the engine's "
        f"images/s by requests of 64, {of_many['images_per_s'] / whole['images_per_s']:.1%} by "
        f"requests of 1; processor time per image × {of_whole['cpu_ms'] / whole['cpu_ms']:.3f} and "
        f"× {of_many['cpu_ms'] / whole['cpu_ms']:.3f}; one client: "
        f"{of_single['p50_ms'] - single['p50_ms']:+.2f} ms at p50, "
        f"{of_single['p10_ms'] - single['p10_ms']:+.2f} ms at p10, of which the engine takes "
        f"{apart['p50_ms'] - single['p50_ms']:+.2f} and {apart['p10_ms'] - single['p10_ms']:+.2f} "
        "after a pause"
    )


def overload(server: Server, url: str, body: Body, seconds: int) -> None:
    """More than the server can do: refusals instead of growth."""
    alone = run_hey(url, body, 4, "-n", "40")
    per_client = 2 * alone.requests_per_s / _CROWD
    pressed = partial(run_hey, url, body, _CROWD, "-q", f"{per_client:.3f}", "-z")
    settle = max(seconds // 10, 1)
    first = pressed(f"{settle}s")
    before_mb = server.memory_mb
    load = pressed(f"{seconds - settle}s")
    console.print(
        f"capacity {alone.requests_per_s:.1f} requests/s; then {load.requests_per_s:.1f} for "
        f"{seconds} s, answers by status {load.statuses}; p50 {load.p50_ms:.0f} ms and p99 "
        f"{load.p99_ms:.0f} ms, in the first tenth {first.p50_ms:.0f} and {first.p99_ms:.0f} ms; "
        f"memory {before_mb:.0f} MB, grew by {server.memory_mb - before_mb:+.1f} MB",
        highlight=False,
    )
