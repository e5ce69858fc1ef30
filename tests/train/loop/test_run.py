from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import yaml
from lightning_fabric import Fabric
from lightning_fabric.plugins import MixedPrecision

from spikehalt.errors import ConfigError
from spikehalt.strict import to_dict
from tests.train.samples import quick_run, same_tensors
from train.checkpoint import Checkpoint, load_checkpoint
from train.config import PhaseConfig, TrainConfig
from train.errors import CheckpointError, DivergedError
from train.loop.phase import steps as loop
from train.loop.reports.log import CsvLog
from train.loop.run import resume, run
from train.loop.starting import phases_left


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run of two epochs static, one with halting and merging."""
    out = tmp_path_factory.mktemp("unbroken")
    run(two_epochs(out))
    return out


def two_epochs(out: Path):  # type: ignore[no-untyped-def]
    return quick_run(out, static={"epochs": 2}, model={"merge_gamma": 1})


def figures(out: Path) -> list[dict[str, str]]:
    return CsvLog(out / "log.csv", keep=True).rows()


def test_a_run_leaves_checkpoints_of_both_phases_and_a_log(unbroken: Path) -> None:
    static, halting = (load_checkpoint(unbroken / f"{name}.pt") for name in ("static", "halting"))
    assert static.model.halting.mode == "none" and static.model.merge_gamma == 0
    assert halting.model.halting.mode == "block_time" and halting.model.merge_gamma == 1
    assert static.training is None and static.classes == tuple("0123456789")
    assert set(halting.metrics) >= {"validation_accuracy", "average_tokens", "firing_rates"}
    phases = [(row["phase"], row["epoch"]) for row in figures(unbroken)]
    assert phases == [("static", "1"), ("static", "2"), ("halting", "1")]


def test_losses_fall_and_tokens_fall(tmp_path: Path) -> None:
    changes = {"static": {"epochs": 4}, "halting": {"epochs": 5, "ponder_weight": 3.0}}
    run(quick_run(tmp_path, **changes))
    rows = figures(tmp_path)
    static = [float(row["loss"]) for row in rows if row["phase"] == "static"]
    tokens = [float(row["average_tokens"]) for row in rows if row["phase"] == "halting"]
    assert static[-1] < 0.9 * static[0]
    assert tokens[-1] < tokens[0] - 0.02


class StoppedError(Exception):
    pass


def stopped_and_resumed(config: TrainConfig, patch: pytest.MonkeyPatch, after_steps: int) -> Path:
    """The folder of the run, stopped once."""
    taken = 0
    step = loop.train_step

    def counted(phase, batch):  # type: ignore[no-untyped-def]
        nonlocal taken
        taken += 1
        if taken == after_steps:
            phase.interrupt.requested = True
        return step(phase, batch)

    patch.setattr(loop, "train_step", counted)
    with pytest.raises(KeyboardInterrupt):
        run(config)
    assert taken - after_steps <= 1
    resume(Path(config.out) / "last.pt")
    return Path(config.out)


def assert_equal_runs(ours: Path, theirs: Path) -> None:
    for name in ("static", "halting"):
        one, other = (load_checkpoint(out / f"{name}.pt") for out in (ours, theirs))
        assert same_tensors(one.weights, other.weights)
        assert one.metrics == other.metrics
    assert figures(ours) == figures(theirs)


@pytest.mark.parametrize("after_steps", [7, 20, 21, 45])
def test_a_resumed_run_equals_an_unbroken_one(
    unbroken: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after_steps: int
) -> None:
    """Stopped within an epoch, at its last step, in the second phase; 20 steps an epoch."""
    stopped = stopped_and_resumed(two_epochs(tmp_path), monkeypatch, after_steps)
    assert_equal_runs(stopped, unbroken)


def averaging(out: Path):  # type: ignore[no-untyped-def]
    return replace(two_epochs(out), ema_decay=0.9)


@pytest.fixture(scope="module")
def averaged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the same run that keeps the average over its steps."""
    out = tmp_path_factory.mktemp("averaged")
    run(averaging(out))
    return out


def test_the_average_over_a_phases_steps_is_what_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Weights and running statistics: a = d a + (1 - d) w, d = min(decay, (1 + n) / (10 + n))."""
    steps: list[dict[str, torch.Tensor]] = []
    step = loop.train_step

    def observed(phase, batch):  # type: ignore[no-untyped-def]
        said = step(phase, batch)
        steps.append({name: value.clone() for name, value in phase.network.state_dict().items()})
        return said

    monkeypatch.setattr(loop, "train_step", observed)
    result = run(replace(quick_run(tmp_path, halting={"epochs": 0}), ema_decay=0.75))
    expected = dict(steps[0])
    for done, now in enumerate(steps[1:], start=1):
        decay = min(0.75, (1 + done) / (10 + done))
        floats = {name: value for name, value in now.items() if value.is_floating_point()}
        expected.update({key: decay * expected[key] + (1 - decay) * floats[key] for key in floats})
    kept = load_checkpoint(result.checkpoints["static"]).weights
    statistics = [name for name in kept if name.endswith("running_var")]
    assert statistics and len(steps) > 10
    for name, value in expected.items():
        if value.is_floating_point():
            torch.testing.assert_close(kept[name], value)
    assert not torch.equal(kept[statistics[0]], steps[-1][statistics[0]])


def test_the_halting_phase_starts_from_the_average(
    averaged: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[dict[str, torch.Tensor]] = []
    step = loop.train_step

    def observed(phase, batch):  # type: ignore[no-untyped-def]
        if phase.name == "halting" and not seen:
            weights = phase.network.state_dict()
            seen.append({name: value.clone() for name, value in weights.items()})
        return step(phase, batch)

    monkeypatch.setattr(loop, "train_step", observed)
    run(averaging(tmp_path))
    assert same_tensors(seen[0], load_checkpoint(averaged / "static.pt").weights)


@pytest.mark.parametrize("after_steps", [7, 20, 45])
def test_a_resumed_run_continues_its_average(
    averaged: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after_steps: int
) -> None:
    stopped = stopped_and_resumed(averaging(tmp_path), monkeypatch, after_steps)
    assert_equal_runs(stopped, averaged)


def test_the_first_epochs_see_images_of_their_own_sizes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    scaled_to = loop.scaled_to

    def observed(side, images):  # type: ignore[no-untyped-def]
        scaled = scaled_to(side, images)
        seen.append(scaled.shape[-1])
        return scaled

    monkeypatch.setattr(loop, "scaled_to", observed)
    static = {"epochs": 2, "image_sizes": [12]}
    run(quick_run(tmp_path, static=static, halting={"epochs": 0}))
    steps = len(seen) // 2
    assert seen == [12] * steps + [8] * steps


def test_a_run_that_begins_with_fewer_timesteps_resumes_as_unbroken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """t = 1 in the first epoch, all of them in the second; stopped once in each."""
    executed: list[int] = []
    total_loss, step = loop.total_loss, loop.train_step
    stops = {7, 27}

    def observed(output, *rest):  # type: ignore[no-untyped-def]
        executed.append(len(output.logits))
        return total_loss(output, *rest)

    def stopped(phase, batch):  # type: ignore[no-untyped-def]
        phase.interrupt.requested = len(executed) + 1 in stops
        stops.discard(len(executed) + 1)
        return step(phase, batch)

    def growing(out: Path):  # type: ignore[no-untyped-def]
        static = {"epochs": 2, "timesteps": [1]}
        return quick_run(out, static=static, halting={"epochs": 0}, loss={"anytime": 0.5})

    monkeypatch.setattr(loop, "total_loss", observed)
    run(growing(tmp_path / "unbroken"))
    steps = len(executed) // 2
    assert executed == [1] * steps + [2] * steps

    executed.clear()
    monkeypatch.setattr(loop, "train_step", stopped)
    with pytest.raises(KeyboardInterrupt):
        run(growing(tmp_path / "broken"))
    with pytest.raises(KeyboardInterrupt):
        resume(tmp_path / "broken" / "last.pt")
    resume(tmp_path / "broken" / "last.pt")
    assert not stops and executed == [1] * steps + [2] * steps
    ours, theirs = (
        load_checkpoint(tmp_path / name / "static.pt") for name in ("broken", "unbroken")
    )
    assert same_tensors(ours.weights, theirs.weights) and ours.metrics == theirs.metrics
    assert figures(tmp_path / "broken") == figures(tmp_path / "unbroken")


def test_mixing_ends_with_its_epoch_and_a_resumed_run_keeps_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Off after the first of three epochs, the third a halting one; stopped in the first two."""
    mixed: list[bool] = []
    total_loss, step = loop.total_loss, loop.train_step
    stops = {7, 27}

    def observed(output, targets, *rest):  # type: ignore[no-untyped-def]
        mixed.append(targets.is_floating_point())
        if mixed[-1]:
            shares = targets.max(-1).values
            assert targets.shape[-1] == 10 and shares.min() < 0.99
        return total_loss(output, targets, *rest)

    def stopped(phase, batch):  # type: ignore[no-untyped-def]
        phase.interrupt.requested = len(mixed) + 1 in stops
        stops.discard(len(mixed) + 1)
        return step(phase, batch)

    def mixing(out: Path):  # type: ignore[no-untyped-def]
        augment = {"mixup": 0.5, "mixup_off_epoch": 1}
        return quick_run(out, static={"epochs": 2}, data={"augment": augment})

    monkeypatch.setattr(loop, "total_loss", observed)
    run(mixing(tmp_path / "unbroken"))
    steps = len(mixed) // 3
    assert mixed == [True] * steps + [False] * 2 * steps

    mixed.clear()  # the halting phase alone counts the static epochs that its weights have seen
    run(mixing(tmp_path / "halting"), start=load_checkpoint(tmp_path / "unbroken" / "static.pt"))
    assert mixed == [False] * steps

    mixed.clear()
    monkeypatch.setattr(loop, "train_step", stopped)
    last = tmp_path / "broken" / "last.pt"
    with pytest.raises(KeyboardInterrupt):
        run(mixing(last.parent))
    with pytest.raises(KeyboardInterrupt):
        resume(last)
    resume(last)
    assert not stops and mixed == [True] * steps + [False] * 2 * steps
    for name in ("static", "halting"):
        ours, theirs = (
            load_checkpoint(tmp_path / out / f"{name}.pt") for out in ("broken", "unbroken")
        )
        assert same_tensors(ours.weights, theirs.weights) and ours.metrics == theirs.metrics


def test_a_run_stopped_between_its_phases_goes_on(
    unbroken: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last epoch is saved, static.pt is not: as after a kill at that moment."""
    from train.loop import run as module

    def killed(phase):  # type: ignore[no-untyped-def]
        raise StoppedError

    with monkeypatch.context() as patched:
        patched.setattr(module, "_finish", killed)
        with pytest.raises(StoppedError):
            run(two_epochs(tmp_path))
    resume(tmp_path / "last.pt")
    ours, theirs = (load_checkpoint(out / "halting.pt") for out in (tmp_path, unbroken))
    assert same_tensors(ours.weights, theirs.weights)


def test_the_static_checkpoint_starts_a_halting_phase_alone(unbroken: Path, tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_bytes((unbroken / "log.csv").read_bytes())
    result = run(two_epochs(tmp_path), start=load_checkpoint(unbroken / "static.pt"))
    assert list(result.checkpoints) == ["halting"]
    phases = [(row["phase"], row["epoch"]) for row in figures(tmp_path)]
    assert phases == [("static", "1"), ("static", "2"), ("halting", "1")]


def test_which_phases_are_left() -> None:
    config = quick_run(Path("x"))
    model = config.model
    starts = {"static": ["halting"], "halting": ["halting"], "imported": ["static", "halting"]}
    for phase, left in starts.items():
        assert phases_left(config, Checkpoint(model, {}, (), phase)) == left
    resumable = Checkpoint(model, {}, (), "static", training={"phase": "static"})
    assert phases_left(config, resumable) == ["static", "halting"]
    none = replace(config, static=PhaseConfig(0), halting=PhaseConfig(0))
    with pytest.raises(ConfigError, match="no phase is left to train"):
        phases_left(none, None)


def test_a_run_without_the_phase_that_its_start_stopped_in_is_refused() -> None:
    config = replace(quick_run(Path("x")), halting=PhaseConfig(0))
    start = Checkpoint(config.model, {}, (), "halting", training={"phase": "halting"})
    message = r"stopped in phase 'halting', which this run leaves out: set halting\.epochs above 0"
    with pytest.raises(ConfigError, match=message):
        phases_left(config, start)


def test_start_weights_of_another_shape_are_refused(unbroken: Path, tmp_path: Path) -> None:
    config = quick_run(tmp_path, model={"dim": 32})
    with pytest.raises(ConfigError, match=r"start weights do not fit the model"):
        run(config, start=load_checkpoint(unbroken / "static.pt"))


def test_a_finished_checkpoint_does_not_resume(unbroken: Path) -> None:
    with pytest.raises(CheckpointError, match=r"is a finished checkpoint .* --start"):
        resume(unbroken / "static.pt")


@pytest.mark.parametrize("clip_norm", [0.0, 1.0])
def test_a_loss_that_is_no_number_stops_the_run_and_keeps_the_last_good_state(
    tmp_path: Path, clip_norm: float
) -> None:
    config = quick_run(tmp_path, halting={"epochs": 0})
    run(config)
    good = load_checkpoint(tmp_path / "last.pt").weights
    wild = replace(
        config, static=PhaseConfig(1, 1e30, 0.0), clip_norm=clip_norm, save_every_minutes=1e-9
    )
    start = Checkpoint(config.model, good, (), "imported")
    with pytest.raises(DivergedError, match=r"became (nan|inf) .*last\.pt is the last good state"):
        run(wild, start=start)
    assert same_tensors(load_checkpoint(tmp_path / "last.pt").weights, good)


def test_ctrl_c_in_the_terminal_leaves_a_checkpoint_that_resumes(
    unbroken: Path, tmp_path: Path
) -> None:
    recipe = tmp_path / "recipe.yaml"
    out = tmp_path / "run"
    recipe.write_text(yaml.safe_dump({**to_dict(two_epochs(out)), "save_every_minutes": 1e-9}))
    process = subprocess.Popen(
        [sys.executable, "-m", "train", "run", str(recipe)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    while not (out / "last.pt").exists() and process.poll() is None:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 130, output
    assert "python -m train resume" in output
    resume(out / "last.pt")
    ours, theirs = (load_checkpoint(folder / "halting.pt") for folder in (out, unbroken))
    assert same_tensors(ours.weights, theirs.weights)


def test_fp16_steps_whose_scaled_gradients_overflow_are_skipped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The loss scaler begins too high on purpose, and finds its scale while the run goes on."""

    def launch(_: TrainConfig) -> Fabric:
        scaler = torch.amp.GradScaler("cpu", init_scale=2.0**60)
        fabric = Fabric(
            accelerator="cpu", devices=1, plugins=MixedPrecision("16-mixed", "cpu", scaler)
        )
        fabric.launch()
        return fabric

    monkeypatch.setattr("train.loop.run.launch", launch)
    run(quick_run(tmp_path, static={"epochs": 2}, halting={"epochs": 0}))
    losses = [float(row["loss"]) for row in figures(tmp_path)]
    scale = load_checkpoint(tmp_path / "last.pt").training["precision"]["scale"]
    assert all(map(math.isfinite, losses))
    assert scale < 2.0**60
