from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from benchmarks.common.table import Row
from benchmarks.common.trained import ZOO
from benchmarks.zoo import RESULTS, SETS, TOLERANCES, compare, worth
from export.bundle.write import export_bundle
from export.options import ExportOptions
from runtime import Result
from runtime.bundle.read import Bundle
from tests.runtime.manifests import small_manifest
from train.checkpoint import load_checkpoint

RECORDED = {"static": {"accuracy": 0.78, "tokens": 1.0, "timesteps": 4.0}}
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
