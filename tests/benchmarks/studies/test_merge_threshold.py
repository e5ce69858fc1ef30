"""What the robustness curve of merging measures; nothing is trained."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from benchmarks.studies import merge_threshold
from benchmarks.studies.merge_threshold import NONE, Measured, Setting
from tests.train.samples import lively_network, random_images, tiny_model
from train.checkpoint import Checkpoint, save_checkpoint
from train.config import ModelConfig
from train.data import Split
from train.measure.evaluate import evaluate

IMAGES = 7


def checkpoint_of(config: ModelConfig) -> Checkpoint:
    classes = tuple(map(str, range(config.classes)))
    return Checkpoint(config, lively_network(config).state_dict(), classes, "halting")


def images_of(config: ModelConfig) -> Split:
    return Split(random_images(config, IMAGES), torch.arange(IMAGES) % config.classes)


def test_no_merging_every_threshold_and_every_rate_are_settings() -> None:
    arguments = merge_threshold.parser().parse_args(["x.pt", "--thresholds", "0.5", "0.9"])
    found = merge_threshold.settings_of(ModelConfig(), arguments)
    assert [setting.name for setting in found] == [
        "none", "τ 0.9", "τ 0.5", "γ 5", "γ 11", "γ 16", "γ 26", "γ 32",
    ]  # fmt: skip


def test_the_checkpoints_own_merging_is_among_them() -> None:
    words = ["x.pt", "--thresholds", "0.5", "--gammas", "5"]
    arguments = merge_threshold.parser().parse_args(words)
    rate = merge_threshold.settings_of(ModelConfig(merge_gamma=25), arguments)
    assert [setting.name for setting in rate] == ["none", "τ 0.5", "γ 5", "γ 25"]
    similar = merge_threshold.settings_of(ModelConfig(merge_threshold=0.75), arguments)
    assert [setting.name for setting in similar] == ["none", "τ 0.75", "τ 0.5", "γ 5"]


def test_a_setting_takes_the_place_of_whatever_merged() -> None:
    model = ModelConfig(merge_gamma=25)
    assert not Setting(NONE).applied_to(model).merges
    assert Setting("τ", 0.9).applied_to(model) == model.merged_at(0.9)
    assert Setting("γ", 5).applied_to(model.merged_at(0.9)) == ModelConfig(merge_gamma=5)


def test_figures_are_those_of_each_network_whatever_the_batch() -> None:
    config = tiny_model(halting="block_time")
    checkpoint, images = checkpoint_of(config), images_of(config)
    settings = [Setting(NONE), Setting("τ", 0.8), Setting("γ", 3)]
    for batch in (3, 64):
        found = merge_threshold.measure(checkpoint, settings, images, batch)
        for setting, each in zip(settings, found, strict=True):
            network = lively_network(setting.applied_to(config))
            wanted = evaluate(network, images)
            assert float(each.correct.double().mean()) == pytest.approx(wanted.accuracy[-1])
            assert float(each.tokens.mean()) == pytest.approx(wanted.average_tokens)
    assert found[1].tokens.mean() < found[0].tokens.mean()


def test_a_change_of_accuracy_is_told_from_paired_images() -> None:
    """Two images right before and wrong now, one the other way round."""
    without = Measured(torch.tensor([1, 1, 1, 0]) > 0, torch.ones(4).double())
    merged = Measured(torch.tensor([0, 0, 1, 1]) > 0, torch.tensor([0.2, 0.4, 0.4, 0.6]).double())
    settings = [Setting(NONE), Setting("γ", 25)]
    first, second = merge_threshold.rows_of(
        "n", ModelConfig(merge_gamma=25), settings, [without, merged]
    )
    assert (first["accuracy"], first["change"], first["change_error"]) == (0.75, 0, 0)
    assert (second["change"], second["tokens"]) == (-0.25, pytest.approx(0.4))
    assert second["change_error"] == pytest.approx(torch.tensor([-1.0, -1, 0, 1]).std() / 2)
    assert (first.what, second.what) == ("none", "γ 25 (as trained)")


def test_tables_rows_and_pictures_are_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tiny_model(halting="block_time", merge_threshold=0.8)
    save_checkpoint(tmp_path / "halting.pt", checkpoint_of(config))
    monkeypatch.setattr(merge_threshold, "test_images", lambda *_: images_of(config))
    rows, picture = tmp_path / "rows.json", tmp_path / "curves.svg"
    words = ["--thresholds", "0.5", "--gammas", "3", "--json", str(rows), "--plot", str(picture)]
    assert merge_threshold.main([str(tmp_path / "halting.pt"), *words]) == 0
    assert "τ 0.8 (as trained)" in capsys.readouterr().out
    written = json.loads(rows.read_text())
    assert [(row["kind"], row["value"]) for row in written] == [
        ("none", 0.0), ("τ", 0.8), ("τ", 0.5), ("γ", 3),
    ]  # fmt: skip
    assert "merging by τ" in picture.read_text() and "merging by γ" in picture.read_text()
