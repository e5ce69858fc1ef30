"""What the demo makes of its figures, without training anything."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from benchmarks import demo
from benchmarks.common.table import Row

GOOD = {
    "static": (0.98, 1.0, 4.0),
    "halting": (0.97, 0.7, 4.0),
    "halting + merging": (0.96, 0.6, 4.0),
    "halting + early exit": (0.968, 0.7, 1.6),
}


def rows(**changed: tuple[float, float, float]) -> list[Row]:
    figures = GOOD | {name.replace("_", " "): value for name, value in changed.items()}
    return [row(name, *figures[name]) for name in GOOD]


def row(name: str, accuracy: float, tokens: float, timesteps: float) -> Row:
    rest = {"images_per_s": 1234.5, "energy_mj": 0.0123}
    return Row(name, {"accuracy": accuracy, "tokens": tokens, "timesteps": timesteps, **rest})


def test_good_figures_meet_every_expectation() -> None:
    assert demo.verdicts(rows()) == dict.fromkeys(demo.EXPECTED, True)


@pytest.mark.parametrize(
    ("missed", "figures"),
    [
        ("static", (0.9699, 1.0, 4.0)),
        ("halting", (0.9649, 0.7, 4.0)),
        ("halting", (0.97, 0.81, 4.0)),
    ],
)
def test_an_expectation_that_is_missed_is_named(
    missed: str, figures: tuple[float, float, float]
) -> None:
    met = demo.verdicts(rows(**{missed: figures}))
    assert not met[missed]


def test_merging_has_to_save_tokens_and_exits_have_to_keep_the_accuracy() -> None:
    dear = {"halting + merging": (0.96, 0.7, 4.0), "halting + early exit": (0.9649, 0.7, 1.6)}
    met = demo.verdicts([row(name, *(GOOD | dear)[name]) for name in GOOD])
    assert met == {
        "static": True, "halting": True, "halting + merging": False,
        "halting + early exit": False,
    }  # fmt: skip
    late = demo.verdicts([row(name, *(GOOD | {"halting + early exit": (0.97, 0.7, 2.1)})[name])
                          for name in GOOD])  # fmt: skip
    assert not late["halting + early exit"]


def test_the_table_shows_microjoules_and_whole_images() -> None:
    cells = demo.table().cells(rows()[1])
    assert cells == ["halting", "97.00%", "0.700", "4.00", "1,234", "12.30"]


def test_early_exit_runs_the_halting_bundle_with_its_calibrated_policy() -> None:
    bundles = {name: Path(name) for name in ("static", "halting", "merging")}
    found = [(each.name, each.bundle.name, each.policy) for each in demo.candidates(bundles)]
    assert found == [
        ("static", "static", "never"),
        ("halting", "halting", "never"),
        ("halting + merging", "merging", "never"),
        ("halting + early exit", "halting", None),
    ]


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[Row]:
    """The command with the figures of this list."""
    found = rows()
    bundles = {name: Path(name) for name in ("static", "halting", "merging")}
    monkeypatch.setattr(demo, "train_and_export", lambda *_: bundles)
    monkeypatch.setattr(demo, "load_data", lambda *_: SimpleNamespace(validation=None))
    monkeypatch.setattr(demo, "choose_threshold", lambda *_: None)
    monkeypatch.setattr(demo, "measure", lambda *_: found)
    monkeypatch.setattr(demo.torch, "set_num_threads", lambda _: None)
    return found


@pytest.mark.parametrize("words", [[], ["--check"]])
def test_the_status_is_0_when_everything_is_met(measured: list[Row], words: list[str]) -> None:
    with demo.console.capture() as captured:
        assert demo.main(words) == 0
    assert captured.get().count("met: ") == 4


def test_a_missed_expectation_is_a_failure_only_where_it_is_checked(measured: list[Row]) -> None:
    measured[0] = row("static", 0.5, 1.0, 4.0)
    with demo.console.capture() as captured:
        assert (demo.main([]), demo.main(["--check"])) == (0, 1)
    assert "MISSED: static: accuracy ≥ 97 %" in captured.get()
