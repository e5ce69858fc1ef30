"""The networks that `benchmarks.gpu` times: random weights, halting and exits as wanted.

A halting network of random weights halts its tokens where its scores say so: beta is moved until as
many stay alive as a trained one keeps, and the exit threshold until images run as many timesteps.
Everything then is what a trained network's bundle does, without a large trained network.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.common.networks import random_network
from export.bundle.write import export_bundle
from export.options import ExportOptions
from runtime import Engine
from runtime.results.trajectory import Trajectory
from spikehalt.exits import CONFIDENCE, NEVER
from train.checkpoint import Checkpoint, save_checkpoint
from train.config import HaltingConfig, ModelConfig
from train.data import Split
from train.measure.evaluate import evaluate
from train.models import SpikingTransformer
from train.parallel.devices import best_device

POLICY = CONFIDENCE.name
PROBES = 32  # images on which tokens and exits are adjusted
STEPS = 12
BETAS = (-40.0, 20.0)  # all tokens stay, all halt behind the first block


@dataclass(frozen=True)
class Wanted:
    """How much of the work a trained network does.

    Attributes:
        tokens: live tokens over K_0, averaged over blocks and timesteps.
        timesteps: executed per image with early exit.
    """

    tokens: float
    timesteps: float


@dataclass(frozen=True)
class Prepared:
    """What `prepare` found, and the workers read from the same folder.

    Attributes:
        beta: of the halting score.
        tokens: live tokens over K_0 on the probes, all timesteps.
        threshold: of the confidence policy.
        timesteps: executed per probe with it.
    """

    beta: float
    tokens: float
    threshold: float
    timesteps: float

    @classmethod
    def load(cls, folder: Path) -> Prepared:
        """Read what `prepare` wrote."""
        return cls(**json.loads((folder / "prepared.json").read_text()))


def prepare(model: ModelConfig, wanted: Wanted, folder: Path) -> Prepared:
    """Write `static.pt`, `halting.pt` and `prepared.json` for the shape of `model`."""
    static = replace(model.merged_at(0.0), halting=HaltingConfig())
    images = noise(static, PROBES)
    _save(random_network(static), folder / "static.pt")
    beta, tokens = fitting_beta(static, images, wanted.tokens)
    _save(random_network(_halting(static, beta)), folder / "halting.pt")
    trajectory = _recorded(folder / "halting.pt", images)
    threshold, timesteps = fitting_threshold(trajectory, wanted.timesteps)
    found = Prepared(beta, tokens, threshold, timesteps)
    (folder / "prepared.json").write_text(json.dumps(asdict(found)))
    return found


def noise(model: ModelConfig, count: int) -> NDArray[np.uint8]:
    """Random pixels, uint8 [N, H, W, C]."""
    shape = (count, *model.image_size, model.channels)
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


def fitting_beta(
    model: ModelConfig, images: NDArray[np.uint8], tokens: float
) -> tuple[float, float]:
    """The score's offset at which about so many tokens stay alive, and how many then do."""
    pixels = torch.from_numpy(images.transpose(0, 3, 1, 2).copy())
    split = Split(pixels, torch.zeros(len(images), dtype=torch.int64)).to(best_device())

    def measured(beta: float) -> float:
        network = random_network(_halting(model, beta)).to(best_device())
        return evaluate(network, split).average_tokens

    return nearest(measured, BETAS, tokens)


def nearest(
    measured: Callable[[float], float], ends: tuple[float, float], wanted: float
) -> tuple[float, float]:
    """Bisect a quantity that falls from one end to the other; the closest point met, and its value.

    The live tokens of a network need not fall at every step, so the last point may not be the best.
    """
    low, high = ends
    met: list[tuple[float, float, float]] = []
    for _ in range(STEPS):
        middle = (low + high) / 2
        value = measured(middle)
        met.append((abs(value - wanted), middle, value))
        low, high = (middle, high) if value > wanted else (low, middle)
    _, point, value = min(met)
    return point, value


def fitting_threshold(trajectory: Trajectory, timesteps: float) -> tuple[float, float]:
    """The confidence with which images run about so many timesteps, and how many then."""
    scores = trajectory.scores(POLICY)
    found = [
        (abs(_ran(trajectory, threshold) - timesteps), threshold)
        for threshold in map(float, np.unique(scores))
    ]
    threshold = min(found)[1]
    return threshold, _ran(trajectory, threshold)


def _ran(trajectory: Trajectory, threshold: float) -> float:
    return float((trajectory.exits(POLICY, threshold) + 1).mean())


def _halting(model: ModelConfig, beta: float) -> ModelConfig:
    return replace(model, halting=HaltingConfig(mode="block_time", beta=beta))


def _save(network: SpikingTransformer, path: Path) -> None:
    classes = tuple(map(str, range(network.config.classes)))
    weights = network.state_dict()
    save_checkpoint(path, Checkpoint(network.config, weights, classes, phase=path.stem))


def _recorded(checkpoint: Path, images: NDArray[np.uint8]) -> Trajectory:
    bundle = export_bundle(checkpoint, checkpoint.with_suffix(".bundle"), ExportOptions())
    with Engine(bundle, backend="onnxruntime", policy=NEVER.name) as engine:
        return engine.record(images)
