from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.train.cli.calling import call
from tests.train.samples import quick_run
from train.cli import main
from train.loop.run import run


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
