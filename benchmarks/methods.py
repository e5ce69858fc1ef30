"""Every method of the papers, trained and tested under the same conditions; prints one table.

    python -m benchmarks.methods --data cifar10.zip --out runs/methods
    python -m benchmarks.methods --recipe digits --out runs/digits        minutes instead of hours
    python -m benchmarks.methods --data cifar10.zip --only TET SML        some of them

Runs that are finished in --out are not trained again, and stopped ones go on: two processes may
share the work with --only, and the whole command then prints the table. Exits are by entropy
(DT-SNN, AT-SNN^e, STAS^e); their threshold is the one with the fewest timesteps within 0.5 points
on the validation images. Everything else is measured on the test images.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from benchmarks.common import command_line
from benchmarks.common.method_table import METHODS, SAME_TOKENS, Method
from benchmarks.common.table import Column, Row, Table, console, number, words
from spikehalt.commands import run as run_command
from spikehalt.commands import whole
from spikehalt.exits import ENTROPY, NEVER
from spikehalt.strict import build, to_dict
from train.checkpoint import Checkpoint, load_checkpoint
from train.config import TrainConfig
from train.data import Dataset, load_data
from train.loop.once import train_once
from train.measure.energy import energy_model
from train.measure.evaluate import Evaluation, evaluate
from train.measure.exits import Trace, exit_point, fewest_timesteps, record
from train.models import SpikingTransformer
from train.parallel.devices import best_device
from train.recipes import load_recipe, merge

MAX_DROP = 0.005


def main(argv: Sequence[str] | None = None) -> int:
    """Train what is not trained yet, print the table; returns the exit status."""
    arguments = parser().parse_args(argv)
    base = base_config(arguments)
    data = load_data(base.data, base.model, base.seed).to(best_device())
    chosen = [method for method in METHODS if method.name in arguments.only]
    rows = []
    for method in chosen:
        console.print(f"{method.name}: {method.what}", highlight=False)
        rows += rows_of(method, load_checkpoint(trained(method, base, data)), data)
    table(base, len(data.test)).print(rows)
    if arguments.json is not None:
        arguments.json.write_text(json.dumps([row.plain() for row in rows], indent=1) + "\n")
    return 0


def parser() -> argparse.ArgumentParser:
    """Arguments of the command."""
    p = command_line.parser("benchmarks.methods", __doc__)
    names = [method.name for method in METHODS]
    p.add_argument("--recipe", default="cifar10-small", help="of a halting network")
    p.add_argument("--data", metavar="PATH", help="images, where the recipe needs some")
    p.add_argument("--out", default="runs/methods", help="folder of the runs")
    p.add_argument("--epochs", type=whole(1), default=5, help="of static networks, all timesteps")
    p.add_argument("--halting-epochs", type=whole(1), default=2, help="of token methods")
    p.add_argument(
        "--only", nargs="+", choices=names, default=names, metavar="NAME",
        help="some of: " + "; ".join(names),
    )  # fmt: skip
    p.add_argument("--json", type=Path, help="also write the rows there")
    return p


def base_config(arguments: argparse.Namespace) -> TrainConfig:
    """The recipe with the command's images and epochs."""
    recipe = load_recipe(arguments.recipe)
    data = replace(recipe.data, path=arguments.data) if arguments.data else recipe.data
    return replace(
        recipe, data=data, out=arguments.out,
        static=replace(recipe.static, epochs=arguments.epochs, timesteps=()),
        halting=replace(recipe.halting, epochs=arguments.halting_epochs),
    )  # fmt: skip


def trained(method: Method, base: TrainConfig, data: Dataset) -> Path:
    """The method's checkpoint, and those that it builds on, trained where they are not there."""
    if not method.start:
        return train_once(configuration(method, base))
    shares = adaptive_shares(base, data) if method.what == SAME_TOKENS else ()
    start = load_checkpoint(trained(named(method.start), base, data))
    return train_once(configuration(method, base, shares), start)


def named(name: str) -> Method:
    """The method of that name."""
    return next(method for method in METHODS if method.name == name)


def configuration(method: Method, base: TrainConfig, shares: tuple[float, ...] = ()) -> TrainConfig:
    """The method's run.

    Args:
        method: what is trained.
        base: the recipe.
        shares: tokens per block over K_0, for a method that keeps as many as an adaptive one.
    """
    plain = merge(to_dict(base), method.changes)
    plain["out"] = str(Path(base.out) / method.folder)
    plain["static" if method.start else "halting"]["epochs"] = 0
    plain["halting"]["ponder_weight"] *= method.ponder_factor
    drop = plain["model"]["drop"]
    drop["keep"] = {"all": (1.0,) * base.model.depth, SAME_TOKENS: shares}.get(
        drop["keep"] or "", ()
    )
    return build(TrainConfig, plain)


def adaptive_shares(base: TrainConfig, data: Dataset) -> tuple[float, ...]:
    """Tokens per block that STAS keeps on the validation images, as shares of K_0."""
    checkpoint = load_checkpoint(trained(named("STAS"), base, data))
    network = checkpoint.network().to(best_device())
    return matching_shares(evaluate(network, data.validation), base.model.tokens)


def matching_shares(found: Evaluation, k0: int) -> tuple[float, ...]:
    """Shares per block that rise nowhere, begin with 1, and have the average of `found`.

    A fixed rate is the same at every timestep and drops nothing before the first block, where
    halting over timesteps does; the blocks after it make up for that, in halting's proportions.
    """
    blocks = torch.tensor(found.tokens_per_block, dtype=torch.float64).mean(0) / k0
    rest = blocks[1:]
    wanted = found.average_tokens * len(blocks) - 1
    scaled = (rest * wanted / rest.sum()).clamp(1 / k0, 1)
    return (1.0, *(round(float(share), 4) for share in scaled.cummin(0).values))


def rows_of(method: Method, checkpoint: Checkpoint, data: Dataset) -> list[Row]:
    """The method's row, and one for every further halting margin."""
    first = row_of(method.name, method.what, checkpoint, data, checkpoint.model.halting.epsilon)
    others = [
        row_of(f"{method.name}, ε {epsilon:g}", "the same network", checkpoint, data, epsilon)
        for epsilon in method.epsilons
    ]
    return [first, *others]


def row_of(name: str, what: str, checkpoint: Checkpoint, data: Dataset, epsilon: float) -> Row:
    """Test a checkpoint with a halting margin, on the test images.

    The figures are: accuracy of the running logits after each timestep, in [0, 1]; live tokens over
    K_0, averaged over blocks, all timesteps and images; energy in mJ, estimated, per image with all
    timesteps (STAS eq. 11-12); accuracy and executed timesteps with early exit.
    """
    network = checkpoint.network().to(best_device())
    seen = record(network, data.validation, epsilon=epsilon)
    test = record(network, data.test, epsilon=epsilon)
    chosen = fewest_timesteps(seen, ENTROPY.name, MAX_DROP)
    early = exit_point(test, chosen.policy, chosen.threshold)
    figures = {
        "accuracy": [float(at_t.float().mean()) for at_t in test.correct],
        "tokens": exit_point(test, NEVER.name).average_tokens,
        "energy_mj": average_energy_mj(network, checkpoint, test),
        "exit_accuracy": early.accuracy,
        "exit_timesteps": early.average_timesteps,
    }
    return Row(name, figures, what)


def average_energy_mj(network: SpikingTransformer, checkpoint: Checkpoint, trace: Trace) -> float:
    """Of an image with all timesteps, from the firing rates that the checkpoint holds."""
    rates: dict[str, Any] = checkpoint.metrics["firing_rates"]
    model = energy_model(network, rates)
    timesteps, images = trace.correct.shape
    every = torch.full((images,), timesteps)
    return float(model.energy_mj(trace.live_tokens, every).mean())


def table(base: TrainConfig, images: int) -> Table:
    """The comparison."""
    title = (
        f"{base.static.epochs} epochs, token methods {base.halting.epochs} more, "
        f"seed {base.seed}; {images:,} test images"
    )
    last = base.model.timesteps
    columns = [
        Column("method", lambda row: row.name, text=True),
        words(""),
        *(accuracy_at(timestep) for timestep in (1, 2, last)),
        number("tokens", "tokens", ".3f"),
        number("µJ", "energy_mj", ".1f", 1000),
        number("exit", "exit_accuracy", ".2%"),
        number("at t", "exit_timesteps"),
    ]
    return Table(title, columns)


def accuracy_at(timestep: int) -> Column:
    """Accuracy after so many timesteps, or after the last one where there are fewer."""

    def shown(row: Row) -> str:
        every = row.figures["accuracy"]
        return f"{every[min(timestep, len(every)) - 1]:.2%}"

    return Column(f"t = {timestep}", shown)


if __name__ == "__main__":
    sys.exit(run_command(main))
