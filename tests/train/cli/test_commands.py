from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from train.cli import COMMANDS, build_parser, main

ROOT = Path(__file__).parents[3]
HEAVY = ("torch", "numpy", "lightning_fabric", "spikingjelly", "kornia")
# Prints the exit status of a command, and what it loaded of what is slow.
LOADED = """
import sys
from train.cli import main
try:
    status = main({line!r})
except SystemExit as stop:
    status = stop.code
print(status, sorted(set({heavy!r}) & set(sys.modules)))
"""


@pytest.mark.parametrize("word", ["--help", "-h"])
def test_help_names_every_command(word: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main([word])
    assert caught.value.code == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines if line.startswith("    ") and line[4] != " "] == [
        *COMMANDS
    ]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run", "--help"], "--static.learning-rate FLOAT"),
        (["run", "digits", "-h"], "(default: runs/digits)"),
        (["resume", "last.pt", "-h"], "the run's last.pt"),
        (["recipes", "--help"], "list the recipes"),
        (["sweep", "digits", "--over", "seed=1", "-h"], "(default: runs/digits)"),
        (["import", "--help"], "--merge-gamma INT"),
        (["import", "x.pth", "--from", "sdt-imagenet", "--help"], "[--from NAME]"),
        (
            ["figure", "heatmap", "--help"],
            "heatmap, tokens, tradeoff, energy, curves, redundancy or rates",
        ),
        (["evaluate", "--help"], "--max-drop SHARE"),
        (["energy", "--help"], "--constants.mac-pj FLOAT"),
    ],
)
def test_help_lists_the_options_and_the_values_of_what_is_named(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 0
    assert said in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["evalute"], "invalid choice: 'evalute'"),
        (["evalute"], "(did you mean evaluate?)"),
        ([], "the following arguments are required: COMMAND"),
        (["import", "x.pth", "--from", "--out", "y.pt"], "argument --from: expected one argument"),
        (["run", "digits", "--model.dpeth", "3"], "(did you mean --model.depth?)"),
    ],
)
def test_a_mistake_is_one_line(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    (said,) = capsys.readouterr().err.splitlines()
    assert message in said


@pytest.mark.parametrize(
    "line",
    ["--help", "run digits --help", "evalute", "run digts", "run digits --modle.dim 3",
     "evaluate x.pt --batch 0", "import x --arch sdt-2-257"],
)  # fmt: skip
def test_help_and_mistakes_do_not_wait_for_heavy_imports(line: str) -> None:
    process = subprocess.run(
        [sys.executable, "-c", LOADED.format(line=line.split(), heavy=HEAVY)],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    assert process.stdout.splitlines()[-1] == f"{0 if '--help' in line else 2} []"


def test_the_recipes_are_listed_without_pytorch() -> None:
    code = (
        "import sys\nsys.modules['torch'] = None\nfrom train.cli import main\n"
        "assert main(['recipes']) == 0"
    )
    process = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert "digits\n" in process.stdout, process.stderr


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        (["--help"], "COMMAND"),
        (["run", "digits", "--help"], "--static.learning-rate"),
        (["run", "ε"], r"error: argument RECIPE: no recipe '\u03b5'"),
    ],
)
def test_letters_that_an_output_lacks_do_not_stop_a_command(
    arguments: list[str], shown: str
) -> None:
    process = subprocess.run(
        [sys.executable, "-m", "train", *arguments],
        capture_output=True, cwd=ROOT, env={**os.environ, "PYTHONIOENCODING": "ascii"},
    )  # fmt: skip
    assert process.returncode == (2 if "ε" in arguments else 0), process.stderr
    assert b"Traceback" not in process.stderr
    assert shown in (process.stderr if "ε" in arguments else process.stdout).decode("ascii")


def test_an_output_that_cannot_be_set_up_is_written_to(monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.StringIO()
    monkeypatch.setattr(sys, "stdout", out)
    assert main(["recipes"]) == 0
    assert "digits" in out.getvalue().split()


def test_the_parser_is_that_of_all_commands() -> None:
    arguments = build_parser().parse_args(["resume", "last.pt"])
    assert (arguments.command, arguments.checkpoint) == ("resume", "last.pt")
