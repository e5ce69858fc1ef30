from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import adapt
from tests.train.samples import quick_run
from train.loop.run import run


@pytest.fixture(scope="module")
def static(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("static")
    config = quick_run(out, model={"depth": 3}, halting={"epochs": 0})
    return Path(run(config).checkpoints["static"])


def test_all_methods_stand_in_one_table(
    static: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, figure = tmp_path / "out", tmp_path / "curve.svg"
    options = ["--static", str(static), "--images", "40", "--tokens", "0.6", "--count", "32"]
    assert adapt.main([*options, "--out", str(out), "--figure", str(figure)]) == 0
    said = capsys.readouterr().out
    for words in ("static", "random", "fixed, by activity", "STATA-like", "forecasts"):
        assert words in said
    assert figure.stat().st_size > 1000
    found = {path.stem: json.loads(path.read_text()) for path in out.glob("*.json")}
    assert found["static"]["tokens"] == 1 and found["static"]["ms"] > 0
    for name, point in found.items():
        assert len(point["labels"]) == 40
        assert name == "static" or point["tokens"] == pytest.approx(0.6, abs=0.06), name


def test_finished_points_are_not_measured_again(
    static: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    points = {"static": 0.9, "random-0.5": 0.5, "activity-0.5": 0.5, "anchor-0.5": 0.5}
    for name, tokens in {**points, "forecast-0.5": 0.25}.items():
        stored = {"labels": [0, 1, 2], "tokens": tokens, "ms": 1.5}
        (tmp_path / f"{name}.json").write_text(json.dumps(stored))
    options = ["--static", str(static), "--images", "3", "--tokens", "0.5"]
    assert adapt.main([*options, "--out", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert "0.250" in said and "100.00%" in said
