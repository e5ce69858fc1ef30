from __future__ import annotations

import io
import sys
from dataclasses import dataclass

import pytest

from spikehalt.errors import ConfigError
from train.cli.parsing import parse


@dataclass(frozen=True)
class Options:
    """What may be given.

    Attributes:
        depth: how deep.
    """

    depth: int = 3


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--dpeth", "4"], "Unrecognized options: --dpeth, 4; see --depth INT"),
        (["--depth", "x"], "Error parsing --depth: invalid literal for int() with base 10: 'x'; "),
        (["--depth"], "Missing value for argument '--depth'. Expected 1 values"),
    ],
)
def test_a_mistake_is_one_sentence(
    encoding: str, arguments: list[str], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding))
    with pytest.raises(ConfigError) as caught:
        parse(Options, arguments, "python -m tests")
    assert str(caught.value).startswith(message)
    assert str(caught.value).endswith("; python -m tests --help lists the arguments")


def test_help_is_shown_and_leaves(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        parse(Options, ["--help"], "python -m tests")
    assert caught.value.code == 0 and "how deep" in capsys.readouterr().out


def test_options_are_as_given_or_as_they_were() -> None:
    assert parse(Options, ["--depth", "4"], "x") == Options(4)
    assert parse(Options, [], "x", default=Options(5)) == Options(5)
