from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from benchmarks import zoo
from benchmarks.common.table import Row
from benchmarks.common.trained import ZOO
from benchmarks.zoo import RESULTS, SETS, TOLERANCES, compare, worth
from export.bundle.write import export_bundle
from export.options import ExportOptions
from runtime import Result
from runtime.bundle.read import Bundle
from tests.runtime.manifests import small_manifest
from train.checkpoint import load_checkpoint

RECORDED = {"static": {"accuracy": 0.78, "top5": 0.9, "tokens": 1.0, "timesteps": 4.0}}
SAME = Row("static", RECORDED["static"] | {"images_per_s": 100.0, "energy_mj": 0.01})


def test_the_same_figures_differ_in_nothing() -> None:
    assert compare("a", [SAME], RECORDED) == []


@pytest.mark.parametrize("figure", TOLERANCES)
def test_a_figure_that_moved_is_named_with_both_values(figure: str) -> None:
    moved = replace(SAME, figures={**SAME.figures, figure: SAME[figure] + 2 * TOLERANCES[figure]})
    (line,) = compare("a", [moved], RECORDED)
    assert line.startswith(f"a, static: {figure} is ") and "recorded is" in line


def test_a_table_with_other_lines_is_refused() -> None:
    (line,) = compare("a", [replace(SAME, name="other")], RECORDED)
    assert "other, static" in line and "--update" in line


@pytest.mark.parametrize("name", SETS)
def test_every_line_is_recorded_and_its_checkpoint_ships(name: str) -> None:
    recorded = json.loads(RESULTS.read_text())
    assert list(recorded) == list(SETS)
    assert list(recorded[name]) == [entry.name for entry in SETS[name].entries]
    for file in {f"{entry.checkpoint}.pt" for entry in SETS[name].entries}:
        checkpoint = load_checkpoint(ZOO / name / file)
        assert len(checkpoint.classes) == checkpoint.model.classes
        assert checkpoint.metrics["firing_rates"]
        assert (ZOO / name / file).stat().st_size <= 1e7


def test_a_line_tells_its_error_its_exits_and_whether_computation_follows_the_image() -> None:
    """Four images, T 2, one block of four tokens; the unsure ones run on."""
    live = np.array([[[4], [0]], [[4], [0]], [[4], [4]], [[4], [2]]], np.int32)
    manifest = small_manifest(timesteps=2, tokens=4, tokens_per_block=(4,), classes=("a", "b"))
    zeros = np.zeros((4, 2), np.float32)
    result = Result(
        logits=zeros, probabilities=zeros, labels=np.zeros(4, np.int64),
        timesteps=np.array([1, 1, 2, 2]), live_tokens=live, halt_score=zeros[:, 0],
        manifest=manifest,
    )  # fmt: skip
    row = Row("static", {"accuracy": 0.5})
    found = worth(row, result, torch.tensor([0.9, 0.8, 0.1, 0.3]))
    assert found["standard_error"] == 0.25 and found["exits"] == "0.50 0.50"
    assert found["hard_over_easy"] == 2.0 and found["rank_correlation"] < -0.8


def test_a_zoo_checkpoint_exports(tmp_path) -> None:  # type: ignore[no-untyped-def]
    target = tmp_path / "zoo.bundle"
    export_bundle(ZOO / "cifar10-small" / "halting.pt", target, ExportOptions(precision="int8"))
    assert Bundle.open(target).manifest.name == "spikformer-3-96"


@pytest.mark.parametrize("figure", TOLERANCES)
@pytest.mark.parametrize("sign", [-1, 1])
def test_a_figure_within_its_tolerance_is_the_same(figure: str, sign: int) -> None:
    near = SAME[figure] + sign * 0.9 * TOLERANCES[figure]
    assert compare("a", [replace(SAME, figures={**SAME.figures, figure: near})], RECORDED) == []


def test_speed_and_energy_are_not_compared() -> None:
    slow = replace(SAME, figures={**SAME.figures, "images_per_s": 1.0, "energy_mj": 9.0})
    assert compare("a", [slow], RECORDED) == []


def test_every_figure_that_moved_has_a_sentence_of_its_own() -> None:
    figures = {**RECORDED["static"], "accuracy": 0.7, "tokens": 0.5}
    lines = compare("a", [Row("static", figures)], RECORDED)
    assert lines == [
        "a, static: accuracy is 0.7000, recorded is 0.7800",
        "a, static: tokens is 0.5000, recorded is 1.0000",
    ]


def test_a_line_that_was_not_recorded_is_named_alone() -> None:
    (line,) = compare("a", [SAME, replace(SAME, name="new")], RECORDED)
    assert "(new)" in line


@pytest.mark.parametrize("name", SETS)
def test_a_table_begins_with_the_static_network_that_never_exits(name: str) -> None:
    """Its confidence is what the difficulty of images is measured by."""
    first = SETS[name].entries[0]
    assert (first.checkpoint, first.precision, first.exits) == ("static", "fp32", False)


@pytest.mark.parametrize("name", SETS)
def test_every_checkpoint_has_a_line_with_and_one_without_early_exit(name: str) -> None:
    entries = SETS[name].entries
    kinds = [(entry.checkpoint, entry.options) for entry in entries]
    for kind in kinds:
        exits = [entry.exits for entry in entries if (entry.checkpoint, entry.options) == kind]
        assert exits == [False, True]
    assert all(("early exit" in entry.name) == entry.exits for entry in entries)
    assert all(("τ" in entry.name) == (entry.merge_threshold is not None) for entry in entries)
    assert all(("int8" in entry.name) == (entry.precision == "int8") for entry in entries)


def test_recorded_early_exits_run_fewer_timesteps() -> None:
    recorded = json.loads(RESULTS.read_text())
    for name, part in SETS.items():
        found = [(entry, recorded[name][entry.name]["timesteps"]) for entry in part.entries]
        whole = {(e.checkpoint, e.options): steps for e, steps in found if not e.exits}
        for entry, steps in found:
            assert steps <= whole[entry.checkpoint, entry.options]


def test_a_tables_row_shows_accuracy_with_its_error_and_energy_in_microjoules() -> None:
    more = {"standard_error": 0.0041, "hard_over_easy": 1.5, "rank_correlation": -0.25}
    row = replace(SAME, figures={**SAME.figures, **more, "exits": "0.50 0.50"})
    shown = zoo.table("cifar10-small", 10_000)
    assert shown.title.startswith("cifar10-small, 10,000 test images of CIFAR-10")
    expected = [
        "static", "78.00%", "0.41%", "1.000", "4.00", "100", "10.0", "1.50", "-0.25", "0.50 0.50",
    ]  # fmt: skip
    assert shown.cells(row) == expected
    many = zoo.table("tiny-imagenet-medium", 10_000)
    assert many.cells(row) == [*expected[:3], "90.00%", *expected[3:]]


def test_the_true_class_counts_among_the_five_most_probable() -> None:
    probabilities = np.array([[0.3, 0.25, 0.2, 0.1, 0.09, 0.06], [0.06, 0.09, 0.1, 0.2, 0.25, 0.3]])
    labels = np.array([4, 0])
    assert zoo.among_five(probabilities.astype(np.float32), labels) == 0.5


def test_every_set_has_an_option_for_its_images() -> None:
    arguments = zoo.parser().parse_args([])
    assert all(getattr(arguments, part.option) is None for part in SETS.values())
    assert not arguments.update


@pytest.fixture
def results(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A recorded table of one line, which is measured again as SAME."""
    path = tmp_path / "results.json"
    path.write_text(json.dumps({"cifar10-small": RECORDED, "dvs128-objects": {"kept": {}}}))
    more = {"standard_error": 0.0, "hard_over_easy": 1.0, "rank_correlation": 0.0, "exits": ""}
    row = replace(SAME, figures={**SAME.figures, **more})
    monkeypatch.setattr(zoo, "RESULTS", path)
    monkeypatch.setattr(zoo, "images_of", lambda *_: SimpleNamespace(test=range(5)))
    monkeypatch.setattr(zoo, "evaluate", lambda *_: [row])
    return path


def test_the_command_succeeds_where_figures_are_those_recorded(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert zoo.main(["--data", "images.zip", "--only", "cifar10-small"]) == 0
    assert "every figure is that of zoo/results.json" in capsys.readouterr().out


def test_the_command_fails_where_a_figure_differs_and_records_nothing(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    moved = {"cifar10-small": {"static": {**RECORDED["static"], "accuracy": 0.9}}}
    results.write_text(json.dumps(moved))
    assert zoo.main(["--data", "images.zip"]) == 1
    assert "accuracy is 0.7800, recorded is 0.9000" in capsys.readouterr().out
    assert json.loads(results.read_text()) == moved


def test_a_set_without_top_5_records_none() -> None:
    figures = {"accuracy": 0.7, "tokens": 0.5, "timesteps": 4.0, "images_per_s": 1.0}
    assert list(zoo.compared(Row("static", figures))) == ["accuracy", "tokens", "timesteps"]


def test_an_update_records_the_compared_figures_and_keeps_other_sets(results: Path) -> None:
    results.write_text(json.dumps({"dvs128-objects": {"kept": {}}}))
    assert zoo.main(["--data", "images.zip", "--only", "cifar10-small", "--update"]) == 0
    expected = {"dvs128-objects": {"kept": {}}, "cifar10-small": RECORDED}
    assert json.loads(results.read_text()) == expected
