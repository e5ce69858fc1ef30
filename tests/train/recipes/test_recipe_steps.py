"""Every recipe's method takes real training steps, in both phases, at a size that takes no time."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from lightning_fabric import Fabric

from tests.train.samples import random_images
from train.baselines.build import build_network
from train.config import PhaseConfig, TrainConfig
from train.data import Dataset, Split
from train.loop.phase import Phase
from train.loop.phase.interrupt import Interrupt
from train.loop.phase.steps import train_step
from train.loop.reports.log import CsvLog
from train.loop.run import phase_model
from train.recipes import load_recipe, recipe_names


def shrunk(config: TrainConfig, out: Path) -> TrainConfig:
    """The recipe with a small model on small images, everything else as it is."""
    model = config.model
    stem = replace(model.stem, pool=(False, False, False, True))
    keep = model.drop.keep[: min(model.depth, 2)]
    small = replace(
        model,
        depth=min(model.depth, 2),
        dim=16,
        heads=2,
        timesteps=min(model.timesteps, 2),
        image_size=(8, 8),
        stem=stem,
        drop=replace(model.drop, keep=keep),
    )
    return replace(config, model=small, batch_size=4, out=str(out), compile=False)


@pytest.mark.parametrize("name", [name for name in recipe_names() if not name.endswith("-short")])
def test_every_recipe_trains(name: str, tmp_path: Path) -> None:
    config = shrunk(load_recipe(name), tmp_path)
    torch.manual_seed(0)
    batch = Split(random_images(config.model, 4), torch.arange(4) % config.model.classes)
    data = Dataset(batch, batch, batch, tuple(map(str, range(config.model.classes))))
    fabric = Fabric(accelerator="cpu", devices=1)
    for phase_name in ("static", "halting"):
        settings: PhaseConfig = getattr(config, phase_name)
        if settings.epochs == 0:
            continue
        network = build_network(phase_model(config.model, phase_name))
        log = CsvLog(tmp_path / "log.csv", keep=False)
        phase = Phase(phase_name, settings, config, fabric, network, data, log, Interrupt())
        before = {key: p.detach().clone() for key, p in network.named_parameters()}
        phase.model.train()
        loss = float(train_step(phase, batch)[0])
        assert 0 < loss < 50
        assert any(not torch.equal(before[key], p) for key, p in network.named_parameters())
