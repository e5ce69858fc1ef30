"""A training run: data, static phase, halting phase.

    python -m train run digits
    python -m train run cifar10-small --data.path cifar10.zip --out runs/cifar
    python -m train run cifar10-small --start runs/cifar/static.pt --out runs/other-halting
    python -m train resume runs/cifar/last.pt
    torchrun --nproc-per-node 4 -m train run cifar10-small

Leaves in `out`: static.pt and halting.pt (finished phases), last.pt (resumable), log.csv.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lightning_fabric import Fabric, seed_everything

from spikehalt.errors import ConfigError
from spikehalt.strict import build
from train.baselines.build import build_network
from train.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from train.config import ModelConfig, TrainConfig
from train.data import Known, load_data
from train.errors import CheckpointError
from train.loop.phase import saving
from train.loop.phase.interrupt import Interrupt
from train.loop.phase.phase import Phase
from train.loop.phase.steps import train_phase
from train.loop.reports.log import CsvLog
from train.measure.energy import measure_firing_rates
from train.measure.evaluate import Evaluation, evaluate
from train.models import SpikingTransformer
from train.models.kernels import choose_kernels, use_kernels
from train.parallel.devices import launch

PHASES = ("static", "halting")


@dataclass(frozen=True)
class RunResult:
    """Finished checkpoints by phase, and their evaluation on the validation split."""

    checkpoints: dict[str, Path]
    evaluations: dict[str, Evaluation]


def run(config: TrainConfig, *, start: Checkpoint | None = None) -> RunResult:
    """Train every configured phase.

    Args:
        config: the run.
        start: a checkpoint to begin from: a resumable one continues where it stopped, a finished
            one lends its weights to the phases that follow its own.

    Raises:
        KeyboardInterrupt: stopped by Ctrl-C; `last.pt` resumes.
        TrainError: data, configuration or divergence, with what to do.
    """
    names = phases_left(config, start)
    make_folder(config.out)
    fabric = launch(config)
    seed_everything(config.seed, verbose=False)
    known = Known(start.classes) if start and start.classes else None
    data = load_data(config.data, config.model, config.seed, known).to(fabric.device)
    keep = start is not None and start.training is not None
    csv = CsvLog(Path(config.out) / "log.csv", keep=keep, writes=fabric.is_global_zero)
    checkpoints: dict[str, Path] = {}
    evaluations: dict[str, Evaluation] = {}
    weights = start.weights if start else None
    loops = choose_kernels(config.compile, fabric.device)
    with Interrupt() as interrupt, use_kernels(loops):
        for name in names:
            network = _network(phase_model(config.model, name), weights, fabric)
            phase = Phase(
                name, getattr(config, name), config, fabric, network, data, csv, interrupt
            )
            if start is not None and start.training and start.training["phase"] == name:
                saving.restore(phase, start.training)
            else:
                saving.draw_apart(phase)
            train_phase(phase)
            checkpoints[name], evaluations[name] = _finish(phase)
            weights = network.state_dict()
    return RunResult(checkpoints, evaluations)


def resume(path: str | Path) -> RunResult:
    """Continue a run from its `last.pt`, in the folder where that lies.

    Raises:
        CheckpointError: the file is not a resumable checkpoint.
    """
    checkpoint = load_checkpoint(path)
    if checkpoint.training is None:
        raise CheckpointError(
            f"{path} is a finished checkpoint and holds no training state; resume from last.pt, or "
            f"start from its weights: python -m train run RECIPE --start {path}"
        )
    config = replace(build(TrainConfig, checkpoint.run), out=str(Path(path).parent))
    return run(config, start=checkpoint)


def make_folder(out: str) -> None:
    """The run's folder, made before anything is read or trained.

    Raises:
        ConfigError: it cannot be made or written to.
    """
    folder = Path(out)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            f"the folder {folder} cannot be made ({error.strerror}); name another with --out"
        ) from None
    if not os.access(folder, os.W_OK):
        raise ConfigError(f"the folder {folder} may not be written to; name another with --out")


def phase_model(model: ModelConfig, phase: str) -> ModelConfig:
    """The network a phase trains: the static one has neither halting nor merging."""
    return model.static() if phase == "static" else model


def phases_left(config: TrainConfig, start: Checkpoint | None) -> list[str]:
    """Configured phases that are still to run.

    Raises:
        ConfigError: there are none, or not the one in which `start` stopped.
    """
    names = [name for name in PHASES if getattr(config, name).epochs > 0]
    if start is not None and start.training is not None:
        stopped = start.training["phase"]
        if stopped not in names:
            raise ConfigError(
                f"the start checkpoint stopped in phase {stopped!r}, which this run leaves out: "
                f"set {stopped}.epochs above 0, or start from a finished one such as static.pt"
            )
        names = names[names.index(stopped) :]
    elif start is not None and start.phase in PHASES:
        names = [name for name in names if name == "halting"]
    if not names:
        raise ConfigError("no phase is left to train: set static.epochs or halting.epochs above 0")
    return names


def _network(
    model: ModelConfig, weights: dict[str, Any] | None, fabric: Fabric
) -> SpikingTransformer:
    network = build_network(model)
    if weights is not None:
        try:
            network.load_state_dict(weights)
        except RuntimeError as error:
            raise ConfigError(f"the start weights do not fit the model: {error}") from None
    return network.to(fabric.device)


def _finish(phase: Phase) -> tuple[Path, Evaluation]:
    """Evaluate on the validation split, measure firing rates, write the finished checkpoint."""
    result = evaluate(phase.network, phase.data.validation)
    rates = measure_firing_rates(phase.network, phase.data.validation)
    metrics = {
        "validation_accuracy": list(result.accuracy),
        "average_tokens": result.average_tokens,
        "firing_rates": rates,
    }
    path = Path(phase.config.out) / f"{phase.name}.pt"
    if phase.fabric.is_global_zero:
        save_checkpoint(path, saving.checkpoint(phase, metrics, resumable=False))
    phase.fabric.barrier()
    return path, result
