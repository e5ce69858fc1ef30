from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from benchmarks.adapt.droppers import DROPPERS, Droppers, Kind
from tests.train.samples import lively_network, random_images, tiny_model
from train.baselines.build import build_network
from train.checkpoint import Checkpoint
from train.config import DropConfig
from train.data import Split

IMAGES = 12


@pytest.fixture(scope="module")
def static() -> Checkpoint:
    config = tiny_model(depth=3)
    return Checkpoint(config, lively_network(config).state_dict(), (), "static")


@pytest.mark.parametrize("kind", DROPPERS)
def test_answers_are_those_of_the_network_that_drops(static: Checkpoint, kind: Kind) -> None:
    images = random_images(static.model, IMAGES)
    droppers = Droppers(static, Split(images, torch.zeros(IMAGES, dtype=torch.int64)))
    labels, tokens = droppers.answers(kind, 0.6)
    whole = build_network(replace(static.model, drop=DropConfig(kind, (1.0, 0.4, 0.4)))).eval()
    whole.load_state_dict(static.weights)
    with torch.no_grad():
        output = whole(images)
    assert labels == output.logits[-1].argmax(-1).tolist()
    assert tokens == pytest.approx(float(torch.stack(output.live).mean()))
