from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from spikehalt.errors import ConfigError
from train.architectures import ARCHITECTURES
from train.config import TrainConfig
from train.models import SpikingTransformer, named_model
from train.recipes import load_recipe, merge, recipe_names

PAPERS = {  # (alpha, beta, gamma, stem)
    "cifar10-at-snn": (5.0, -10.0, 25, "sps"),
    "cifar10-at-snn-32": (5.0, -10.0, 32, "sps"),
    "cifar10-stas": (-5.0, 0.0, 0, "isps"),
    "cifar10-stas-spikingformer": (5.0, -25.0, 0, "isps"),
    "cifar100-stas-spikingformer": (5.0, -25.0, 0, "isps"),
    "imagenet-stas": (-5.0, 0.0, 0, "isps"),
}


@pytest.mark.parametrize("name", PAPERS)
def test_recipes_hold_the_papers_values(name: str) -> None:
    config = load_recipe(name)
    model, halting = config.model, config.model.halting
    found = (halting.alpha, halting.beta, model.merge_gamma, model.stem.kind)
    assert found == PAPERS[name] and (model.timesteps, halting.epsilon) == (4, 0.01)
    assert config.halting.ponder_weight == (1e-4 if "imagenet" in name else 1e-3)


PUBLISHED = {  # epochs, batch, peak, last rate, warm-up epochs, weight decay, erasing, mixup's end
    "cifar10-static": (300, 128, 5e-4, 1e-5, 20, 0.06, 0.25, 200),
    "cifar10-spikingformer-static": (400, 64, 5e-4, 1e-5, 20, 0.06, 0.25, 200),
    "cifar10-sdt-static": (300, 64, 3e-4, 1e-5, 20, 0.06, 0.0, 200),
    "cifar10-maxformer-static": (400, 128, 1.5e-3, 1e-5, 20, 0.06, 0.25, 200),
    "imagenet-maxformer-static": (200, 512, 2.7e-3, 2.5e-6, 5, 0.05, 0.25, 0),
    "cifar10-qkformer-static": (400, 64, 1e-3, 1e-5, 20, 0.06, 0.25, 200),
    "imagenet-qkformer-static": (200, 576, 1.35e-3, 1e-6, 5, 0.05, 0.25, 0),
    "cifar100-spikingformer-static": (400, 64, 5e-4, 1e-5, 20, 0.06, 0.25, 200),
    "cifar100-sdt-static": (300, 64, 3e-4, 1e-5, 20, 0.06, 0.0, 200),
    "cifar100-maxformer-static": (400, 64, 1.5e-3, 1e-5, 20, 0.06, 0.25, 250),
    "cifar100-qkformer-static": (400, 64, 1e-3, 1e-5, 20, 0.06, 0.25, 200),
    "imagenet-spikingformer-static": (300, 288, 5e-4, 1e-5, 20, 0.05, 0.25, 0),
    "cifar10-dvs-maxformer-static": (106, 16, 5e-3, 1e-5, 10, 0.06, 0.0, 0),
    "dvs128-gesture-maxformer-static": (160, 16, 5e-3, 1e-5, 10, 0.06, 0.0, 0),
    "cifar10-dvs-qkformer-static": (106, 16, 5e-3, 1e-5, 10, 0.06, 0.0, 0),
    "imagenet-espikeformer-static": (150, 1024, 2.4e-3, 1e-6, 10, 0.05, 0.25, 0),
    "imagenet-static": (300, 192, 5e-4, 1e-5, 20, 0.05, 0.25, 0),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_static_schedules_are_those_of_the_published_repositories(name: str) -> None:
    config = load_recipe(name)
    static, augment = config.static, config.data.augment
    epochs, batch, rate, last, warmup, decay, erased, unmixed_from = PUBLISHED[name]
    assert (static.epochs, config.batch_size, static.learning_rate) == (epochs, batch, rate)
    assert (config.weight_decay, augment.erase) == (decay, erased)
    assert augment.mixup_off_epoch == unmixed_from
    assert static.learning_rate * static.final_fraction == pytest.approx(last, rel=0.01)
    assert static.epochs * static.warmup_fraction == pytest.approx(warmup, rel=0.01)


HALTING = [name for name in recipe_names() if name.endswith("-halting")]
SCORES = {"qkformer": (5.0, -10.0)}  # blocks as Spikformer's; all others add currents


@pytest.mark.parametrize("name", HALTING)
def test_halting_goes_on_from_the_static_recipe_of_the_architecture(name: str) -> None:
    config, static = load_recipe(name), load_recipe(name.replace("-halting", "-static"))
    model, halting = config.model, config.model.halting
    assert replace(model, halting=static.model.halting) == static.model and model.depth > 1
    assert (config.static, config.data) == (static.static, static.data)
    assert (config.batch_size, config.loss) == (static.batch_size, static.loss)
    assert (halting.mode, halting.epsilon) == ("block_time", 0.01)
    assert (halting.alpha, halting.beta) == SCORES.get(model.arch, (5.0, -25.0))
    assert config.halting.ponder_weight == (1e-4 if "imagenet" in name else 1e-3)


def test_every_architecture_has_a_recipe_whose_tokens_halt() -> None:
    found = [load_recipe(name) for name in recipe_names()]
    assert {each.model.arch for each in found if each.halting.epochs} == set(ARCHITECTURES)


@pytest.mark.parametrize("name", ["cifar10-dvs-maxformer-static", "cifar10-dvs-qkformer-static"])
def test_event_recipes_train_the_papers_models(name: str) -> None:
    model = load_recipe(name).model
    papers = named_model(f"{model.arch}-2-256")
    assert model.stem.form == papers.stem.form  # which says all of the stages
    assert replace(model, stem=papers.stem) == papers


@pytest.mark.parametrize("name", recipe_names())
def test_every_recipe_loads_and_its_network_can_be_built(name: str) -> None:
    import torch

    config = load_recipe(name)
    with torch.device("meta"):
        SpikingTransformer(config.model)
    assert config.static.epochs + config.halting.epochs > 0
    assert config.out == f"runs/{name}"


@pytest.mark.parametrize("arch", ["maxformer", "qkformer", "espikeformer", "sdt", "spikingformer"])
def test_recipes_of_an_architecture_are_called_after_it(arch: str) -> None:
    found = {name for name in recipe_names() if load_recipe(name).model.arch == arch}
    assert found == {name for name in recipe_names() if arch in name.split("-")}


@pytest.mark.parametrize("name", [name for name in recipe_names() if name.endswith("-short")])
def test_a_short_recipe_differs_in_its_schedule(name: str) -> None:
    short, full = load_recipe(name), load_recipe(name.removesuffix("-short"))
    assert short.static.epochs + short.halting.epochs < 0.5 * (
        full.static.epochs + full.halting.epochs
    )
    off, full_off = (c.data.augment.mixup_off_epoch / c.static.epochs for c in (short, full))
    assert off == pytest.approx(full_off) or not short.data.augment.mixup
    assert short.model.dim == full.model.dim and short.data.path == full.data.path
    # The frames in the folder are as many as the full recipe's timesteps.
    assert short.model.input == "image" or short.model.timesteps == full.model.timesteps


SHORT_ALREADY = {  # minutes to hours on two CPU cores as they are
    "digits",
    "cifar10-small",
    "cifar10-small-merging",
    "cifar10-small-silent",
    "cifar10-medium",
    "tiny-imagenet-medium",
    "dvs128-objects",
}


def test_every_papers_recipe_has_a_short_schedule_beside_it() -> None:
    names = set(recipe_names())
    full = {name for name in names if not name.endswith("-short")}
    assert {name for name in full if f"{name}-short" not in names} == SHORT_ALREADY


def test_a_short_schedule_merges_the_same_share_of_fewer_tokens() -> None:
    short, full = (load_recipe(f"imagenet-at-snn{end}").model for end in ("-short", ""))
    share = full.merge_gamma / full.tokens
    assert short.merge_gamma / short.tokens == pytest.approx(share, rel=0.05)


def test_a_recipe_without_a_short_schedule_says_so() -> None:
    with pytest.raises(ConfigError, match="recipe 'digits' has no short schedule"):
        load_recipe("digits-short")


def write(path: Path, text: str) -> str:
    path.write_text(text)
    return str(path)


def test_a_recipe_may_name_a_model_and_change_fields_of_it(tmp_path: Path) -> None:
    path = write(
        tmp_path / "r.yaml", "model: {name: spikformer-4-384, timesteps: 2, lif: {tau: 1.5}}"
    )
    model = load_recipe(path).model
    assert (model.dim, model.timesteps, model.lif.tau) == (384, 2, 1.5)
    assert model.lif.threshold == named_model("spikformer-4-384").lif.threshold


def test_a_recipe_may_build_on_another(tmp_path: Path) -> None:
    path = write(tmp_path / "r.yaml", "base: digits\nseed: 7\nmodel: {depth: 2}")
    config, base = load_recipe(path), load_recipe("digits")
    assert (config.seed, config.model.depth) == (7, 2)
    assert config.static == base.static


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("modle: {}", "unknown key 'modle'; did you mean 'model'"),
        ("model: {name: spikfomer-4-384}", "Did you mean 'spikformer-4-384'"),
        ("- a\n- b", "must hold a mapping"),
        ("a: [", "is not valid YAML"),
        ("base: digit", "no recipe 'digit'. Did you mean 'digits'"),
    ],
)
def test_a_wrong_recipe_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_recipe(write(tmp_path / "r.yaml", text))


def test_an_empty_recipe_is_the_default(tmp_path: Path) -> None:
    assert load_recipe(write(tmp_path / "r.yaml", "")) == TrainConfig(out="runs/r")


def test_an_unknown_recipe_gets_the_nearest_and_the_list() -> None:
    with pytest.raises(ConfigError, match=r"no recipe 'digts'. Did you mean 'digits'\? `python -m"):
        load_recipe("digts")


def test_merging_goes_key_by_key() -> None:
    assert merge({"a": {"b": 1, "c": 2}, "d": 3}, {"a": {"b": 5}, "d": {"e": 1}}) == {
        "a": {"b": 5, "c": 2},
        "d": {"e": 1},
    }
