from __future__ import annotations

import pytest

from train.cli import COMMANDS, main
from train.cli.usage import USAGE, USAGES


def test_every_command_has_a_usage() -> None:
    assert list(USAGES) == list(COMMANDS)
    assert all(usage in USAGE for usage in USAGES.values())


@pytest.mark.parametrize(
    "arguments",
    [
        ["run", "--help"], ["run", "-h"], ["resume", "--help"], ["resume", "last.pt", "-h"],
        ["recipes", "--help"], ["sweep", "--help"], ["sweep", "--over", "seed=1", "-h"],
        ["figure", "--help"], ["import", "--help"], ["import", "x.pth", "--help"],
    ],
)  # fmt: skip
def test_help_shows_the_usage(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 0
    assert USAGES[arguments[0]] in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "option"),
    [
        (["run", "digits", "--help"], "--static.learning-rate"),
        (["sweep", "digits", "-h"], "--static.learning-rate"),
        (["import", "x.pth", "--arch", "sdt-8-768", "--help"], "--merge-gamma"),
        (["figure", "heatmap", "--help"], "--data-path"),
        (["evaluate", "--help"], "--max-drop"),
        (["energy", "--help"], "--constants.mac-pj"),
    ],
)
def test_help_lists_the_options_of_what_is_named(
    arguments: list[str], option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 0
    assert option in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("trian", "no command 'trian'; did you mean "),
        ("evalute", "no command 'evalute'; did you mean 'evaluate'? There are run, resume,"),
        ("xyz", "no command 'xyz'; there are run, resume, recipes"),
        ("", "no command is given; there are run, resume, recipes"),
    ],
)
def test_an_unknown_command_is_named_with_the_nearest(
    name: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([name] if name else []) == 2
    assert message in capsys.readouterr().err


def test_an_option_does_not_take_another_for_its_value(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["import", "x.pth", "--arch", "--out", "y.pt"]) == 2
    assert "--arch needs a value" in capsys.readouterr().err
