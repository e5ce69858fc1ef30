"""Training throughput: our loop against SpikingJelly's spikformer_cifar10, alternating in one run.

    python -m benchmarks.train
    python -m benchmarks.train --batch 16 --precision bf16 --rounds 7 --json train.json
    python -m benchmarks.train --stem isps --compile

Every candidate does whole optimiser steps (forward, loss, backward, clipping, AdamW) on the same
random images at the same batch, precision, device and thread count. Candidates take turns, so that
whatever else the machine does slows all of them alike; medians and spread are over rounds. Beside
the wall clock stands the processor time of this process, all threads together: other work on the
machine lengthens the former and hardly the latter.
"""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal, NamedTuple

import torch
import tyro
from lightning_fabric import Fabric, seed_everything
from rich.console import Console
from rich.progress import track
from rich.table import Table
from spikingjelly.activation_based import functional
from spikingjelly.activation_based.model.spikformer import Spikformer
from torch.nn.functional import cross_entropy

from train.config import DataConfig, ModelConfig, PhaseConfig, TrainConfig
from train.data import Dataset, Split
from train.devices import resolve_precision
from train.interrupt import Interrupt
from train.kernels import compiled_kernels, use_kernels
from train.log import CsvLog
from train.loop import train_step
from train.models import SpikingTransformer, named_model
from train.phase import Phase
from train.schedule import parameter_groups

Step = Callable[[], None]


@dataclass(frozen=True)
class Options:
    """What is measured.

    Attributes:
        model: a name of the registry.
        stem: our stem; with `sps` both compute the same function.
        batch: images per step.
        precision: of both.
        steps: optimiser steps per turn.
        rounds: turns of each candidate.
        threads: of both; 0 leaves PyTorch's choice.
        compile: also measure ours with compiled neurons.
        json: also write the figures there.
    """

    model: str = "spikformer-4-384"
    stem: Literal["sps", "isps"] = "sps"
    batch: int = 16
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    steps: int = 2
    rounds: int = 5
    threads: int = 0
    compile: bool = False
    json: Path | None = None


class Turn(NamedTuple):
    """One candidate's turn: images per second of wall time, processor milliseconds per image."""

    images_per_s: float
    cpu_ms: float


@dataclass(frozen=True)
class Figure:
    """One candidate's throughput over rounds, and its ratios to SpikingJelly's.

    Ratios are the medians of each round's own, so that slow rounds do not count against either.

    Attributes:
        name: of the candidate.
        images_per_s: by the wall clock, median.
        lowest: of the rounds.
        highest: of the rounds.
        ratio: of images per second; above 1 is faster than SpikingJelly.
        cpu_ms: processor time per image, all threads, median.
        cpu_ratio: SpikingJelly's processor time over this one's; above 1 is cheaper.
    """

    name: str
    images_per_s: float
    lowest: float
    highest: float
    ratio: float
    cpu_ms: float
    cpu_ratio: float


def main(options: Options) -> list[Figure]:
    """Measure, print a table, return its rows."""
    if options.threads:
        torch.set_num_threads(options.threads)
    figures = measure(options)
    console = Console()
    console.print(_table(options, figures))
    if options.json is not None:
        rows = {
            "options": asdict(options),
            "device": device_name(),
            "figures": list(map(asdict, figures)),
        }
        options.json.write_text(json.dumps(rows, indent=1, default=str) + "\n")
    return figures


def measure(options: Options) -> list[Figure]:
    """Images per second of every candidate, one turn of each a round."""
    model = replace(
        named_model(options.model),
        stem=replace(
            named_model(options.model).stem, kind=options.stem, pool_position="before_lif"
        ),
    )
    with tempfile.TemporaryDirectory() as folder, ours(options, model, Path(folder)) as step:
        candidates: dict[str, Step] = {"spikingjelly": spikingjelly(options, model), "ours": step}
        if options.compile:
            candidates["ours, compiled neurons"] = _compiled(step)
        for warm_up in candidates.values():
            turn(warm_up, options)
        rounds = [
            {name: turn(candidate, options) for name, candidate in candidates.items()}
            for _ in track(range(options.rounds), "measuring", transient=True)
        ]
    return [_figure(name, rounds) for name in candidates]


def turn(step: Step, options: Options) -> Turn:
    """Throughput and processor time over a turn of steps."""
    synchronise()
    wall, cpu = time.perf_counter(), time.process_time()
    for _ in range(options.steps):
        step()
    synchronise()
    images = options.steps * options.batch
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return Turn(images / wall, 1000 * cpu / images)


def spikingjelly(options: Options, model: ModelConfig) -> Step:
    """SpikingJelly's own Spikformer of the same shape, under the same optimiser and clipping."""
    fabric = Fabric(devices=1, precision=resolve_precision(options.precision))
    seed_everything(0, verbose=False)
    peer = Spikformer(
        T=model.timesteps,
        in_channels=model.channels,
        img_size_h=model.image_size[0],
        img_size_w=model.image_size[1],
        patch_size=16 if all(model.stem.pool) else 4,
        num_classes=model.classes,
        embed_dims=model.dim,
        num_heads=model.heads,
        mlp_ratio=model.mlp_ratio,
        depths=model.depth,
    )
    optimizer = torch.optim.AdamW(parameter_groups(peer, 0.01), lr=1e-3)
    network, optimizer = fabric.setup(peer.train(), optimizer)
    batch = random_batch(options, model).to(fabric.device)

    def step() -> None:
        functional.reset_net(peer)
        logits = network((batch.images.float() / 255 - 0.5) / 0.25).mean(0)
        loss = cross_entropy(logits.float(), batch.labels)
        optimizer.zero_grad()
        fabric.backward(loss)
        fabric.clip_gradients(network, optimizer, max_norm=1.0)
        optimizer.step()

    return step


@contextmanager
def ours(options: Options, model: ModelConfig, folder: Path) -> Iterator[Step]:
    """Our own training step, as `python -m train run` takes it."""
    fabric = Fabric(devices=1, precision=resolve_precision(options.precision))
    seed_everything(0, verbose=False)
    config = TrainConfig(
        model=model,
        data=DataConfig("folder", "random images"),
        static=PhaseConfig(epochs=1000),
        batch_size=options.batch,
        out=str(folder),
    )
    batch = random_batch(options, model).to(fabric.device)
    data = Dataset(batch, batch, batch, tuple(map(str, range(model.classes))))
    log = CsvLog(folder / "log.csv", keep=False)
    with Interrupt() as interrupt:
        network = SpikingTransformer(model).to(fabric.device)
        phase = Phase("static", config.static, config, fabric, network, data, log, interrupt)
        phase.model.train()
        yield lambda: _discard(train_step(phase, batch))


def _discard(result: object) -> None:
    """A step's report is not read here, for either candidate."""


def _compiled(step: Step) -> Step:
    kernels = compiled_kernels()

    def with_compiled_neurons() -> None:
        with use_kernels(kernels):
            step()

    return with_compiled_neurons


def random_batch(options: Options, model: ModelConfig) -> Split:
    """uint8 images and labels, the same for every candidate."""
    generator = torch.Generator().manual_seed(0)
    shape = (options.batch, model.channels, *model.image_size)
    images = torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8)
    return Split(images, torch.randint(0, model.classes, shape[:1], generator=generator))


def synchronise() -> None:
    """Wait for the device."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def device_name() -> str:
    """What the figures were measured on."""
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    return f"CPU, {torch.get_num_threads()} threads"


def _figure(name: str, rounds: list[dict[str, Turn]]) -> Figure:
    rates, cpu = zip(*(turns[name] for turns in rounds), strict=True)
    peers = [turns["spikingjelly"] for turns in rounds]
    return Figure(
        name,
        statistics.median(rates),
        min(rates),
        max(rates),
        statistics.median(a / b.images_per_s for a, b in zip(rates, peers, strict=True)),
        statistics.median(cpu),
        statistics.median(b.cpu_ms / a for a, b in zip(cpu, peers, strict=True)),
    )


def _table(options: Options, figures: list[Figure]) -> Table:
    table = Table(
        title=f"{options.model}, {options.stem}, batch {options.batch}, {options.precision}, "
        f"{device_name()}, {options.rounds} rounds of {options.steps} steps",
        caption="×: images/s over SpikingJelly's; × CPU: SpikingJelly's processor time over this",
    )
    columns = ("images/s", "lowest", "highest", "×", "CPU ms/image", "× CPU")
    for column in ("candidate", *columns):
        table.add_column(column, justify="left" if column == "candidate" else "right")
    for figure in figures:
        rates = (figure.images_per_s, figure.lowest, figure.highest)
        cpu = (f"{figure.cpu_ms:.1f}", f"{figure.cpu_ratio:.2f}")
        table.add_row(figure.name, *(f"{rate:.2f}" for rate in rates), f"{figure.ratio:.2f}", *cpu)
    return table


if __name__ == "__main__":
    main(tyro.cli(Options, prog="python -m benchmarks.train", description=__doc__))
