"""Operations counted in the graph are those that training's energy model expects on the images."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from export.bundle.write import export_bundle
from export.errors import UnsupportedError
from export.fold.network import make_plan
from export.graph.unroll import unroll
from export.options import ExportOptions
from runtime import Engine
from tests.export.dyadic import as_input, dyadic_config, dyadic_network, pictures
from train.checkpoint import Checkpoint, save_checkpoint
from train.data import Split
from train.measure.energy import costs, measure_firing_rates
from train.models import SpikingTransformer

IMAGES = 6
CASES = [
    ("spikformer", "isps", "block_time", 0, "packed", 1, "fp32"),
    ("spikformer", "isps", "block_time", 3, "packed", 2, "fp32"),
    ("spikformer", "sps", "block_time", 0, "dense", 1, "fp16"),
    ("spikformer", "sps", "block", 0, "dense", 4, "fp32"),
    ("spikformer", "isps", "none", 0, "packed", 1, "fp32"),
    ("spikformer", "isps", "block_time", 0, "lagged", 1, "fp32"),
    ("spikingformer", "isps", "block_time", 0, "packed", 1, "fp32"),
    ("sdt", "isps", "block_time", 0, "packed", 1, "fp32"),
    ("maxformer", "sps", "block_time", 1, "packed", 2, "fp32"),
    ("qkformer", "sps", "block_time", 0, "dense", 2, "fp32"),
    ("espikeformer", "sps", "block_time", 0, "packed", 1, "fp32"),
]


def images_of(network: SpikingTransformer) -> np.ndarray:
    return pictures(IMAGES, seed=3)


def expected(network: SpikingTransformer, images: np.ndarray) -> tuple[float, float]:
    """Multiply-accumulates and accumulates of an average image, from its own firing rates."""
    pixels = as_input(network, images)
    rates = measure_firing_rates(network, Split(pixels, torch.zeros(len(pixels))))
    with torch.no_grad():
        live = torch.stack([part.sum(-1).mean(1) for part in network(pixels).live], -1)  # [T, L]
    tokens, timesteps = live.double().sum(0), network.config.timesteps
    times = {"image": 1.0, "timestep": float(timesteps)}
    macs = acs = 0.0
    for cost in costs(network, rates):
        count = float(tokens[cost.block]) if cost.unit == "token" else times[cost.unit]
        macs, acs = macs + count * cost.macs, acs + count * cost.acs
    return macs, acs


def checkpoint_of(network: SpikingTransformer, path: Path) -> Path:
    """A finished checkpoint without firing rates, as an imported one."""
    names = ("a", "b", "c", "d", "e")
    weights = network.state_dict()
    save_checkpoint(path, Checkpoint(network.config, weights, names, "halting", metrics={}))
    return path


@pytest.mark.parametrize(("arch", "stem", "mode", "gamma", "layout", "chunk", "precision"), CASES)
def test_an_average_image_counts_what_its_firing_rates_say(
    tmp_path: Path, arch: str, stem: str, mode: str, gamma: int, layout: str, chunk: int,
    precision: str,
) -> None:  # fmt: skip
    network = dyadic_network(dyadic_config(arch, stem, mode, gamma))
    images = images_of(network)
    options = ExportOptions(chunk, layout, precision, instrument=True)  # type: ignore[arg-type]
    bundle = export_bundle(checkpoint_of(network, tmp_path / "net.pt"), options=options)
    with Engine(bundle.root, policy="never") as engine:
        result = engine(images)
    assert result.mac_ops is not None and result.ac_ops is not None
    macs, acs = expected(network, images)
    tolerance = 1e-5 if precision == "fp32" else 1e-2
    assert result.mac_ops.mean() == pytest.approx(macs, rel=tolerance)
    assert result.ac_ops.mean() == pytest.approx(acs, rel=tolerance)
    assert np.ptp(result.ac_ops) > 0, "every image has its own count"


@pytest.mark.parametrize(
    ("stem", "mode", "layout", "chunk"),
    [
        ("isps", "block_time", "packed", 2),
        ("sps", "none", "packed", 1),
        ("isps", "none", "lagged", 2),
    ],
)
def test_tokens_that_merged_and_left_their_slots_count_no_more(
    tmp_path: Path, stem: str, mode: str, layout: str, chunk: int
) -> None:
    network = dyadic_network(dyadic_config("spikformer", stem, mode, 0, merge_threshold=0.9))
    images = images_of(network)
    options = ExportOptions(chunk, layout, instrument=True)  # type: ignore[arg-type]
    bundle = export_bundle(checkpoint_of(network, tmp_path / "net.pt"), options=options)
    with Engine(bundle.root, policy="never") as engine:
        result = engine(images)
    assert result.mac_ops is not None and result.ac_ops is not None
    macs, acs = expected(network, images)
    assert result.mac_ops.mean() == pytest.approx(macs, rel=1e-5)
    assert result.ac_ops.mean() == pytest.approx(acs, rel=1e-5)


def test_an_image_that_leaves_early_counts_only_what_it_ran(tmp_path: Path) -> None:
    network = dyadic_network(dyadic_config("spikformer", "isps", "block_time", 0))
    images = images_of(network)
    path = checkpoint_of(network, tmp_path / "net.pt")
    bundle = export_bundle(path, options=ExportOptions(instrument=True))
    with Engine(bundle.root, policy="never") as engine:
        energies = [engine(images, max_timesteps=t).energy_mj for t in (1, 2, 4)]
    assert all((a < b).all() for a, b in pairwise(energies))


def test_event_frames_count_their_first_convolution_by_what_they_hold(tmp_path: Path) -> None:
    config = dyadic_config("spikformer", "sps", "block_time", 0, input="frames", channels=2)
    network = dyadic_network(replace(config, pixel_mean=(0.5,), pixel_std=(0.25,)))
    frames = np.random.default_rng(0).poisson(0.4, (IMAGES, 4, 2, 8, 8)).astype(np.float32)
    path = checkpoint_of(network, tmp_path / "net.pt")
    bundle = export_bundle(path, options=ExportOptions(instrument=True))
    with Engine(bundle.root, policy="never") as engine:
        result = engine(frames)
    assert result.mac_ops is not None and result.ac_ops is not None
    macs, acs = expected(network, frames)
    assert result.mac_ops.mean() == pytest.approx(macs, rel=1e-5)
    assert result.ac_ops.mean() == pytest.approx(acs, rel=1e-5)


def test_integer_graphs_are_refused_with_a_remedy() -> None:
    plan = make_plan(dyadic_network(dyadic_config("spikformer", "isps", "none", 0)))
    with pytest.raises(UnsupportedError, match="without --int8"):
        unroll(plan, ExportOptions(precision="int8", instrument=True))
