"""Training throughput: our loop against SpikingJelly's spikformer_cifar10, alternating in one run.

    python -m benchmarks.train
    python -m benchmarks.train --batch 16 --precision bf16 --rounds 7 --json train.json
    python -m benchmarks.train --stem isps --compile --channels-last

Every candidate does whole optimiser steps (forward, loss, backward, clipping, AdamW) on the same
random images at the same batch, precision, device and thread count. Candidates take turns, so that
whatever else the machine does slows all of them alike; medians and spread are over rounds. Beside
the wall clock stands the processor time of this process, all threads together: other work on the
machine lengthens the former and hardly the latter.

On a CUDA device SpikingJelly runs its fused neurons (its own CUDA ones where they were built, else
Triton's), or the benchmark refuses to compare. Each row tells the neurons, precision and memory
format that it ran with.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal, NamedTuple

import torch
from lightning_fabric import Fabric, seed_everything
from rich.progress import track
from spikingjelly.activation_based import functional
from torch.nn.functional import cross_entropy

from benchmarks.common import peers
from benchmarks.common.table import Column, Row, Table, console, number, words
from train.config import DataConfig, ModelConfig, PhaseConfig, TrainConfig, require
from train.data import Dataset, Split
from train.loop.phase import Phase
from train.loop.phase.interrupt import Interrupt
from train.loop.phase.schedule import parameter_groups
from train.loop.phase.steps import train_step
from train.loop.reports.log import CsvLog
from train.models import SpikingTransformer, named_model
from train.models.kernels import compiled_kernels, use_kernels
from train.parallel.devices import best_device, resolve_precision

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
        channels_last: also measure both with the weights of their convolutions, and SpikingJelly's
            images, channels last in memory; our activations always are.
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
    channels_last: bool = False
    json: Path | None = None


class Candidate(NamedTuple):
    """Something to measure: whose training, with what, and one step of it."""

    name: str
    runs_with: str
    step: Step


class Turn(NamedTuple):
    """One candidate's turn: images per second of wall time, processor milliseconds per image."""

    images_per_s: float
    cpu_ms: float


def main(options: Options) -> list[Row]:
    """Measure, print a table, return its rows."""
    if options.threads:
        torch.set_num_threads(options.threads)
    figures = measure(options)
    table(options).print(figures)
    if options.json is not None:
        rows = {
            "options": asdict(options),
            "device": device_name(),
            "figures": [row.plain() for row in figures],
        }
        options.json.write_text(json.dumps(rows, indent=1, default=str) + "\n")
    return figures


def measure(options: Options) -> list[Row]:
    """Images per second of every candidate, one turn of each a round."""
    measured = candidates(options)
    for warm_up in measured:
        turn(warm_up.step, options)
    rounds = [
        [turn(candidate.step, options) for candidate in measured]
        for _ in track(range(options.rounds), "measuring", transient=True, console=console)
    ]
    turns = list(zip(*rounds, strict=True))
    return [
        figure(candidate, own, turns[0]) for candidate, own in zip(measured, turns, strict=True)
    ]


def candidates(options: Options) -> list[Candidate]:
    """SpikingJelly's training first, then ours; both again with channels last if so configured."""
    named = named_model(options.model)
    require(not named.stages, f"{options.model} has no counterpart in SpikingJelly's Spikformer")
    stem = replace(named.stem, kind=options.stem, pool_position="before_lif")
    model = replace(named, stem=stem)
    found = []
    for channels_last in (False, True)[: 1 + options.channels_last]:
        found.append(spikingjelly(options, model, channels_last))
        found += ours(options, model, channels_last)
    return found


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


def _fabric(options: Options) -> Fabric:
    """One device: a CUDA GPU if there is one, else the CPU."""
    precision = resolve_precision(options.precision)
    return Fabric(accelerator=best_device().type, devices=1, precision=precision)


def spikingjelly(options: Options, model: ModelConfig, channels_last: bool) -> Candidate:
    """SpikingJelly's own Spikformer of the same shape, under the same optimiser and clipping."""
    fabric = _fabric(options)
    seed_everything(0, verbose=False)
    peer, memory = peers.spikingjelly_model(model), memory_format(channels_last)
    # torch's stubs know `to(memory_format=...)` of tensors only.
    peer.to(fabric.device, memory_format=memory)  # type: ignore[call-overload]
    neurons = peers.choose_fused_neurons(peer, fabric.device, precision_name(fabric))
    optimizer = torch.optim.AdamW(parameter_groups(peer, 0.01), lr=1e-3)
    network, optimizer = fabric.setup(peer.train(), optimizer)
    batch = random_batch(options, model).to(fabric.device)

    def step() -> None:
        functional.reset_net(peer)
        images = batch.images.float().contiguous(memory_format=memory)
        logits = network((images / 255 - 0.5) / 0.25).mean(0)
        loss = cross_entropy(logits.float(), batch.labels)
        optimizer.zero_grad()
        fabric.backward(loss)
        fabric.clip_gradients(network, optimizer, max_norm=1.0, error_if_nonfinite=False)
        optimizer.step()

    return Candidate("SpikingJelly", runs_with(neurons, fabric, channels_last), step)


def ours(options: Options, model: ModelConfig, channels_last: bool) -> list[Candidate]:
    """Our own training step, as `python -m train run` takes it, and with compiled neurons."""
    fabric = _fabric(options)
    seed_everything(0, verbose=False)
    config = TrainConfig(
        model=model,
        data=DataConfig("folder", "random images"),
        static=PhaseConfig(epochs=1000),
        batch_size=options.batch,
    )
    batch = random_batch(options, model).to(fabric.device)
    data = Dataset(batch, batch, batch, tuple(map(str, range(model.classes))))
    log = CsvLog(Path("log.csv"), keep=False, writes=False)
    network = SpikingTransformer(model).to(fabric.device)
    # torch's stubs know `to(memory_format=...)` of tensors only.
    network.to(memory_format=memory_format(channels_last))  # type: ignore[call-overload]
    phase = Phase("static", config.static, config, fabric, network, data, log, Interrupt())
    phase.model.train()

    def step() -> None:
        train_step(phase, batch)  # its report is not read, as SpikingJelly's loss is not

    def compiled_step() -> None:
        with use_kernels(compiled_kernels()):
            step()

    measured = [Candidate("ours", runs_with("in place", fabric, channels_last), step)]
    if options.compile:
        how = runs_with("compiled", fabric, channels_last)
        measured.append(Candidate("ours", how, compiled_step))
    return measured


def memory_format(channels_last: bool) -> torch.memory_format:
    """Of convolutions' weights and of images."""
    return torch.channels_last if channels_last else torch.contiguous_format


def runs_with(neurons: str, fabric: Fabric, channels_last: bool) -> str:
    """Neurons, precision and memory format of a candidate, for its row."""
    memory = ", channels last" if channels_last else ""
    return f"{neurons}, {precision_name(fabric)}{memory}"


def precision_name(fabric: Fabric) -> str:
    """The precision in force: where the device has no fp16, Fabric takes bf16 in its place."""
    names = {"32-true": "fp32", "bf16-mixed": "bf16", "16-mixed": "fp16"}
    return names[fabric.strategy.precision.precision]


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


def figure(candidate: Candidate, turns: Sequence[Turn], first: Sequence[Turn]) -> Row:
    """A candidate's turns as one row; `first` are those of SpikingJelly in the same rounds.

    Ratios are the medians of each round's own, so that slow rounds do not count against either:
    `ratio` of images per second, above 1 is faster than the first row; `cpu_ratio` of the first
    row's processor time, all threads, over this one's, above 1 is cheaper.
    """
    rates, cpu = zip(*turns, strict=True)
    figures = {
        "runs_with": candidate.runs_with,
        "images_per_s": statistics.median(rates),
        "lowest": min(rates),
        "highest": max(rates),
        "ratio": statistics.median(a / b.images_per_s for a, b in zip(rates, first, strict=True)),
        "cpu_ms": statistics.median(cpu),
        "cpu_ratio": statistics.median(b.cpu_ms / a for a, b in zip(cpu, first, strict=True)),
    }
    return Row(candidate.name, figures)


def table(options: Options) -> Table:
    """Every candidate."""
    title = (
        f"{options.model}, {options.stem}, batch {options.batch}, {device_name()}, "
        f"{options.rounds} rounds of {options.steps} steps"
    )
    columns = [
        words("candidate"),
        words("runs with", "runs_with"),
        number("images/s", "images_per_s"),
        Column("range", lambda row: f"{row['lowest']:.2f}-{row['highest']:.2f}"),
        number("×", "ratio"),
        number("CPU ms", "cpu_ms", ".1f"),
        number("× CPU", "cpu_ratio"),
    ]
    caption = "CPU ms: processor time per image; × and × CPU: gain over the first row"
    return Table(title, columns, caption)
