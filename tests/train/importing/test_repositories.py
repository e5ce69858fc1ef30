"""Imported networks against the public repositories' own code; see `repositories.py`."""

from __future__ import annotations

from dataclasses import replace

import pytest
from torch import nn

from tests.train.importing.repositories import CASES, FOLDER, VARIABLE, Case, compare, load
from train.config import NAMED_MODELS
from train.importing.variants import VARIANTS
from train.models import SpikingTransformer

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


CONFIGURED = [case for case in CASES if case.config]


@pytest.mark.parametrize("case", CONFIGURED, ids=lambda case: case.config)
def test_what_a_configuration_says_is_what_the_variant_fixes(case: Case) -> None:
    config, variant = case.settings(), VARIANTS[case.variant]
    if not case.variant.startswith("maxformer"):  # whose code has its own heads
        heads = variant.fixed.get("heads") or variant.heads[config["dim"]]
        assert heads == config["num_heads"]
    if "mean" in config:
        assert variant.fixed["pixel_mean"] == tuple(config["mean"])
        assert variant.fixed["pixel_std"] == tuple(config["std"])
        assert variant.preprocessing.crop_share == config["crop_pct"]
        # timm's vision transformers, whose defaults the repositories take, have bicubic.
        assert variant.preprocessing.interpolation == config.get("interpolation", "bicubic")
    size = config.get("img_size") or config.get("input_size")
    assert size is None or variant.fixed["image_size"] == (size, size)
    named = [config[key] for key in ("time_steps", "time_step", "T") if key in config]
    assert named in ([], [variant.fixed["timesteps"]])


STAGED = [case for case in CASES if case.variant.startswith(("maxformer", "qkformer"))]


@pytest.mark.parametrize("case", STAGED, ids=lambda case: f"{case.file}-{case.config}")
def test_parameters_are_theirs_without_biases_that_batchnorm_takes(case: Case) -> None:
    theirs = case.build(load(case.file), case.settings(), 1)
    convs = [each for each in theirs.modules() if isinstance(each, (nn.Conv1d, nn.Conv2d))]
    biases = sum(each.out_channels for each in convs if each.bias is not None)
    fields = VARIANTS[case.variant].fixed
    form, dim = fields["stem.form"], theirs.head.in_features
    alike = (each for each in NAMED_MODELS.values() if each.arch == fields["arch"])
    model = next(each for each in alike if (each.stem.form, each.dim) == (form, dim))
    last = theirs.stage2 if form == "events" else theirs.stage3
    ratio = last[0].mlp.c_hidden / dim
    ours = SpikingTransformer(replace(model, classes=theirs.num_classes, mlp_ratio=ratio))
    assert model.depth == len(last)
    assert count(theirs) - biases == count(ours)


def test_images_of_a_batch_see_each_other_in_qkformers_code_alone() -> None:
    case = next(case for case in CASES if case.alone)
    equal, compared = compare(replace(case, alone=False), timesteps=4, size=32)
    assert equal < compared


def count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def test_every_variant_with_a_repository_is_compared() -> None:
    published = {name for name, each in VARIANTS.items() if "github.com" in each.repository}
    assert {case.variant for case in CASES} == published
