"""Imported networks against the public repositories' own code; see `repositories.py`."""

from __future__ import annotations

import pytest

from tests.train.importing.repositories import CASES, FOLDER, VARIABLE, Case, compare
from train.importing.variants import VARIANTS

pytestmark = pytest.mark.skipif(
    not FOLDER.is_dir(), reason=f"no public repositories: name a folder of checkouts in {VARIABLE}"
)
RUNS = [
    pytest.param(case, timesteps, size, id=f"{case.file}-{case.variant}-{timesteps}-{size}")
    for case in CASES
    for timesteps in case.timesteps
    for size in case.sizes
]


@pytest.mark.parametrize(("case", "timesteps", "size"), RUNS)
def test_logits_are_those_of_the_repositorys_code(case: Case, timesteps: int, size: int) -> None:
    equal, compared = compare(case, timesteps, size)
    assert equal == compared


@pytest.mark.parametrize("case", [case for case in CASES if case.config], ids=lambda c: c.variant)
def test_what_a_configuration_says_is_what_the_variant_fixes(case: Case) -> None:
    config, variant = case.settings(), VARIANTS[case.variant]
    heads = {**variant.heads, **dict.fromkeys([config["dim"]], variant.fixed.get("heads"))}
    if "heads" not in variant.fixed:
        heads = dict(variant.heads)
    assert heads[config["dim"]] == config["num_heads"]
    if "mean" in config:
        assert variant.fixed["pixel_mean"] == tuple(config["mean"])
        assert variant.fixed["pixel_std"] == tuple(config["std"])
        assert variant.preprocessing.crop_share == config["crop_pct"]
        assert variant.preprocessing.interpolation == config["interpolation"]
    assert variant.fixed["image_size"] == (config.get("img_size", 224),) * 2
    timesteps = config.get("time_steps", config.get("time_step", 4))
    assert variant.fixed["timesteps"] == timesteps


def test_every_variant_with_a_repository_is_compared() -> None:
    published = {name for name, each in VARIANTS.items() if "github.com" in each.repository}
    assert {case.variant for case in CASES} == published
