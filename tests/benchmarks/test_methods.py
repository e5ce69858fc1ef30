from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import yaml

from benchmarks import methods
from benchmarks.common.method_table import METHODS, SAME_TOKENS
from benchmarks.common.table import Row
from benchmarks.methods import base_config, configuration, main, matching_shares, named
from spikehalt.strict import to_dict
from tests.train.samples import quick_run
from train.checkpoint import Checkpoint
from train.config import ModelConfig, TrainConfig
from train.measure.evaluate import Evaluation
from train.measure.exits import Trace
from train.models import SpikingTransformer


def base(out: Path, recipe: str = "cifar10-small") -> TrainConfig:
    arguments = argparse.Namespace(
        recipe=recipe, data="cifar10.zip", out=str(out), epochs=5, halting_epochs=2
    )
    return base_config(arguments)


def test_every_method_is_a_run_of_its_own(tmp_path: Path) -> None:
    config = base(tmp_path)
    runs = {}
    for method in METHODS:
        run = configuration(method, config, (1.0, 0.5, 0.25) if method.what == SAME_TOKENS else ())
        runs[method.name] = run
        assert (run.static.epochs, run.halting.epochs) == ((0, 2) if method.start else (5, 0))
        assert Path(run.out).parent == tmp_path
        if method.start:
            start = runs[method.start]
            assert run.model.static() == start.model.static(), "its start would not fit"
    plain = [
        {key: value for key, value in to_dict(run).items() if key != "out"} for run in runs.values()
    ]
    assert all(plain.count(run) == 1 for run in plain)
    assert len({run.out for run in runs.values()}) == len(runs)


@pytest.mark.parametrize(
    ("method", "key", "value"),
    [
        ("TET", "loss.tet", True), ("SML", "loss.surrogate_modules", 0.5),
        ("DT-SNN", "loss.anytime", 1.0), ("SPS", "model.stem.kind", "sps"),
        ("all tokens", "model.drop.keep", (1.0, 1.0, 1.0)),
        ("halting 1-D", "model.halting.mode", "block"), ("AT-SNN γ 25", "model.merge_gamma", 25),
        ("STAS, 3 δ_p", "halting.ponder_weight", pytest.approx(0.45)),
    ],
)  # fmt: skip
def test_a_method_changes_what_it_is_named_after(
    tmp_path: Path, method: str, key: str, value: object
) -> None:
    found: object = configuration(named(method), base(tmp_path))
    for part in key.split("."):
        found = getattr(found, part)
    assert found == value


def test_fixed_rates_have_the_average_of_the_adaptive_run() -> None:
    tokens = ((64.0, 40.0, 20.0), (30.0, 20.0, 10.0))
    found = Evaluation(
        accuracy=(0.5, 0.6), average_tokens=0.4792, tokens_per_block=tokens, images=1
    )
    shares = matching_shares(found, 64)
    assert shares[0] == 1 and sorted(shares, reverse=True) == list(shares)
    assert sum(shares) / 3 == pytest.approx(0.4792, abs=1e-3)
    assert shares[1] / shares[2] == pytest.approx(2.0, rel=1e-3)


def test_few_tokens_are_one_at_least() -> None:
    found = Evaluation((0.5,), average_tokens=0.2, tokens_per_block=((20.0, 10.0, 8.0),), images=1)
    assert matching_shares(found, 64) == (1.0, *[pytest.approx(1 / 64, abs=1e-4)] * 2)


def test_a_network_whose_exits_all_cost_too_much_is_shown_without_any(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """On the validation images whoever leaves at t = 1 is wrong; the test images differ."""
    model = ModelConfig(depth=1, dim=8, heads=1, timesteps=2)
    surest = torch.tensor([[0.9, 0.8], [0.5, 0.6]])
    seen = Trace(
        torch.tensor([[0, 0], [1, 1]]).bool(), surest, 1 - surest, surest, torch.ones(2, 2, 1), 1
    )
    tested = replace(seen, entropy=torch.zeros(2, 2))
    traces = {"validation": seen, "test": tested}
    monkeypatch.setattr(methods, "record", lambda network, split, epsilon: traces[split])
    monkeypatch.setattr(methods, "average_energy_mj", lambda *_: 0.1)
    checkpoint = Checkpoint(model, SpikingTransformer(model).state_dict(), (), "halting")
    data: Any = SimpleNamespace(validation="validation", test="test")
    row = methods.row_of("STAS", "", checkpoint, data, epsilon=0.1)
    assert (row["exit_accuracy"], row["exit_timesteps"]) == (1.0, 2.0)


def test_what_is_asked_for_is_trained_with_what_it_needs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = tmp_path / "quick.yaml"
    recipe.write_text(yaml.safe_dump(to_dict(replace(quick_run(tmp_path), precision="fp32"))))
    out, figures = tmp_path / "runs", tmp_path / "rows.json"
    arguments = ["--recipe", str(recipe), "--out", str(out), "--epochs", "1"]
    arguments += ["--halting-epochs", "1", "--only", "random", "STAS", "--json", str(figures)]
    assert main(arguments) == 0
    assert sorted(path.name for path in out.iterdir()) == ["anytime", "random", "stas"]
    rows = {row["name"]: row for row in json.loads(figures.read_text())}
    assert list(rows) == ["random", "STAS", "STAS, ε 0.1", "STAS, ε 0.3"]
    assert rows["random"]["tokens"] == pytest.approx(rows["STAS"]["tokens"], abs=0.1)
    assert rows["STAS, ε 0.3"]["tokens"] <= rows["STAS"]["tokens"] <= 1
    assert all(row["energy_mj"] > 0 and row["exit_timesteps"] <= 2 for row in rows.values())
    capsys.readouterr()
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*.pt")}
    assert main(arguments) == 0
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*.pt")} == before


def shown(accuracy: list[float]) -> list[str]:
    figures = {
        "accuracy": accuracy, "tokens": 0.4792, "energy_mj": 0.01234, "exit_accuracy": 0.7,
        "exit_timesteps": 1.456,
    }  # fmt: skip
    return methods.table(base(Path("out")), 10_000).cells(Row("STAS", figures, "halting"))


def test_the_table_shows_the_first_two_timesteps_and_the_last() -> None:
    assert shown([0.5, 0.6, 0.65, 0.7]) == [
        "STAS", "halting", "50.00%", "60.00%", "70.00%", "0.479", "12.3", "70.00%", "1.46",
    ]  # fmt: skip


def test_a_network_of_one_timestep_repeats_it() -> None:
    assert shown([0.5])[2:5] == ["50.00%"] * 3


def test_the_title_tells_epochs_and_images() -> None:
    title = methods.table(base(Path("out")), 10_000).title
    assert "5 epochs, token methods 2 more" in title and "10,000 test images" in title


def test_energy_is_of_all_timesteps(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    class Model:
        def energy_mj(self, live: torch.Tensor, steps: torch.Tensor) -> torch.Tensor:
            asked.append(steps)
            return torch.tensor([0.1, 0.3])

    monkeypatch.setattr(methods, "energy_model", lambda network, rates: Model())
    trace: Any = SimpleNamespace(correct=torch.ones(4, 2), live_tokens=torch.ones(4, 2, 1))
    checkpoint: Any = SimpleNamespace(metrics={"firing_rates": {}})
    network: Any = None
    assert methods.average_energy_mj(network, checkpoint, trace) == pytest.approx(0.2)
    assert asked[0].tolist() == [4, 4]


def test_further_margins_are_rows_of_the_same_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        methods, "row_of", lambda name, what, *rest: Row(name, {"epsilon": rest[-1]}, what)
    )
    checkpoint: Any = SimpleNamespace(model=ModelConfig())
    data: Any = None
    rows = methods.rows_of(named("STAS"), checkpoint, data)
    assert [(row.name, row["epsilon"]) for row in rows] == [
        ("STAS", ModelConfig().halting.epsilon), ("STAS, ε 0.1", 0.1), ("STAS, ε 0.3", 0.3),
    ]  # fmt: skip
    assert [row.what for row in rows[1:]] == ["the same network"] * 2
