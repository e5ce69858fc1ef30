"""Runs that start from a checkpoint with other settings: each is applied, or refused with why."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from spikehalt.errors import ConfigError
from tests.train.samples import quick_run, same_tensors
from train.checkpoint import load_checkpoint
from train.config import TrainConfig
from train.loop import run as module
from train.loop.phase import Phase
from train.loop.phase import steps as loop
from train.loop.reports.log import CsvLog
from train.loop.run import resume, run
from train.loop.starting import HEAD, check_asked, prepared

Continued = Callable[..., Phase]


def static_run(out: Path, **changes: Any) -> TrainConfig:
    return quick_run(out, **{"static": {"epochs": 2}, "halting": {"epochs": 0}, **changes})


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """last.pt of a run of two static epochs, stopped after 27 of its 40 steps."""
    out = tmp_path_factory.mktemp("stopped")
    taken = 0
    step = loop.train_step

    def counted(phase, batch):  # type: ignore[no-untyped-def]
        nonlocal taken
        taken += 1
        phase.interrupt.requested = taken == 27
        return step(phase, batch)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(loop, "train_step", counted)
        with pytest.raises(KeyboardInterrupt, match=r"^stopped; to go on: python -m train resume"):
            run(static_run(out, static={"epochs": 2, "learning_rate": 1e-3}))
    return out / "last.pt"


class RestoredError(Exception):
    """Ends a run where its first phase would take its first step."""


@pytest.fixture
def continued(stopped: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Continued:
    """The phase of the run that goes on from `stopped` with changes, before its first step."""
    phases: list[Phase] = []

    def ended(phase: Phase) -> None:
        phases.append(phase)
        raise RestoredError

    def go_on(**changes: Any) -> Phase:
        monkeypatch.setattr(module, "train_phase", ended)
        plain = {"static": {"epochs": 2, "learning_rate": 1e-3}, **changes}
        with pytest.raises(RestoredError):
            run(static_run(tmp_path, **plain), start=load_checkpoint(stopped))
        return phases.pop()

    return go_on


def rates(phase: Phase) -> list[float]:
    """Learning rates of the steps that are left."""
    (factor, _), base = phase.scheduler.lr_lambdas, phase.settings.learning_rate
    left = [base * factor(step) for step in range(phase.steps_done, phase.total_steps)]
    assert left[0] == phase.optimizer.param_groups[0]["lr"] == phase.scheduler.get_last_lr()[0]
    return left


@pytest.mark.parametrize("batch_size", [16, 32, 50, 200])
def test_another_batch_size_keeps_the_place_in_epochs_and_the_schedule(
    stopped: Path, continued: Continued, batch_size: int
) -> None:
    as_it_was, phase = continued(), continued(batch_size=batch_size)
    assert phase.position.epoch == as_it_was.position.epoch == 1
    images = as_it_was.position.step * 64
    assert images - batch_size < phase.position.step * batch_size <= images
    mean_loss = [float(p.position.loss_sum) / p.position.step for p in (phase, as_it_was)]
    assert mean_loss[0] == pytest.approx(mean_loss[1])
    assert rates(phase)[0] == pytest.approx(rates(as_it_was)[0], rel=0.3)
    assert phase.total_steps == 2 * (len(phase.data.train) // batch_size)


@pytest.mark.parametrize(
    ("changes", "applied"),
    [
        ({"static": {"epochs": 2, "learning_rate": 1e-4}}, lambda p: max(rates(p)) < 1e-4),
        ({"weight_decay": 0.5}, lambda p: p.optimizer.param_groups[0]["weight_decay"] == 0.5),
        (
            {"static": {"epochs": 4, "learning_rate": 1e-3}},
            lambda p: len(rates(p)) == 4 * p.steps_per_epoch - p.steps_done,
        ),
        (
            {"static": {"epochs": 2, "learning_rate": 1e-3, "final_fraction": 1.0}},
            lambda p: set(rates(p)) == {1e-3},
        ),
        ({"clip_norm": 0.0}, lambda p: p.config.clip_norm == 0),
        ({"data": {"augment": {"mixup": 0.5}}}, lambda p: p.mix is not None),
        ({"model": {"lif": {"tau": 1.5}}}, lambda p: p.network.config.lif.tau == 1.5),
        ({"precision": "bf16"}, lambda p: p.fabric._precision.precision == "bf16-mixed"),
    ],
    ids=["rate", "decay", "epochs", "final", "clip", "augment", "model", "precision"],
)
def test_a_changed_setting_holds_from_there_on_and_is_recorded(
    continued: Continued,
    changes: dict[str, Any],
    applied: Callable[[Phase], bool],
    capsys: pytest.CaptureFixture[str],
) -> None:
    phase = continued(**changes)
    assert applied(phase)
    (record,) = phase.history
    assert (record["phase"], record["epoch"]) == ("static", 1) and len(record["changed"]) == 1
    (key,) = record["changed"]
    assert f"continued with other settings: {key} " in capsys.readouterr().err


def test_nothing_changed_is_no_history(continued: Continued) -> None:
    assert continued().history == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seed": 5}, "seed is 5, and was 0 .* held out"),
        (
            {"data": {"validation_fraction": 0.3}},
            r"validation_fraction is 0\.3, and was 0\.1",
        ),
        ({"loss": {"surrogate_modules": 0.5}}, r"loss\.surrogate_modules adds or removes"),
        ({"static": {"epochs": 1}}, r"static\.epochs is 1, but epoch 2 .* has begun: give more"),
        ({"model": {"classes": 7}}, "knows 10 classes, and model.classes is 7: .*--new-head"),
        ({"model": {"dim": 32}}, "do not fit the model"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_what_cannot_change_in_the_middle_is_refused_with_the_reason(
    stopped: Path, tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        run(static_run(tmp_path, **changes), start=load_checkpoint(stopped))
    assert not list(tmp_path.glob("*.pt"))


def test_settings_of_a_phase_that_is_over_are_recorded_as_they_were(
    stopped: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    start = replace(load_checkpoint(stopped), training=None)
    config = quick_run(Path("x"), static={"epochs": 40, "learning_rate": 0.5})
    kept = prepared(config, start)
    assert (kept.static.epochs, kept.static.learning_rate) == (2, 1e-3)
    assert kept.halting == config.halting
    assert "the static phase is behind the start checkpoint" in capsys.readouterr().err
    with pytest.raises(ConfigError, match=r"static\.learning_rate has no effect"):
        check_asked(["out", "static.learning_rate"], start)
    check_asked(["halting.learning_rate", "batch_size"], start)


def test_another_split_than_that_of_the_weights_is_told(
    stopped: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    finished = replace(load_checkpoint(stopped), training=None)
    config = static_run(Path("x"))
    prepared(config, finished)
    prepared(replace(config, seed=5), replace(finished, classes=()))  # as with a new head
    assert "holds out" not in capsys.readouterr().err
    prepared(replace(config, seed=5), finished)
    assert f"seed is 5, and was {config.seed}" in capsys.readouterr().err


@pytest.mark.parametrize("anew", ["all_phases", "new_head"])
def test_all_phases_begin_with_the_weights_of_a_checkpoint(
    stopped: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, anew: str
) -> None:
    began: dict[str, Any] = {}

    def ended(phase: Phase) -> None:
        began.update({name: value.clone() for name, value in phase.network.state_dict().items()})
        assert (phase.name, phase.steps_done) == ("static", 0)
        raise RestoredError

    monkeypatch.setattr(module, "train_phase", ended)
    start = load_checkpoint(stopped)
    for phase in (start, replace(start, phase="halting", training=None)):
        with pytest.raises(RestoredError):
            run(static_run(tmp_path), start=phase, **{anew: True})
        ours, theirs = (
            {name: value for name, value in weights.items() if name not in HEAD}
            for weights in (began, start.weights)
        )
        assert same_tensors(ours, theirs)
        kept = torch.equal(began["head.weight"], start.weights["head.weight"])
        assert kept == (anew == "all_phases")


def test_a_resumed_run_takes_changes_and_ends_its_schedule(stopped: Path, tmp_path: Path) -> None:
    moved = tmp_path / "last.pt"
    moved.write_bytes(stopped.read_bytes())
    resume(moved, lambda config, start: replace(config, batch_size=32))
    finished = load_checkpoint(tmp_path / "static.pt")
    ((_, changed),) = [(r["step"], r["changed"]) for r in finished.metrics["history"]]
    assert changed == {"batch_size": [64, 32]}
    (row,) = CsvLog(tmp_path / "log.csv", keep=True).rows()
    assert float(row["learning_rate"]) == pytest.approx(0, abs=1e-9)


def test_a_run_is_not_continued_with_another_depth(stopped: Path) -> None:
    with pytest.raises(ConfigError, match=r"model\.depth is 3, and the network .* has 2 blocks"):
        resume(stopped, lambda config, _: replace(config, model=replace(config.model, depth=3)))
