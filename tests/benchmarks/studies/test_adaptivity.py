"""What the comparison of halting variants computes; nothing is trained."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from benchmarks.common.adaptivity_table import VARIANTS, Variant
from benchmarks.studies import adaptivity
from spikehalt.strict import build, to_dict
from train.config import TrainConfig
from train.data import Dataset
from train.data.base import Split
from train.measure.exits import Trace
from train.recipes import load_recipe, merge

BY_NAME = {variant.name: variant for variant in VARIANTS}


def split(count: int) -> Split:
    """Images whose label is their number."""
    return Split(torch.zeros(count, 1, 2, 2, dtype=torch.uint8), torch.arange(count))


def data(train: int = 40, validation: int = 600, test: int = 30) -> Dataset:
    return Dataset(split(train), split(validation), split(test), ("a", "b"))


def arguments(*more: str) -> argparse.Namespace:
    return adaptivity.parser().parse_args(["static.pt", *more])


def trace(*live: float) -> Trace:
    """T 2, two blocks of eight tokens; each image's live tokens, and right in the end alone."""
    per_image = torch.tensor(live, dtype=torch.float32)[:, None, None].expand(-1, 2, 2)
    images = len(live)
    right = torch.tensor([[False] * images, [True] * images])
    scores = torch.zeros(2, images)
    return Trace(right, scores, scores, scores, per_image.clone(), 8)


def of_recipe(variant: Variant) -> TrainConfig:
    return build(TrainConfig, merge(to_dict(load_recipe("digits")), variant.changes))


def test_variants_have_names_and_words_of_their_own() -> None:
    assert len(BY_NAME) == len({variant.what for variant in VARIANTS}) == len(VARIANTS)


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.name)
def test_a_variant_changes_a_recipe_in_nothing_but_the_loss_its_weight_and_the_score(
    variant: Variant,
) -> None:
    base, changed = to_dict(load_recipe("digits")), to_dict(of_recipe(variant))
    differing = {key for key in base if base[key] != changed[key]}
    assert differing <= {"loss", "halting", "model"}
    assert changed["model"] == merge(base["model"], variant.changes.get("model", {}))
    assert set(variant.changes.get("model", {})) <= {"halting"}
    halting = {key for key in base["halting"] if base["halting"][key] != changed["halting"][key]}
    assert halting <= {"ponder_weight"}


def test_the_first_variant_is_the_recipe() -> None:
    assert VARIANTS[0].changes == {}


@pytest.mark.parametrize("name", [name for name in BY_NAME if name.endswith("-through")])
def test_every_price_is_compared_with_and_without_a_straight_through_gradient(name: str) -> None:
    through, without = of_recipe(BY_NAME[name]), of_recipe(BY_NAME[name.removesuffix("-through")])
    assert through.loss.straight_through == 0.25
    assert without.loss.straight_through == load_recipe("digits").loss.straight_through
    assert through.loss.price == without.loss.price
    assert through.halting.ponder_weight == without.halting.ponder_weight


@pytest.mark.parametrize("name", ["budget", "budget-through"])
def test_the_words_of_a_budget_are_its_figures(name: str) -> None:
    loss = of_recipe(BY_NAME[name]).loss
    assert loss.price == "budget"
    assert f"budget {loss.token_target:g} ± {loss.token_spread * 100:.0f} %" in BY_NAME[name].what


def test_the_words_of_a_certainty_price_are_its_power() -> None:
    loss = of_recipe(BY_NAME["certainty"]).loss
    assert (loss.price, loss.price_power) == ("certainty", 2.0)
    assert "p²" in BY_NAME["certainty"].what


def test_a_subset_has_the_first_training_images() -> None:
    found = adaptivity.subset(data(), arguments("--images", "7"))
    assert found.train.labels.tolist() == list(range(7))
    assert found.classes == ("a", "b")


def test_a_subset_of_more_images_than_there_are_is_all() -> None:
    found = adaptivity.subset(data(validation=9), arguments("--images", "99"))
    assert (len(found.train), len(found.validation), len(found.test)) == (40, 9, 30)


def test_a_log_gets_at_most_500_validation_images() -> None:
    assert len(adaptivity.subset(data(), arguments()).validation) == 500


def test_test_images_are_drawn_without_repeats_and_the_same_every_time() -> None:
    drawn = [
        adaptivity.subset(data(), arguments("--test-images", "12")).test.labels.tolist()
        for _ in range(2)
    ]
    assert drawn[0] == drawn[1] and len(set(drawn[0])) == 12
    assert drawn[0] != sorted(drawn[0])


def test_fewer_test_images_are_the_first_of_more() -> None:
    few, many = (
        adaptivity.subset(data(), arguments("--test-images", count)).test.labels.tolist()
        for count in ("5", "20")
    )
    assert many[:5] == few


def figures(
    monkeypatch: pytest.MonkeyPatch, found: Trace, confidence: list[float]
) -> dict[str, Any]:
    monkeypatch.setattr(adaptivity, "record", lambda network, part: found)
    network: Any = SimpleNamespace()
    return adaptivity.figures_of(network, data(), torch.tensor(confidence))


def test_tokens_are_the_share_that_all_timesteps_use(monkeypatch: pytest.MonkeyPatch) -> None:
    found = figures(monkeypatch, trace(8, 4, 2, 2), [0.1, 0.2, 0.3, 0.4])
    assert found["tokens"] == pytest.approx((1 + 0.5 + 0.25 + 0.25) / 4)
    assert (found["first_accuracy"], found["accuracy"]) == (0.0, 1.0)
    assert found["blocks"] == "0.50 0.50"


def test_the_quarter_that_is_least_sure_is_compared_with_the_surest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Eight images, two in a quarter, in no order."""
    confidence = [0.9, 0.1, 0.5, 0.8, 0.2, 0.4, 0.6, 0.3]
    found = figures(monkeypatch, trace(1, 8, 4, 3, 6, 4, 4, 4), confidence)
    assert found["hardest"] == pytest.approx((8 + 6) / 2 / 8)
    assert found["easiest"] == pytest.approx((1 + 3) / 2 / 8)
    assert found["ratio"] == pytest.approx(3.5)
    assert found["rank_correlation"] < -0.9


def test_the_same_computation_for_all_follows_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    found = figures(monkeypatch, trace(4, 4, 4, 4), [0.1, 0.2, 0.3, 0.4])
    assert (found["ratio"], found["rank_correlation"], found["deviation"]) == (1.0, 0.0, 0.0)


def test_figures_can_be_written_and_fill_the_tables_row(monkeypatch: pytest.MonkeyPatch) -> None:
    found = figures(monkeypatch, trace(8, 4, 2, 2), [0.1, 0.2, 0.3, 0.4])
    row = adaptivity.Row("budget", json.loads(json.dumps(found)), "a budget")
    assert adaptivity.table(arguments()).cells(row) == [
        "a budget", "0.00%", "100.00%", "0.500", "4.00", "-0.95", "0.306", "0.50 0.50",
    ]  # fmt: skip


def test_the_title_says_how_much_was_trained_and_tested() -> None:
    title = adaptivity.table(arguments("--epochs", "3", "--images", "4000")).title
    assert "3 halting epoch(s) on at most 4,000 images" in title and "2,000 test images" in title


def test_an_unknown_variant_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        arguments("--only", "nobody")
    assert "certainty-through" in capsys.readouterr().err


def test_finished_variants_are_read_and_not_trained_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The second is missing: it is trained, measured and written beside the first."""
    trained = []
    done = {"first_accuracy": 0.5, "accuracy": 0.75, "blocks": "0.40"}
    (tmp_path / "one.json").write_text(json.dumps(done))

    def train(variant: Variant, *_: object) -> None:
        trained.append(variant.name)

    run = to_dict(load_recipe("digits"))
    static = SimpleNamespace(run=run, network=lambda: None)
    scores = SimpleNamespace(confidence=torch.zeros(1, 2))
    monkeypatch.setattr(adaptivity, "load_checkpoint", lambda _: static)
    monkeypatch.setattr(adaptivity, "load_data", lambda *_: data())
    monkeypatch.setattr(adaptivity, "record", lambda *_: scores)
    monkeypatch.setattr(adaptivity, "train", train)
    monkeypatch.setattr(adaptivity, "figures_of", lambda *_: {**done, "accuracy": 0.8125})
    only = ["--only", "one", "certainty", "--out", str(tmp_path)]
    assert adaptivity.main(["static.pt", *only]) == 0
    assert trained == ["certainty"]
    assert json.loads((tmp_path / "certainty.json").read_text())["accuracy"] == 0.8125
    text = capsys.readouterr().out
    assert "75.00%" in text and "81.25%" in text
