from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import train as benchmark
from train.config import ModelConfig, StemConfig
from train.models.registry import NAMED_MODELS

SMALL = ModelConfig(depth=1, dim=16, heads=2, image_size=(16, 16), stem=StemConfig(kind="sps"))


def test_every_candidate_is_measured_under_the_same_conditions(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(NAMED_MODELS, "small", SMALL)
    out = tmp_path / "figures.json"
    options = benchmark.Options(model="small", batch=4, steps=1, rounds=2, json=out)
    figures = benchmark.main(options)
    assert [figure.name for figure in figures] == ["spikingjelly", "ours"]
    assert figures[0].ratio == figures[0].cpu_ratio == 1.0
    for figure in figures:
        assert 0 < figure.lowest <= figure.images_per_s <= figure.highest
        assert figure.cpu_ms > 0
    stored = json.loads(out.read_text())
    assert stored["figures"][1]["images_per_s"] == figures[1].images_per_s
    said = capsys.readouterr().out
    assert "batch 4" in said and "SpikingJelly" in said


def test_ratios_are_medians_over_rounds() -> None:
    turn = benchmark.Turn
    rounds = [
        {"spikingjelly": turn(1.0, 9.0), "ours": turn(2.0, 3.0)},
        {"spikingjelly": turn(10.0, 8.0), "ours": turn(30.0, 4.0)},
        {"spikingjelly": turn(2.0, 8.0), "ours": turn(8.0, 2.0)},
    ]
    figure = benchmark._figure("ours", rounds)
    assert (figure.ratio, figure.images_per_s) == (3.0, 8.0)
    assert (figure.lowest, figure.highest) == (2.0, 30.0)
    assert (figure.cpu_ms, figure.cpu_ratio) == (3.0, 3.0)
