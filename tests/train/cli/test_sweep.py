from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from spikehalt.strict import to_dict
from tests.train.cli.calling import call
from tests.train.samples import quick_run
from train.cli import main


def test_a_sweep_prints_a_row_per_point(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = tmp_path / "recipe.yaml"
    config = quick_run(tmp_path / "out", halting={"epochs": 0})
    recipe.write_text(yaml.safe_dump(to_dict(config)))
    assert main(["sweep", str(recipe), "--over", "seed=1,2", "--model.depth", "1"]) == 0
    said = capsys.readouterr().out
    assert (
        "at t = 2" in said
        and "tokens" in said
        and (tmp_path / "out" / "seed=2" / "static.pt").exists()
    )
    rows = (tmp_path / "out" / "sweep.csv").read_text().splitlines()[1:]
    assert [row.split(",")[0] for row in rows] == ["1", "2"]


def test_json_has_every_point(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = tmp_path / "recipe.yaml"
    config = quick_run(tmp_path / "out", halting={"epochs": 0}, model={"depth": 1})
    recipe.write_text(yaml.safe_dump(to_dict(config)))
    assert main(["sweep", str(recipe), "--over", "seed=1", "--json"]) == 0
    (point,) = json.loads(capsys.readouterr().out)
    assert point["values"] == {"seed": 1} and Path(point["checkpoint"]).is_file()


def test_without_an_axis_there_is_nothing_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["sweep", "digits"]) == 2
    assert "the following arguments are required: --over" in capsys.readouterr().err
