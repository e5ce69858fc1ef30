from __future__ import annotations

import argparse
from collections.abc import Callable

import pytest

from spikehalt import console
from spikehalt.commands import FAILED, Parser, above_zero, whole


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


@pytest.mark.parametrize(
    ("kind", "text", "said"),
    [
        (whole(1, 9), "10", "10 is not in 1..9"),
        (whole(0), "-1", "-1 is not in 0..2147483647"),
        (whole(0), "1.5", "'1.5' is not a whole number"),
        (above_zero(60), "0", "0 is not above 0 and at most 60"),
        (above_zero(60), "nan", "nan is not above 0"),
        (float, "1e400", "'1e400' is not finite"),
        (float, "1e30", "'1e30' is beyond 2^53"),
        (int, "9" * 5000, f"invalid int value: '{'9' * 80}…'"),
    ],
)
def test_numbers_are_bounded_and_the_message_stays_short(
    kind: Callable[[str], float], text: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    parser = Parser(prog="p")
    parser.add_argument("--number", type=kind)
    with pytest.raises(SystemExit):
        parser.parse_args([f"--number={text}"])
    assert f"error: argument --number: {said}" in capsys.readouterr().err
