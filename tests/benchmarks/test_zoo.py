from __future__ import annotations

import json
from dataclasses import replace

import pytest

from benchmarks.common.table import Row
from benchmarks.common.trained import ZOO
from benchmarks.zoo import ENTRIES, RESULTS, TOLERANCES, compare
from export.bundle.write import export_bundle
from export.options import ExportOptions
from runtime.bundle.read import Bundle
from train.checkpoint import load_checkpoint

RECORDED = {"static": {"accuracy": 0.78, "tokens": 1.0, "timesteps": 4.0}}
SAME = Row("static", RECORDED["static"] | {"images_per_s": 100.0, "energy_mj": 0.01})


def test_the_same_figures_differ_in_nothing() -> None:
    assert compare([SAME], RECORDED) == []


@pytest.mark.parametrize("figure", TOLERANCES)
def test_a_figure_that_moved_is_named_with_both_values(figure: str) -> None:
    moved = replace(SAME, figures={**SAME.figures, figure: SAME[figure] + 2 * TOLERANCES[figure]})
    (line,) = compare([moved], RECORDED)
    assert line.startswith(f"static: {figure} is ") and "recorded is" in line


def test_a_table_with_other_lines_is_refused() -> None:
    (line,) = compare([replace(SAME, name="other")], RECORDED)
    assert "other, static" in line and "--update" in line


def test_every_line_is_recorded_and_its_checkpoint_ships() -> None:
    recorded = json.loads(RESULTS.read_text())
    assert list(recorded) == [entry.name for entry in ENTRIES]
    for entry in ENTRIES:
        path = ZOO / "cifar10-small" / f"{entry.checkpoint}.pt"
        checkpoint = load_checkpoint(path)
        assert len(checkpoint.classes) == 10 and checkpoint.metrics["firing_rates"]
        assert path.stat().st_size <= 5e6


def test_a_zoo_checkpoint_exports(tmp_path) -> None:  # type: ignore[no-untyped-def]
    target = tmp_path / "zoo.bundle"
    export_bundle(ZOO / "cifar10-small" / "halting.pt", target, ExportOptions(precision="int8"))
    assert Bundle.open(target).manifest.name == "spikformer-3-96"
