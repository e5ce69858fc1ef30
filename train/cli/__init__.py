"""The commands of `python -m train`, one module each."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable

from rich.logging import RichHandler

from train.cli import energy, evaluating, figures, importing, recipes, running, sweeping
from train.cli.console import console, say
from train.errors import TrainError

USAGE = """Train spiking vision transformers.

    python -m train run RECIPE [--start CKPT] [--key value …]
        train; RECIPE is a name or a .yaml file; CKPT lends its weights to the phases after its own
    python -m train resume runs/NAME/last.pt
        continue a stopped run
    python -m train recipes
        list the recipes
    python -m train evaluate CKPT [--epsilon 0.01 0.3] [--policies never entropy] [--max-drop 0.003]
        accuracy, timesteps and tokens on the test images, per exit policy and halting margin
    python -m train energy CKPT [CKPT …] [--constants.memory-pj-per-byte 1.25]
        estimated energy per image and module, from firing rates measured on the test images
    python -m train figure heatmap|tokens|tradeoff|energy|curves FILE… --out figure.png
        the papers' figures, from checkpoints or (curves) from runs' folders
    python -m train sweep RECIPE --over halting.ponder_weight=1e-3,1e-2 [--over …] [--key value …]
        train a grid of values; go on where it stopped
    python -m train import FILE --arch NAME [--out CKPT] [--classes-file names.txt] [--key value …]
        bring in a checkpoint of the Spikformer, Spikingformer or Spike-driven Transformer
        repositories, or of SpikingJelly's models
"""

COMMANDS: dict[str, Callable[[list[str]], int]] = {
    "run": running.run_command,
    "resume": running.resume_command,
    "recipes": recipes.recipes_command,
    "evaluate": evaluating.evaluate_command,
    "energy": energy.energy_command,
    "figure": figures.figure_command,
    "sweep": sweeping.sweep_command,
    "import": importing.import_command,
}


def main(argv: list[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    logging.basicConfig(level=logging.WARNING, handlers=[RichHandler(console=console)])
    name, rest = (arguments[0], arguments[1:]) if arguments else ("help", [])
    if name not in COMMANDS:
        say(USAGE)
        return 0 if name in ("help", "--help", "-h") else 2
    try:
        return COMMANDS[name](rest)
    except KeyboardInterrupt:
        say("\nstopped; the run's last.pt continues it: python -m train resume …/last.pt")
        return 130
    except TrainError as error:
        say(f"error: {error}")
        return 2
