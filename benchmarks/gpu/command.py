"""How fast on a GPU: ours in every backend against what one would use instead, alternating.

    python -m benchmarks.gpu                             fp16, batch 1, 32 and 256
    python -m benchmarks.gpu --precision fp32 --json gpu.json
    python -m benchmarks.gpu --model spikingformer-8-384 --batch 1 16
    python -m benchmarks.gpu --device cpu --quick        to see that it works, without a GPU

A named shape with I-SPS and random weights; every candidate in a process of its own, which sleeps
while another is timed. Ours is `runtime.Engine` on exported bundles, with engines built for this
GPU; beta and the exit threshold are set so that as many tokens stay alive, and as many timesteps
run, as in a trained network (benchmarks/gpu/networks.py). All take uint8 images from host memory
and leave logits there. What cannot run here has a row that says why.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from rich.progress import track

from benchmarks.common import command_line, networks
from benchmarks.common.processes import PATIENCE_S, Worker, started
from benchmarks.common.table import Row, Table, console, gain, images_per_s, number, words
from benchmarks.gpu.networks import Prepared, Wanted, prepare
from benchmarks.gpu.worker import CANDIDATES, DTYPES, Conditions
from spikehalt.commands import whole
from train.architectures.attention import SSA
from train.config import ModelConfig
from train.models import NAMED_MODELS, named_model

PEERS = ("spikingjelly", "ann")  # ratios are given to these
# What the zoo's CIFAR-10 models keep (zoo/README.md), and images that leave one by one.
TOKENS, TIMESTEPS = 0.48, 1.5
# The shapes that the peers have.
MODELS = [name for name, config in NAMED_MODELS.items() if config.architecture.attention is SSA]
EXITS = "halting + early exit"
WAYS = {
    "static": "static, one graph for all T",
    "halting": "halting, one graph for all T",
    "halting-steps": "halting",
    "exit": EXITS,
    "exit-bodies": f"{EXITS}, no plugins",
}
WHAT = {
    "spikingjelly": "SpikingJelly's Spikformer of this shape",
    "spikingjelly-compiled": "the same, torch.compile",
    "spikingjelly-onnx": "the same, torch.onnx.export (fp32)",
    "ann": "dense ANN of this shape",
    "ann-compiled": "the same, torch.compile",
    "ann-onnx": "the same, torch.onnx.export",
    "ann-tensorrt": "the same, torch.onnx.export",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark; returns the exit status."""
    arguments = parser().parse_args(argv)
    if arguments.device == "cuda" and not torch.cuda.is_available():
        sys.stderr.write(
            "error: PyTorch finds no CUDA GPU here: --device cpu shows that the benchmark works, "
            "and python -m benchmarks.cpu measures processors\n"
        )
        return 2
    with tempfile.TemporaryDirectory() as folder:
        model = shape(arguments.model)
        prepared = prepare(model, Wanted(arguments.tokens, arguments.timesteps), Path(folder))
        conditions = in_words(arguments, model, prepared)
        console.print(conditions, highlight=False, markup=False)
        rows = [row for batch in sizes(arguments) for row in shown(batch, arguments, Path(folder))]
    if arguments.json:
        content = {"conditions": conditions, "rows": [row.plain() for row in rows]}
        arguments.json.write_text(json.dumps(content, indent=2) + "\n")
    return 0


def parser() -> argparse.ArgumentParser:
    """Arguments of the command."""
    p = command_line.parser("benchmarks.gpu", __doc__)
    p.add_argument("--model", choices=MODELS, default=networks.MODEL, metavar="NAME")
    p.add_argument("--batch", type=whole(1), nargs="+", default=[1, 32, 256], help="images at once")
    p.add_argument("--precision", choices=[*DTYPES], default="fp16")
    p.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    p.add_argument("--tokens", type=float, default=TOKENS, help="default: %(default)g")
    p.add_argument("--timesteps", type=float, default=TIMESTEPS, help="default: %(default)g")
    p.add_argument("--rounds", type=whole(1), default=9)
    p.add_argument(
        "--patience", type=float, default=PATIENCE_S, metavar="SECONDS",
        help="give up a candidate that is not ready by then (default: %(default)g)",
    )  # fmt: skip
    p.add_argument("--quick", action="store_true", help="two rounds, batch 1")
    p.add_argument("--only", nargs="+", choices=CANDIDATES, default=[*CANDIDATES], metavar="NAME")
    p.add_argument("--json", type=Path, metavar="FILE")
    return p


def shape(name: str) -> ModelConfig:
    """A named model with I-SPS."""
    named = named_model(name)
    return replace(named, stem=replace(named.stem, kind="isps"))


def sizes(arguments: argparse.Namespace) -> list[int]:
    """Batch sizes to measure."""
    return [1] if arguments.quick else list(arguments.batch)


def rounds(arguments: argparse.Namespace) -> int:
    """Timed rounds of every candidate."""
    return 2 if arguments.quick else int(arguments.rounds)


def shown(batch: int, arguments: argparse.Namespace, folder: Path) -> list[Row]:
    """Measure a batch size and print its table."""
    conditions = Conditions(folder, batch, arguments.precision, arguments.device)
    rows = measure(arguments.only, conditions, rounds(arguments), arguments.patience)
    table(rows, batch).print(rows)
    return rows


def measure(
    names: Sequence[str], conditions: Conditions, count: int, patience_s: float = PATIENCE_S
) -> list[Row]:
    """All candidates at one batch size: `count` alternating rounds, then each one's energy."""

    def start(name: str) -> Worker:
        return Worker("benchmarks.gpu.worker", _asked(name, conditions), patience_s)

    with started(names, start, console) as running:
        title = f"batch {conditions.batch}"
        for _ in track(range(count), title, transient=True, console=console):
            for worker in running.values():
                worker.run()
        energies = {name: worker.ask("energy") for name, worker in running.items()}
        return [
            row(name, worker, conditions.batch, energies[name]) for name, worker in running.items()
        ]


def _asked(name: str, conditions: Conditions) -> list[str]:
    return [
        name, "--networks", str(conditions.networks), "--batch", str(conditions.batch),
        "--precision", conditions.precision, "--device", conditions.device,
    ]  # fmt: skip


def row(name: str, worker: Worker, batch: int, energy: dict[str, Any]) -> Row:
    """One candidate's line.

    Its figures are: wall time per image, median and interquartile range of the rounds; live tokens
    over K_0, averaged over blocks and executed timesteps, and those timesteps, None for peers;
    energy per image of the whole device, idle share included, None if it was not measured, and by
    which sensor or why not.
    """
    what = in_other_words(name)
    if worker.failed is not None:
        return Row(name, {"batch": batch}, what, worker.failed)
    figures = {
        "batch": batch,
        "runs_with": worker.about["runs_with"],
        "ms": worker.median("wall_ms"),
        "spread_ms": worker.spread("wall_ms"),
        "tokens": worker.about.get("tokens"),
        "timesteps": worker.about.get("timesteps"),
        "energy_mj": energy["energy_mj"],
        "energy_note": energy["note"],
    }
    return Row(name, figures, what)


def in_other_words(name: str) -> str:
    """What a candidate is."""
    if name in WHAT:
        return WHAT[name]
    way = max((way for way in WAYS if name.endswith(f"-{way}")), key=len)
    return f"ours: {WAYS[way]}"


def table(rows: Sequence[Row], batch: int) -> Table:
    """All candidates of a batch size."""
    columns = [
        words(""),
        words("runs with", "runs_with"),
        number("ms/image", "ms", ".4f"),
        number("±", "spread_ms", ".4f"),
        images_per_s("ms", lambda row: ",.0f"),
        number("tokens", "tokens"),
        number("T", "timesteps"),
        number("mJ/image", "energy_mj", ".3g"),
        *(gain(f"× {peer}", rows, peer, "ms") for peer in PEERS),
    ]
    return Table(f"batch {batch}", columns)


def in_words(arguments: argparse.Namespace, model: ModelConfig, prepared: Prepared) -> str:
    """The conditions of the tables."""
    return (
        f"{arguments.model}, {model.image_size[0]} x {model.image_size[1]}, {model.tokens} tokens, "
        f"T {model.timesteps}, {arguments.precision}\n"
        f"{device_in_words(arguments.device)}; median of {rounds(arguments)} rounds\n"
        f"beta {prepared.beta:.3f}: {prepared.tokens:.3f} x tokens over all timesteps; confidence "
        f"{prepared.threshold:.3f}: {prepared.timesteps:.2f} timesteps (in fp32, on noise)"
    )


def device_in_words(device: str) -> str:
    """Its name, its driver and PyTorch's CUDA."""
    if device == "cpu":
        return f"CPU, {torch.get_num_threads()} threads"
    return f"{torch.cuda.get_device_name()}, driver {driver()}, CUDA {torch.version.cuda}"


def driver() -> str:
    """Version of the NVIDIA driver, as `nvidia-smi` tells it."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return "unknown (no nvidia-smi)"
    query = [tool, "--query-gpu=driver_version", "--format=csv,noheader"]
    found = subprocess.run(query, capture_output=True, text=True, check=False)
    return found.stdout.splitlines()[0] if found.returncode == 0 else "unknown (nvidia-smi failed)"
