from __future__ import annotations

import argparse
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pytest

from spikehalt.commands import FAILED, Parser
from spikehalt.errors import ConfigError
from train.cli.options.fields import (
    Original,
    add_changes,
    add_fields,
    given,
    named,
    read_changes,
    read_fields,
)
from train.config import require


@dataclass(frozen=True)
class Inner:
    """A part.

    Attributes:
        mlp_ratio: 4 means 400% of
            the width.
        on: a switch.
    """

    mlp_ratio: float = 4.0
    on: bool = True

    def __post_init__(self) -> None:
        require(self.mlp_ratio > 0, f"mlp_ratio is {self.mlp_ratio}, must be positive")


@dataclass(frozen=True)
class Whole:
    """Everything.

    Attributes:
        depth: how deep.
        kind: which.
        reset: or none.
        compile: or as it comes.
        sizes: any number.
        pair: two.
        names: of these.
        out: a file.
    """

    depth: int = 3
    kind: Literal["sps", "isps"] = "sps"
    reset: float | None = 0.0
    compile: bool | None = None
    sizes: tuple[int, ...] = ()
    pair: tuple[bool, bool] = (True, False)
    names: tuple[Literal["a", "b"], ...] = ("a",)
    out: Path | None = None
    inner: Inner = field(default_factory=Inner)


@dataclass(frozen=True)
class Asked:
    """What a command takes.

    Attributes:
        files: some.
        out: where to.
        json: or text.
    """

    files: tuple[str, ...] = given(positional=True, nargs="+", metavar="FILE")
    out: Path = given(metavar="FILE")
    json: bool = False


def changed(*arguments: str, original: Whole = Whole()) -> Whole:
    parser = Parser(prog="tool")
    add_changes(parser, Whole)
    return read_changes(original, parser.parse_args(arguments))


def asked(*arguments: str) -> Asked:
    parser = Parser(prog="tool")
    add_fields(parser, Asked)
    return read_fields(Asked, parser.parse_args(arguments))


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], Whole()),
        (["--depth", "4"], Whole(depth=4)),
        (["--kind", "isps"], Whole(kind="isps")),
        (["--reset", "none"], Whole(reset=None)),
        (["--reset", "-0.5"], Whole(reset=-0.5)),
        (["--compile", "False"], Whole(compile=False)),
        (["--sizes", "1", "2", "3"], Whole(sizes=(1, 2, 3))),
        (["--pair", "false", "true"], Whole(pair=(False, True))),
        (["--names", "b", "a"], Whole(names=("b", "a"))),
        (["--names"], Whole(names=())),
        (["--out", "x"], Whole(out=Path("x"))),
        (["--inner.mlp-ratio", "2"], Whole(inner=Inner(2.0))),
        (["--inner.mlp_ratio=2", "--inner.no-on"], Whole(inner=Inner(2.0, on=False))),
        (["--inner.no_on", "--inner.on"], Whole()),
    ],
)
def test_each_type_is_read(arguments: list[str], expected: Whole) -> None:
    assert changed(*arguments) == expected


def test_what_is_not_given_stays_as_it_was() -> None:
    original = Whole(depth=9, inner=Inner(8.0, on=False))
    assert changed("--inner.on", original=original) == Whole(depth=9, inner=Inner(8.0))
    assert changed(original=original) == original


def test_fields_without_a_default_must_be_given() -> None:
    assert asked("a", "b", "--out", "x") == Asked(("a", "b"), Path("x"))
    assert asked("a", "--out", "x", "--json").json
    with pytest.raises(SystemExit):
        asked("a")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--dpeth", "4"], "unknown option --dpeth (did you mean --depth?)"),
        (["--inner.mlp"], "unknown option --inner.mlp"),
        (["--mlp-ratio", "4"], "(did you mean --inner.mlp-ratio?)"),
        (["--depth", "x"], "argument --depth: invalid int value: 'x'"),
        (["--depth"], "argument --depth: expected one argument"),
        (["--reset", "x"], "argument --reset: invalid float value: 'x'"),
        (["--kind", "spss"], "invalid choice: 'spss'"),
        (["--compile", "maybe"], "'maybe' is neither true nor false"),
        (["--pair", "true"], "argument --pair: expected 2 arguments"),
        (["--names", "c"], "invalid choice: 'c'"),
    ],
)
def test_a_mistake_is_one_line(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        changed(*arguments)
    assert caught.value.code == FAILED
    (said,) = capsys.readouterr().err.splitlines()
    assert said.startswith("error: ") and message in said


def test_a_value_that_a_part_refuses_is_named_with_the_part() -> None:
    with pytest.raises(ConfigError, match=r"^inner: mlp_ratio is 0\.0, must be positive"):
        changed("--inner.mlp-ratio", "0")


def test_help_has_every_key_with_its_docstring_and_default(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as caught:
        changed("--help")
    said = " ".join(capsys.readouterr().out.split())
    assert caught.value.code == 0
    assert "--depth INT how deep (default: 3)" in said
    assert "--kind {sps,isps} which (default: sps)" in said
    assert "--compile {true,false}|none or as it comes (default: none)" in said
    assert "inner: A part." in said
    assert "--inner.mlp-ratio FLOAT 4 means 400% of the width (default: 4.0)" in said
    assert "--inner.on, --inner.no-on a switch (default: true)" in said


def preset(name: str) -> Whole:
    if name != "deep":
        raise ConfigError(f"no preset {name!r}")
    return Whole(depth=30, inner=Inner(on=False))


def with_preset(*arguments: str) -> argparse.Namespace:
    parser = Parser(prog="tool")
    parser.add_argument("preset", action=Original, type=named(preset))
    add_changes(parser, Whole, without=("sizes",))
    return parser.parse_args(arguments)


def test_help_behind_what_is_changed_has_its_values(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        with_preset("deep", "--help")
    said = " ".join(capsys.readouterr().out.split())
    assert "how deep (default: 30)" in said and "a switch (default: false)" in said
    assert "--sizes" not in said


def test_what_is_changed_is_read_by_its_name(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = with_preset("deep", "--inner.on")
    assert read_changes(arguments.preset, arguments) == Whole(depth=30)
    with pytest.raises(SystemExit):
        with_preset("flat")
    assert "error: argument preset: no preset 'flat'; tool --help" in capsys.readouterr().err
