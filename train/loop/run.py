"""A training run: data, static phase, halting phase.

    python -m train run digits
    python -m train run cifar10-small --data.path cifar10.zip --out runs/cifar
    python -m train run cifar10-small --start runs/cifar/static.pt --out runs/other-halting
    python -m train run cifar10-small --start runs/cifar/static.pt --all-phases --out runs/longer
    python -m train resume runs/cifar/last.pt
    torchrun --nproc-per-node 4 -m train run cifar10-small

Leaves in `out`: static.pt and halting.pt (finished phases), last.pt (resumable), log.csv.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lightning_fabric import Fabric, seed_everything

from spikehalt.console import few
from spikehalt.errors import ConfigError
from spikehalt.strict import build
from train.baselines.build import build_network
from train.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from train.config import ModelConfig, TrainConfig
from train.data import Known, load_data
from train.errors import CheckpointError
from train.loop.folder import make_folder
from train.loop.phase import saving
from train.loop.phase.interrupt import Interrupt
from train.loop.phase.phase import Phase
from train.loop.phase.steps import train_phase
from train.loop.reports.log import CsvLog
from train.loop.starting import (
    HEAD,
    check_classes,
    history,
    is_resumable,
    phases_left,
    prepared,
    with_new_head,
    with_no_phase_behind,
)
from train.loop.teacher import load_teacher
from train.measure.evaluate import Evaluation
from train.measure.finished import finished_metrics
from train.models import SpikingTransformer
from train.models.kernels import choose_kernels, use_kernels
from train.parallel.devices import launch

Change = Callable[[TrainConfig, Checkpoint], TrainConfig]


@dataclass(frozen=True)
class RunResult:
    """Finished checkpoints by phase, and their evaluation on the validation split."""

    checkpoints: dict[str, Path]
    evaluations: dict[str, Evaluation]


def run(
    config: TrainConfig,
    *,
    start: Checkpoint | None = None,
    all_phases: bool = False,
    new_head: bool = False,
    replaced: Sequence[Path] = (),
) -> RunResult:
    """Train every configured phase.

    Args:
        config: the run.
        start: a checkpoint to begin from: a resumable one continues where it stopped, with the
            settings of `config` from there on; a finished one lends its weights to the phases that
            follow its own.
        all_phases: take no more than the start's weights, and train its own phase again too.
        new_head: leave out the start's classifier, and train all phases on other classes.
        replaced: files of an earlier run, removed once the data are read.

    Raises:
        KeyboardInterrupt: stopped by Ctrl-C; its message says what is saved.
        ConfigError: the run cannot go on from `start` with these settings.
        TrainError: data or divergence, with what to do.
    """
    if start is not None and (all_phases or new_head):
        start = with_new_head(start) if new_head else with_no_phase_behind(start)
    check_classes(config, start)
    config = prepared(config, start)
    names = phases_left(config, start)
    make_folder(config.out)
    with explaining_stops(Path(config.out) / "last.pt", is_resumable(start)):
        return _train(config, names, start, replaced)


def _train(
    config: TrainConfig, names: list[str], start: Checkpoint | None, replaced: Sequence[Path]
) -> RunResult:
    fabric = launch(config)
    seed_everything(config.seed, verbose=False)
    known = Known(start.classes) if start and start.classes else None
    data = load_data(config.data, config.model, config.seed, known).to(fabric.device)
    past = history(config, start)
    loss, share = config.loss, config.batch_size // fabric.world_size
    teacher = load_teacher(loss.teacher, config.model, data.classes, fabric.device, share)
    weights = start.weights if start else None
    network = _network(phase_model(config.model, names[0]), weights, fabric)
    # Whatever can be refused has been by now.
    if fabric.is_global_zero:
        for path in replaced:
            path.unlink(missing_ok=True)
    csv = CsvLog(Path(config.out) / "log.csv", keep=start is not None, writes=fabric.is_global_zero)
    result = RunResult({}, {})
    loops = choose_kernels(config.compile, fabric.device)
    with Interrupt() as interrupt, use_kernels(loops):
        for name in names:
            if result.checkpoints:
                network = _network(phase_model(config.model, name), weights, fabric)
            phase = Phase(
                name,
                getattr(config, name),
                config,
                fabric,
                network,
                data,
                csv,
                interrupt,
                teacher,
                past,
            )
            if start is not None and start.training and start.training["phase"] == name:
                saving.restore(phase, start.training)
            else:
                saving.begin(phase)
            train_phase(phase)
            result.checkpoints[name], result.evaluations[name] = _finish(phase)
            weights = phase.kept.state_dict()
    if interrupt.requested:  # too late to stop this run, but not what comes after it
        raise KeyboardInterrupt(f"stopped; the run was finished: {result.checkpoints[names[-1]]}")
    return result


@contextmanager
def explaining_stops(last: Path, resumes: bool) -> Iterator[None]:
    """Make a Ctrl-C that comes before anything was saved say so.

    Args:
        last: the run's resumable checkpoint.
        resumes: whether the run goes on from a checkpoint.
    """
    try:
        yield
    except KeyboardInterrupt as stop:
        if stop.args:
            raise
        was = "; the checkpoint that it goes on from is as it was" if resumes else ""
        raise KeyboardInterrupt(
            f"stopped before anything was saved in {last.parent}{was}"
        ) from None


def resume(path: str | Path, change: Change | None = None) -> RunResult:
    """Continue a run from its `last.pt`, in the folder where that lies.

    Args:
        path: the checkpoint.
        change: takes the run's settings and the checkpoint; returns the settings from here on.

    Raises:
        CheckpointError: the file is not a resumable checkpoint.
        ConfigError: a setting cannot be changed while a run is continued.
    """
    checkpoint = load_checkpoint(path)
    if checkpoint.training is None:
        raise CheckpointError(
            f"{path} is a finished checkpoint and holds no training state; resume from last.pt, or "
            f"start from its weights: python -m train run RECIPE --start {path}"
        )
    config = replace(build(TrainConfig, checkpoint.run), out=str(Path(path).parent))
    return run(change(config, checkpoint) if change else config, start=checkpoint)


def phase_model(model: ModelConfig, phase: str) -> ModelConfig:
    """The network a phase trains: the static one has neither halting nor merging."""
    return model.static() if phase == "static" else model


def _network(
    model: ModelConfig, weights: dict[str, Any] | None, fabric: Fabric
) -> SpikingTransformer:
    network = build_network(model)
    if weights is not None:
        try:
            network.load_state_dict({**_fresh(network, weights), **weights})
        except RuntimeError as error:
            raise ConfigError(f"the start weights do not fit the model: {_short(error)}") from None
    return network.to(fabric.device)


def _fresh(network: SpikingTransformer, weights: dict[str, Any]) -> dict[str, Any]:
    """The network's own head, where a new one is trained."""
    own = network.state_dict()
    return {} if set(HEAD) & set(weights) else {name: own[name] for name in HEAD}


def _short(error: RuntimeError) -> str:
    """The first tensors that do not fit, of the many that PyTorch names."""
    lines = [line.strip() for line in str(error).splitlines()[1:]]
    return few([line if len(line) < 200 else f"{line[:200]}…" for line in lines], 2)


def _finish(phase: Phase) -> tuple[Path, Evaluation]:
    """Evaluate on the validation split, measure firing rates, write the finished checkpoint."""
    result, metrics = finished_metrics(phase.kept, phase.data.validation)
    if phase.history:
        metrics["history"] = phase.history
    path = Path(phase.config.out) / f"{phase.name}.pt"
    if phase.fabric.is_global_zero:
        save_checkpoint(path, saving.checkpoint(phase, metrics, resumable=False))
    phase.fabric.barrier()
    return path, result
