from __future__ import annotations

import pytest
import tyro

from train.cli.evaluating import EvaluateOptions
from train.cli.shares import share


def parsed(*options: str) -> float:
    return tyro.cli(EvaluateOptions, args=["x.pt", *options]).max_drop


def test_a_share_is_a_fraction_or_a_percentage() -> None:
    assert share("0.005") == share("0.5%") == pytest.approx(0.005)
    assert parsed("--max-drop", "1%") == parsed("--max-drop", "0.01") == pytest.approx(0.01)
    assert parsed() == 0.003


@pytest.mark.parametrize("text", ["much", "%", "1%%"])
def test_what_is_no_share_is_refused(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match=r"is no share such as 0\.005 or 0\.5%"):
        share(text)
    with pytest.raises(SystemExit) as caught:
        parsed("--max-drop", text)
    assert caught.value.code == 2
    assert "is no share such as 0.005 or 0.5%" in " ".join(capsys.readouterr().err.split())


def test_the_help_says_the_default_and_that_of_calibration(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        parsed("--help")
    said = capsys.readouterr().out
    assert "(default: 0.003)" in said and "calibrate" in said
