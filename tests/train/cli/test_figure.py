from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.train.cli.calling import call
from tests.train.samples import quick_run
from train.cli import main
from train.loop.run import run
from train.measure import energy_report
from train.measure.evaluate import evaluate


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("trained")
    run(quick_run(out, model={"merge_gamma": 1}))
    return out


@pytest.mark.parametrize(
    ("kind", "files"),
    [
        ("heatmap", ["halting.pt"]),
        ("tokens", ["halting.pt"]),
        ("tradeoff", ["halting.pt"]),
        ("tradeoff", ["static.pt"]),
        ("energy", ["static.pt", "halting.pt"]),
        ("curves", [""]),
        ("redundancy", ["static.pt", "static.pt"]),
        ("rates", ["halting.pt"]),
    ],
)
def test_each_figure_is_drawn_from_a_trained_model(
    trained: Path, tmp_path: Path, kind: str, files: list[str]
) -> None:
    out = tmp_path / "figure.png"
    paths = [str(trained / name) for name in files]
    assert main(["figure", kind, *paths, "--out", str(out), "--count", "8"]) == 0
    assert out.stat().st_size > 2000


def test_the_count_bounds_all_work_of_the_energy_figure(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = []

    def counted(network: Any, images: Any, **options: Any) -> Any:
        taken.append(len(images))
        return evaluate(network, images, **options)

    monkeypatch.setattr(energy_report, "evaluate", counted)
    command = ["figure", "energy", str(trained / "static.pt"), "--out", str(tmp_path / "e.png")]
    assert main([*command, "--count", "8"]) == main(command) == 0
    assert taken[0] == 8 < taken[1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "the following arguments are required: KIND, FILE, --out"),
        (["pie", "x", "--out", "x.png"], "invalid choice: 'pie' (choose from 'heatmap', 'tokens'"),
        (["curves", "--out", "x.png"], "the following arguments are required: FILE"),
        (["curves", "x"], "the following arguments are required: --out"),
        (["curves", "nowhere", "--out", "x.png"], "nowhere does not exist"),
        (["tokens", "a.pt", "b.pt", "--out", "x.png"], "this figure shows one checkpoint, not 2"),
        (["tokens", "a.pt", "--out", "/dev/null/x.png"], "/dev/null is no folder; name a file in"),
        (["tokens", "a.pt", "--out", "x.txt"], "x.txt must end in one of .png"),
    ],
)
def test_what_is_wrong_is_said(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(["figure", *arguments]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--count", "-3", "count is -3, must be >= 1"),
        ("--epsilon", "1", "epsilon is 1.0, must be in [0, 1)"),
    ],
)
def test_a_number_that_makes_no_sense_is_refused(
    option: str, value: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["figure", "tradeoff", "x.pt", "--out", "x.png", option, value]) == 2
    assert message in capsys.readouterr().err


def test_a_table_that_is_no_log_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other.csv"
    other.write_text("a,b\n1,2\n")
    assert main(["figure", "curves", str(other), "--out", str(tmp_path / "x.png")]) == 2
    assert "other.csv is no log of a run: it has no numbers in column" in capsys.readouterr().err
