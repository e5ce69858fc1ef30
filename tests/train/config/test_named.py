from __future__ import annotations

import pytest
import torch

from spikehalt.errors import ConfigError
from train.config import ARCHITECTURES, ModelConfig
from train.models import NAMED_MODELS, SpikingTransformer, named_model


@pytest.mark.parametrize("name", NAMED_MODELS)
def test_names_say_architecture_depth_and_width(name: str) -> None:
    arch, depth, dim = name.split("-")
    config = named_model(name)
    before = config.architecture.forms.get(config.stem.form)
    blocks = config.depth + (before.blocks if before else 0)
    assert (config.arch, blocks, config.dim) == (arch, int(depth), int(dim))
    assert config.name == name


@pytest.mark.parametrize(
    ("name", "ours", "theirs", "trained"),
    [  # weights in D^2 of a block's chains: four layers as 3 each, and a first layer as 2
        ("espikeformer-12-512", 54_520_744, 83_015_952, 14),
        ("espikeformer-12-768", 114_861_022, 171_740_714, 12),
    ],
)
def test_parameters_are_the_published_ones_with_chains_of_layers_as_one(
    name: str, ours: int, theirs: int, trained: int
) -> None:
    """The rest are vectors: BatchNorms inside the chains, biases and scales."""
    config = named_model(name)
    assert parameters(config) == ours
    square = config.depth * config.dim**2
    assert ours + square * (trained - 4 - config.linear_first) == pytest.approx(theirs, rel=0.003)


def test_every_architecture_has_named_models() -> None:
    assert {config.arch for config in NAMED_MODELS.values()} == set(ARCHITECTURES)


def test_an_unknown_name_gets_the_nearest() -> None:
    with pytest.raises(ConfigError, match="Did you mean 'spikformer-4-384'"):
        named_model("spikformer-4-348")


def parameters(config: ModelConfig) -> int:
    with torch.device("meta"):
        return sum(p.numel() for p in SpikingTransformer(config).parameters())


def biases_before_batch_norm(config: ModelConfig) -> int:
    """Biases of the published code that a BatchNorm right after them makes redundant.

    Ours leaves them out. CIFAR's Spikformer uses nn.Linear for q, k, v; all others convolutions
    without bias.
    """
    linear_qkv = config.arch == "spikformer" and config.image_size == (32, 32)
    attention = 4 * config.dim if linear_qkv else config.dim
    stages = config.stages
    gates = {each for conv in stages if conv.gate >= 0 for each in (conv.gate, conv.takes)}
    plain = [x for i, x in enumerate(stages) if not x.pool and x.stride == 1 and i not in gates]
    early = sum(conv.width for conv in plain if conv.depthwise or conv.kernel == 1)  # in mixers
    return config.depth * (attention + config.hidden + config.dim) + early


@pytest.mark.parametrize(
    ("name", "ours", "millions"),
    [  # the papers' tables 1 to 3, in millions with two digits
        ("spikformer-4-256", 4_145_962, 4.15),
        ("spikformer-2-384", 5_758_138, 5.76),
        ("spikformer-4-384", 9_310_906, 9.32),
        ("spikformer-8-384", 16_797_592, 16.81),
        ("spikformer-6-512", 23_354_920, 23.37),
        ("spikformer-8-512", 29_664_808, 29.68),
        ("spikformer-10-512", 35_974_696, 36.01),
        ("spikformer-8-768", 66_301_768, 66.34),
        ("spikingformer-4-384", 9_310_906, 9.32),
        ("spikingformer-8-384", 16_797_592, 16.81),
        ("spikingformer-8-512", 29_664_808, 29.68),
        ("spikingformer-8-768", 66_301_768, 66.34),
        ("sdt-8-384", 16_797_592, 16.81),
        ("sdt-8-512", 29_664_808, 29.68),
        ("sdt-8-768", 66_301_768, 66.34),
        ("maxformer-10-768", 63_954_184, 63.99),
        ("qkformer-10-384", 16_454_680, 16.47),
        ("qkformer-10-512", 29_053_992, 29.08),
        ("qkformer-10-768", 64_924_744, 64.96),
        ("qkformer-2-256", 1_502_986, 1.50),
    ],
)
def test_parameters_are_the_papers_less_redundant_biases(
    name: str, ours: int, millions: float
) -> None:
    """The papers cut off or round: 29,689,384 is their 29.68 M, 66,338,632 their 66.34 M.

    Both also leave out what their code creates and never calls (norm1, norm2, talking heads).
    """
    config = named_model(name)
    assert parameters(config) == ours
    published = ours + biases_before_batch_norm(config)
    hundredths = published / 1e4
    assert millions in (int(hundredths) / 100, round(hundredths) / 100)
