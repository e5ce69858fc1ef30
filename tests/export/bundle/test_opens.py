"""What is exported opens and answers, for every architecture, with and without halting."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from export.bundle.write import export_bundle
from export.options import ExportOptions
from runtime import Engine
from spikehalt.vocabulary import Layout, Precision
from tests.train.samples import lively_network, tiny_model
from train.architectures import ARCHITECTURES
from train.checkpoint import Checkpoint, save_checkpoint
from train.config import ModelConfig, StemConfig

IMAGES = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), dtype=np.uint8)


def config_of(arch: str, mode: str) -> ModelConfig:
    """As published: with a neuron before the head where the architecture's currents are added."""
    kind = ARCHITECTURES[arch]
    form: Any = "cifar" if "cifar" in kind.forms else "imagenet"
    config = tiny_model(
        arch=arch, stem="sps", halting=mode, head_lif=kind.lif_first, dim=32, heads=4,
        timesteps=1 if kind.integer else 2, image_size=(32, 32), channels=3,
        pixel_mean=(0.5,), pixel_std=(0.25,),
    )  # fmt: skip
    return replace(config, stem=StemConfig("sps", pool=(False, True, True, False), form=form))


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
@pytest.mark.parametrize(
    ("mode", "layout"), [("none", "auto"), ("block_time", "auto"), ("block_time", "dense")]
)
@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_a_bundle_opens_and_answers_as_the_network(
    tmp_path: Path, arch: str, mode: str, layout: Layout, precision: Precision
) -> None:
    network = lively_network(config_of(arch, mode))
    classes = tuple(f"c{n}" for n in range(network.config.classes))
    path = tmp_path / "c.pt"
    save_checkpoint(path, Checkpoint(network.config, network.state_dict(), classes, "static"))
    options = ExportOptions(layout=layout, precision=precision)
    bundle = export_bundle(path, path.with_suffix(".bundle"), options)
    with Engine(bundle, policy="never", threads=1) as engine:
        found = engine(IMAGES)
    assert len(found) == len(IMAGES)
    if precision == "fp32":
        with torch.no_grad():
            expected = network(torch.from_numpy(IMAGES.transpose(0, 3, 1, 2).copy())).logits[-1]
        np.testing.assert_allclose(found.logits, expected, rtol=1e-3, atol=1e-3)
