"""`python -m train run` and `python -m train resume`."""

from __future__ import annotations

from spikehalt.console import note, say
from train.checkpoint import load_checkpoint
from train.cli.console import nothing_left, take_option, take_positional
from train.cli.parsing import parse
from train.config import TrainConfig
from train.loop.run import RunResult, resume, run
from train.recipes import load_recipe


def run_command(arguments: list[str]) -> int:
    """Train a recipe, with changes given as options."""
    recipe, rest = take_positional("the recipe", "run RECIPE [--key value …]", arguments)
    start, changes = take_option("--start", rest)
    prog = f"python -m train run {recipe}"
    config = parse(TrainConfig, changes, prog, default=load_recipe(recipe))
    report(run(config, start=load_checkpoint(start) if start else None))
    return 0


def resume_command(arguments: list[str]) -> int:
    """Continue a stopped run."""
    path, rest = take_positional("the checkpoint", "resume runs/NAME/last.pt", arguments)
    nothing_left(rest)
    report(resume(path))
    return 0


def report(result: RunResult) -> None:
    """Say what a run reached and what to do with it."""
    for phase, path in result.checkpoints.items():
        found = result.evaluations[phase]
        say(
            f"{phase}: validation accuracy {found.accuracy[-1]:.2%} ({found.accuracy[0]:.2%} at "
            f"t = 1), average tokens {found.average_tokens:.3f} → {path}"
        )
    last = list(result.checkpoints.values())[-1]
    note(f"export it with: python -m export.to_trt {last} --onnx-only")
