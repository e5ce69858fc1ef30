from __future__ import annotations

import argparse

import pytest

from spikehalt import console
from spikehalt.commands import FAILED, Parser


def parser() -> Parser:
    """Two commands; `run` has options of several words."""
    top = Parser(prog="tool")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    run = commands.add_parser("run")
    run.add_argument("--max-drop", type=float)
    run.add_argument("--model.mlp-ratio", type=float)
    run.add_argument("--split", choices=("test", "validation"))
    commands.add_parser("resume")
    return top


@pytest.mark.parametrize("given", ["--model.mlp-ratio", "--model.mlp_ratio", "--max_drop"])
@pytest.mark.parametrize("equals", [True, False])
def test_words_of_an_option_may_be_joined_by_underscores(given: str, equals: bool) -> None:
    found = parser().parse_args(["run", *([f"{given}=2"] if equals else [given, "2"])])
    assert vars(found)[given.strip("-").replace("-", "_")] == 2.0


def test_a_value_keeps_its_underscores() -> None:
    tool = Parser(prog="tool")
    tool.add_argument("--out")
    assert tool.parse_args(["--out=a_b"]) == argparse.Namespace(out="a_b")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("run --max-dorp 1", "unknown option --max-dorp (did you mean --max-drop?)"),
        ("run --max-dorp=1", "unknown option --max-dorp (did you mean --max-drop?)"),
        ("run --xyz", "unknown option --xyz"),
        ("run --split tset", "(did you mean test?)"),
        ("run --max-drop x", "argument --max-drop: invalid float value: 'x'"),
        ("run 3", "unrecognized arguments: 3"),
        ("resmue", "(did you mean resume?)"),
        ("", "the following arguments are required: COMMAND"),
    ],
)
def test_a_mistake_is_one_line_that_names_the_nearest(
    line: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        parser().parse_args(line.split())
    assert caught.value.code == FAILED
    (said,) = capsys.readouterr().err.splitlines()
    command = "tool run" if line.startswith("run --") else "tool"
    assert said.startswith("error: ") and message in said
    assert said.endswith(f"; {command} --help lists the arguments")


@pytest.mark.parametrize("line", ["--quiet run", "run --quiet"])
def test_quiet_may_stand_anywhere_and_holds_for_one_command_line(line: str) -> None:
    found = parser().parse_args(line.split())
    assert console.is_quiet() and "quiet" not in vars(found)
    parser().parse_args(["run"])
    assert not console.is_quiet()
