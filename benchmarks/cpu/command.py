"""How fast on a CPU: ours against what one would use instead, in one alternating run.

    python -m benchmarks.cpu                    batch 1 and 16, one thread
    python -m benchmarks.cpu --threads 2 --json cpu.json
    python -m benchmarks.cpu --data cifar10.zip live sets of the zoo's CIFAR-10 model
    python -m benchmarks.cpu --data cifar10.zip --replay zoo/cifar10-small/silent.pt
    python -m benchmarks.cpu --large            ImageNet's size, batch 1
    python -m benchmarks.cpu --quick            few rounds, to see that it works

The `spikformer-4-384` shape at 32 x 32, or with `--large` the `spikingformer-8-384` shape at
224 x 224; T 4, random weights; every candidate in a process of its own, which sleeps while another
is timed. Live tokens and exits are those of a trained model on its test images, replayed
(benchmarks/common/replay.py) and stretched to the depth and tokens of the shape: with `--data` the
zoo's, on CIFAR-10; else the demo's, on scanned digits, from the folder that `make demo` left or
trained first.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from rich.progress import track

from benchmarks.common import command_line, native, networks, peers
from benchmarks.common.processes import Worker
from benchmarks.common.replay import Replay
from benchmarks.common.table import Row, Table, console, gain, images_per_s, number, words
from benchmarks.common.trained import ZOO_HALTING, digits_replay, zoo_replay
from benchmarks.cpu import macs
from benchmarks.cpu.process import Setup, workers
from spikehalt.commands import whole
from spikehalt.errors import ConfigError
from train.architectures.attention import SSA
from train.models import NAMED_MODELS, named_model

PEERS = ("spikingjelly", "ann")  # ratios are given to these
# The shapes whose products `benchmarks.cpu.macs` counts and whose peer SpikingJelly has.
MODELS = [name for name, config in NAMED_MODELS.items() if config.architecture.attention is SSA]


class Effort(NamedTuple):
    """How much is measured: batch sizes, rounds, and recorded images replayed in a repetition."""

    batch: Sequence[int]
    rounds: int
    images: int


# An image of ImageNet's size costs about six times one of CIFAR's.
EFFORT, LARGE_EFFORT, LARGE_FROM = Effort([1, 16], 9, 16), Effort([1], 5, 4), 128


@dataclass(frozen=True)
class Kind:
    """What is computed: `stem` None is a peer; `steps` None runs all, 0 exits as recorded."""

    what: str
    stem: str | None = None
    halting: bool = False
    int8: bool = False
    steps: int | None = None


BODIES = ", no native ops"
DENSE = ", no spike ops"
WHOLE = ", one graph for all T"  # else one graph per timestep, between which images may leave


def _fixed(precision: str, int8: bool) -> dict[str, Kind]:
    return {
        f"{'int8' if int8 else 'halting'}-t{t}": Kind(
            f"ours: halting{precision}, all images stop at t = {t}", "isps", True, int8, t
        )
        for t in (1, 2, 3)
    }


KINDS = {
    "spikingjelly": Kind("SpikingJelly {peer}, eager"),
    "spikingjelly-compiled": Kind("the same, torch.compile"),
    "spikingjelly-onnx": Kind("the same, torch.onnx.export, ONNX Runtime"),
    "ann": Kind("dense ANN of this shape, ONNX Runtime"),
    "ann-int8": Kind("the same, int8 (dynamic quantisation)", int8=True),
    "ann-int8-static": Kind("the same, int8 (static, Q/DQ, per channel)", int8=True),
    "ann-openvino": Kind("dense ANN of this shape, OpenVINO"),
    "ann-openvino-int8": Kind("the same, int8 (static, the same Q/DQ)", int8=True),
    "sps": Kind(f"ours: static, SPS{WHOLE}", "sps"),
    "sps-steps": Kind("ours: static, SPS", "sps"),
    "isps": Kind(f"ours: static, I-SPS{WHOLE}", "isps"),
    "isps-steps": Kind("ours: static, I-SPS", "isps"),
    "halting": Kind(f"ours: halting{WHOLE}", "isps", True),
    "halting-steps": Kind("ours: halting", "isps", True),
    "halting-exit": Kind("ours: halting + early exit", "isps", True, False, 0),
    **_fixed("", int8=False),
    "int8": Kind(f"ours: halting, int8{WHOLE}", "isps", True, True),
    "int8-steps": Kind("ours: halting, int8", "isps", True, True),
    "int8-exit": Kind("ours: halting + early exit, int8", "isps", True, True, 0),
    "halting-exit-dense": Kind(f"ours: halting + early exit{DENSE}", "isps", True, False, 0),
    "int8-exit-dense": Kind(f"ours: halting + early exit, int8{DENSE}", "isps", True, True, 0),
    "halting-exit-bodies": Kind(f"ours: halting + early exit{BODIES}", "isps", True, False, 0),
    "int8-exit-bodies": Kind(f"ours: halting + early exit, int8{BODIES}", "isps", True, True, 0),
    **_fixed(", int8", int8=True),
}
PEAKS = {"gemm": False, "gemm-int8": True}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark; returns the exit status."""
    arguments = settled(parser().parse_args(argv))
    recorded = fitted(replayed(arguments), arguments.model)
    console.print(_conditions(arguments, recorded), highlight=False)
    if recorded.densities is not None:
        shares = [Row(name, {"share": share}, name) for name, share in recorded.densities.rows()]
        density_table().print(shares)
    rows: list[Row] = []
    for batch in arguments.batch:
        found = measure(batch, arguments, recorded)
        table(found, batch).print(found)
        rows += found
    if arguments.json:
        content = {
            "conditions": _conditions(arguments, recorded),
            "rows": [row.plain() for row in rows],
        }
        arguments.json.write_text(json.dumps(content, indent=2) + "\n")
    return 0


def replayed(arguments: argparse.Namespace) -> Replay:
    """What the trained model that was asked for does."""
    if arguments.data:
        return zoo_replay(arguments.data, arguments.replay)
    return digits_replay(arguments.trained)


def parser() -> argparse.ArgumentParser:
    """Arguments of the command."""
    p = command_line.parser("benchmarks.cpu", __doc__)
    p.add_argument("--model", choices=MODELS, default=networks.MODEL, metavar="NAME")
    p.add_argument(
        "--large", dest="model", action="store_const", const=networks.LARGE, default=networks.MODEL,
        help=f"the same as --model {networks.LARGE}",
    )  # fmt: skip
    small, large = EFFORT, LARGE_EFFORT
    p.add_argument(
        "--batch", type=whole(1), nargs="+", help="images at once (default: 1 16; large: 1)"
    )
    p.add_argument("--threads", type=whole(1), default=1)
    p.add_argument(
        "--rounds", type=whole(1), help=f"default: {small.rounds}; large: {large.rounds}"
    )
    p.add_argument(
        "--images", type=whole(1), metavar="N",
        help=f"recorded images replayed (default: {small.images}; large: {large.images})",
    )  # fmt: skip
    p.add_argument(
        "--patience", type=float, default=Setup.patience_s, metavar="SECONDS",
        help="give up a candidate that is not ready by then (default: %(default)g)",
    )  # fmt: skip
    p.add_argument("--quick", action="store_true", help="two rounds, batch 1")
    p.add_argument("--only", nargs="+", choices=KINDS, help="candidates (default: all)")
    p.add_argument("--data", metavar="PATH", help="CIFAR-10 as folder or zip: replay the zoo")
    p.add_argument(
        "--replay", type=Path, metavar="CKPT",
        help="with --data, whose tokens, exits and spikes (default: zoo/cifar10-small/halting.pt)",
    )  # fmt: skip
    p.add_argument("--trained", type=Path, default=Path("demo-out"), metavar="DIR")
    p.add_argument("--json", type=Path, metavar="FILE")
    native.add_option(p)
    return p


def settled(arguments: argparse.Namespace) -> argparse.Namespace:
    """Fill in the defaults that depend on other arguments.

    Raises:
        ConfigError: a checkpoint to replay, and no images.
    """
    large = named_model(arguments.model).image_size[0] >= LARGE_FROM
    effort = LARGE_EFFORT if large else EFFORT
    if arguments.replay and not arguments.data:
        raise ConfigError("--replay CKPT shows the checkpoint its images: add --data PATH")
    arguments.replay = arguments.replay or ZOO_HALTING
    arguments.batch = [1] if arguments.quick else arguments.batch or effort.batch
    arguments.rounds = 2 if arguments.quick else arguments.rounds or effort.rounds
    # A batch is made of different images.
    arguments.images = arguments.images or max(effort.images, *arguments.batch)
    return arguments


def fitted(recorded: Replay, model: str) -> Replay:
    """Stretch a recording to the depth and tokens of the model that is timed."""
    shape = named_model(model)
    return recorded.stretched(shape.depth, shape.tokens)


def measure(batch: int, arguments: argparse.Namespace, recorded: Replay) -> list[Row]:
    """All candidates at one batch size."""
    sample = recorded.sample(arguments.images)
    names = [*chosen_kinds(arguments), *PEAKS]
    setup = Setup(
        batch, arguments.threads, arguments.model, arguments.native_ops, arguments.patience
    )
    with workers(names, setup, sample, console) as running:
        for _ in track(range(arguments.rounds), f"batch {batch}", transient=True, console=console):
            for worker in running.values():
                worker.run()
        rate = {int8: peak_rate(running[name]) for name, int8 in PEAKS.items()}
        chosen = [name for name in names if name in KINDS]
        return [row(name, running[name], setup, sample, rate) for name in chosen]


def chosen_kinds(arguments: argparse.Namespace) -> list[str]:
    """Return the candidates; function bodies are timed only beside native ops."""
    if arguments.only:
        return list(arguments.only)
    both = native.native_ops(arguments.native_ops).path is not None
    return [name for name in KINDS if both or not name.endswith("-bodies")]


def peak_rate(worker: Worker) -> float:
    """Million multiply-accumulates per millisecond of the matrix product, its best round."""
    return 1024**3 / 1e6 / min(each["wall_ms"] for each in worker.rounds)


def row(name: str, worker: Worker, setup: Setup, sample: Replay, rate: dict[bool, float]) -> Row:
    """One candidate's line."""
    kind = KINDS[name]
    what = kind.what.format(peer=peers.spikingjelly_name(named_model(setup.model)))
    if worker.failed is not None:
        return Row(name, {"batch": setup.batch}, what, worker.failed)
    return Row(name, {"batch": setup.batch, **figures(kind, worker, setup, sample, rate)}, what)


def figures(
    kind: Kind, worker: Worker, setup: Setup, sample: Replay, rate: dict[bool, float]
) -> dict[str, float | None]:
    """What a candidate did.

    Returns:
        ms: wall time per image, median of the rounds.
        spread_ms: interquartile range of the rounds.
        cpu_ms: process time per image, median.
        macs: multiply-accumulates done per image, millions; None where they are not counted.
        tokens: live tokens over K, averaged over blocks and executed timesteps.
        timesteps: executed, average.
        peak_share: of the matrix product's rate measured in the same run; None without MACs.
    """
    tokens, timesteps, done = work(kind, sample, setup.model)
    ms = worker.median("wall_ms")
    return {
        "ms": ms,
        "spread_ms": worker.spread("wall_ms"),
        "cpu_ms": worker.median("cpu_ms"),
        "macs": done,
        "tokens": tokens,
        "timesteps": timesteps,
        "peak_share": None if done is None else done / ms / rate[kind.int8],
    }


def work(
    kind: Kind, sample: Replay, model: str = networks.MODEL
) -> tuple[float, float, float | None]:
    """Average tokens and timesteps, and million multiply-accumulates per image."""
    config = networks.config_of(kind.stem or "isps", halting=kind.halting, model=model)
    if kind.stem is None:
        if not kind.what.startswith(("dense", "the same, int8")):
            return 1.0, config.timesteps, None
        return 1.0, 1, macs.dense_macs(config) / 1e6
    live = sample.live if kind.halting else np.full_like(sample.live, config.tokens)
    steps = (
        sample.timesteps if kind.steps == 0 else np.full(len(live), kind.steps or config.timesteps)
    )
    done = [macs.spiking_macs(config, each, int(t)) for each, t in zip(live, steps, strict=True)]
    run = np.arange(config.timesteps) < steps[:, None]
    share = (live.mean(-1) / config.tokens)[run].mean()
    return float(share), float(steps.mean()), float(np.mean(done)) / 1e6


def table(rows: Sequence[Row], batch: int) -> Table:
    """All candidates of a batch size."""
    columns = [
        words(""),
        number("ms/image", "ms"),
        number("±", "spread_ms"),
        number("CPU ms", "cpu_ms"),
        images_per_s("ms", lambda row: ",.0f" if row["ms"] < 100 else ",.1f"),
        number("tokens", "tokens"),
        number("T", "timesteps"),
        number("MMAC", "macs", ",.0f"),
        number("of peak", "peak_share", ".0%"),
        *(gain(f"× {peer}", rows, peer, "ms") for peer in PEERS),
    ]
    return Table(f"batch {batch}", columns)


def density_table() -> Table:
    """Shares of values that are not zero, of every layer that takes spikes."""
    columns = [words("neurons, or what a layer takes"), number("share", "share", ".1%")]
    return Table("not zero, at the first timestep", columns)


def _conditions(arguments: argparse.Namespace, recorded: Replay) -> str:
    sample = recorded.sample(arguments.images)
    shape = named_model(arguments.model)
    return (
        f"{arguments.model}, {shape.image_size[0]} x {shape.image_size[1]}, "
        f"{shape.tokens} tokens, T {shape.timesteps}\n"
        f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, "
        f"{arguments.threads} thread(s); median of {arguments.rounds} rounds; "
        f"ours: {native.in_words(arguments.native_ops)}\n"
        f"tokens of {arguments.replay if arguments.data else 'the trained digits model'} on "
        f"{len(recorded.timesteps)} test images: "
        f"{recorded.tokens(early_exit=False):.3f} over all timesteps, "
        f"{recorded.timesteps.mean():.2f} timesteps with early exit; "
        f"of the {arguments.images} replayed: {sample.tokens(early_exit=False):.3f}, "
        f"{sample.timesteps.mean():.2f}"
    )
