from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.train.cli.calling import call
from tests.train.samples import quick_run
from train.baselines.build import build_network
from train.checkpoint import load_checkpoint
from train.cli import main
from train.data import a_few
from train.loop.run import run
from train.measure.constants import Constants
from train.measure.energy import energy_by_module
from train.measure.energy_report import energy_report
from train.measure.evaluate import evaluate
from train.measure.firing_rates import measure_firing_rates
from train.measure.splits import checkpoint_data
from train.models import SpikingTransformer


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("trained")
    run(quick_run(out))
    return out


def test_static_and_halting_are_compared_per_module(
    trained: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    out = tmp_path / "energy.json"
    paths = [str(trained / "static.pt"), str(trained / "halting.pt")]
    assert main(["energy", *paths, "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert "4.6 pJ per multiply-accumulate, 0.9 pJ per accumulate" in said
    assert "memory access is left out, as in the papers" in said
    assert "dense int8" in said and "2.5 pJ per byte of SRAM" in said
    static, halting = json.loads(out.read_text())["reports"]
    assert static["with_memory"]["int8"]["operations_mj"] > 0
    assert static["dense_with_memory"]["fp32"]["membranes_mj"] == 0
    assert [row["block"] for row in halting["overhead"]] == [1, 2] and static["overhead"] == []
    names = [module["module"] for module in static["modules"]]
    assert names == ["SPS", "SSA", "MLP", "halting", "head"]
    assert static["modules"][3]["energy_mj"] == 0 < halting["modules"][3]["energy_mj"]
    assert 0 < static["density"] < 1 and "density of spikes" in said
    assert static["total_mj"] == pytest.approx(sum(m["energy_mj"] for m in static["modules"]))


def test_memory_access_costs_more_and_is_said(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    totals = []
    for options in ([], ["--constants.memory-pj-per-byte", "1.25"]):
        out = tmp_path / "energy.json"
        assert main(["energy", str(trained / "static.pt"), "--out", str(out), *options]) == 0
        totals.append(json.loads(out.read_text())["reports"][0]["total_mj"])
    assert totals[1] > totals[0]
    assert "1.25 pJ per byte moved: 4 bytes of weight per operation" in capsys.readouterr().out


def test_one_pass_over_as_many_images_as_asked_for_gives_everything(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    forward = SpikingTransformer.forward

    def counted(network: SpikingTransformer, images: Tensor, epsilon: float | None = None) -> Any:
        seen.append(len(images))
        return forward(network, images, epsilon)

    monkeypatch.setattr(SpikingTransformer, "forward", counted)
    assert main(["energy", str(trained / "halting.pt"), "--count", "70"]) == 0
    assert sum(seen) == 70


def test_firing_rates_are_those_of_the_margin_asked_for(trained: Path, tmp_path: Path) -> None:
    checkpoint = load_checkpoint(trained / "halting.pt")
    report = energy_report(str(trained / "halting.pt"), Constants(), count=20, epsilon=0.9)
    halting = replace(checkpoint.model.halting, epsilon=0.9)
    network = build_network(replace(checkpoint.model, halting=halting))
    network.load_state_dict(checkpoint.weights)
    images = checkpoint_data(checkpoint).test
    rates = measure_firing_rates(network, images, images=20)
    tokens = evaluate(network.eval(), images.take(a_few(images, 20))).tokens_per_block
    expected = energy_by_module(network, rates, torch.tensor(tokens), Constants())
    assert [each.acs for each in report.modules] == pytest.approx([each.acs for each in expected])


def test_json_is_what_the_file_has(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "energy.json"
    options = ["--count", "8", "--json", "--out", str(out)]
    assert main(["energy", str(trained / "static.pt"), *options]) == 0
    printed = capsys.readouterr().out
    assert len(json.loads(printed)["reports"]) == 1 and out.read_text() == printed


@pytest.mark.parametrize("count", ["0", "-1"])
def test_firing_rates_need_an_image(count: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["energy", "x.pt", "--count", count]) == 2
    assert f"count is {count}, must be >= 1" in capsys.readouterr().err


def test_a_file_in_no_folder_is_refused_before_the_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["energy", "x.pt", "--out", str(tmp_path / "nope" / "x")]) == 2
    said = capsys.readouterr().err
    assert "does not exist; make it" in said and "x.pt" not in said


def test_without_a_checkpoint_there_is_nothing_to_measure(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert call(["energy"]) == 2
    assert "the following arguments are required: CKPT" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--epsilon", "1.5", "epsilon is 1.5, must be in [0, 1)"),
        ("--constants.mac-pj", "-1", "mac_pj is -1.0, must be >= 0"),
    ],
)
def test_a_number_that_makes_no_sense_is_refused(
    option: str, value: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["energy", "x.pt", option, value]) == 2
    assert message in capsys.readouterr().err
