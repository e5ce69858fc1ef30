"""Halting without retraining: from a checkpoint without halting to one that exports."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from spikehalt.errors import ConfigError
from tests.train.cli.calling import call
from tests.train.samples import lively_network, random_images, tiny_model, write_image
from train.adapting.adapt import Adapted, adapt
from train.adapting.calibrate import EPSILON
from train.adapting.fit import adaptable, behind_blocks, fit_forecasts
from train.adapting.images import load_unlabelled
from train.adapting.least_squares import LeastSquares
from train.baselines.build import build_network
from train.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from train.config import DropConfig, HaltingConfig, TrainConfig
from train.data.base import Split
from train.errors import DataError, TrainError
from train.measure.evaluate import evaluate
from train.models import SpikingTransformer

TOKENS = 0.6
IMAGES = 24


def checkpoint_of(**changes: object) -> Checkpoint:
    config = tiny_model(**changes)
    return Checkpoint(config, lively_network(config).state_dict(), (), "static")


def split(checkpoint: Checkpoint, count: int = IMAGES, seed: int = 0) -> Split:
    images = random_images(checkpoint.model, count, seed)
    return Split(images, torch.zeros(count, dtype=torch.int64))


@pytest.fixture(scope="module")
def static() -> Checkpoint:
    return checkpoint_of()


@pytest.fixture(scope="module")
def adapted(static: Checkpoint) -> Adapted:
    return adapt(static, split(static), TOKENS)


def test_least_squares_are_those_of_all_rows_together() -> None:
    generator = torch.Generator().manual_seed(0)
    x, y = (torch.randn(200, n, generator=generator, dtype=torch.float64) for n in (5, 3))
    running, layer = LeastSquares(5, 3), torch.nn.Linear(5, 3)
    for part in range(4):
        running.add(x[part::4], y[part::4])
    running.solve(layer)
    rows = torch.cat([x, torch.ones(200, 1)], -1)
    expected = torch.linalg.lstsq(rows, y).solution
    torch.testing.assert_close(layer.weight.double(), expected[:-1].T, rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(layer.bias.double(), expected[-1], rtol=1e-3, atol=1e-3)


def test_as_many_tokens_run_as_asked_for_and_the_weights_stay(
    static: Checkpoint, adapted: Adapted
) -> None:
    network, images = adapted.checkpoint.network(), split(static)
    assert network.config.halting.epsilon == EPSILON and adapted.checkpoint.phase == "halting"
    assert evaluate(network, images).average_tokens == pytest.approx(TOKENS, abs=0.02)
    assert adapted.found.tokens == pytest.approx(TOKENS, abs=0.02)
    for name, weight in static.weights.items():
        assert torch.equal(adapted.checkpoint.weights[name], weight), name
    shares = [evaluate(network, images, epsilon=e).average_tokens for e in (0.0, 0.9, 0.99)]
    assert shares == sorted(shares, reverse=True) and shares[0] > shares[2]


def test_live_sets_shrink_over_blocks_and_timesteps(adapted: Adapted) -> None:
    checkpoint = adapted.checkpoint
    with torch.no_grad():
        output = checkpoint.network()(split(checkpoint, seed=1).images)
    for live, following in zip(output.live[:-1], output.live[1:], strict=True):
        assert (following <= live).all()
    for live in output.live:
        assert (live[1:] <= live[:-1]).all()
    assert 0 < output.live[1].mean() < 1
    assert (output.halt_score[1:] >= output.halt_score[:-1]).all()


def test_first_timesteps_alone_give_the_same(adapted: Adapted) -> None:
    network, images = adapted.checkpoint.network(), split(adapted.checkpoint, 4).images
    with torch.no_grad():
        every = network(images)
        with network.first_timesteps(2):
            first = network(images)
    torch.testing.assert_close(first.logits, every.logits[:2])
    assert torch.equal(first.halt_score, every.halt_score[:2])


def test_forecasts_are_nearer_to_the_last_values_than_the_tokens_themselves(
    static: Checkpoint, adapted: Adapted
) -> None:
    network, unseen = static.network(), split(static, seed=2).images
    forecasts = adapted.checkpoint.network().forecasts
    assert forecasts is not None
    with torch.no_grad():
        behind, _ = behind_blocks(network, network.tokens_of(unseen))
        for x, value in zip(behind[:-1], forecasts.values, strict=True):
            assert (value(x) - behind[-1]).square().mean() < (x - behind[-1]).square().mean()


def test_certain_tokens_are_those_with_small_errors(static: Checkpoint) -> None:
    network = static.network()
    fitted = adaptable(network)
    images = split(static).images
    fit_forecasts(network, fitted, images)
    assert fitted.forecasts is not None
    with torch.no_grad():
        behind, _ = behind_blocks(network, network.tokens_of(images))
        x, last = behind[0].flatten(0, 2), behind[-1].flatten(0, 2)
        wrong = network.head.weight @ (fitted.forecasts.values[0](x) - last).T
        error, certain = wrong.square().sum(0), fitted.forecasts.certainties[0](x).squeeze(-1)
        half = len(certain) // 2
        order = certain.argsort()
    assert error[order[half:]].log().mean() < error[order[:half]].log().mean()


def test_a_network_that_halts_already_is_refused() -> None:
    for changes in (
        {"halting": "block_time"},
        {"merge_gamma": 2},
        {"drop": DropConfig("random", (1.0, 0.5, 0.25))},
    ):
        checkpoint = checkpoint_of(**changes)
        with pytest.raises(ConfigError, match=r"the network from before that, such as a static.pt"):
            adapt(checkpoint, split(checkpoint), TOKENS)


def test_what_cannot_be_is_said(static: Checkpoint) -> None:
    with pytest.raises(TrainError, match=r"tokens is 0.3, must be above 0.333 \(block 1 of 3"):
        adapt(static, split(static, 4), 0.3)
    single = checkpoint_of(depth=1)
    with pytest.raises(ConfigError, match="needs at least two blocks"):
        adapt(single, split(single, 4), TOKENS)
    with pytest.raises(ConfigError, match=r"goes with halting\.mode 'block_time'"):
        HaltingConfig("block", score="forecast")
    model = replace(static.model, halting=HaltingConfig("block_time", score="forecast"))
    with pytest.raises(ConfigError, match="is not trained: train a static network"):
        TrainConfig(model)


def test_the_command_writes_a_checkpoint(
    static: Checkpoint, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "photos"
    for index, image in enumerate(random_images(static.model, 10)):
        write_image(folder / f"{index}.png", image[0].numpy())
    path, out = tmp_path / "static.pt", tmp_path / "new" / "halting.pt"
    save_checkpoint(path, static)
    options = ["--images", str(folder), "--tokens", "60%", "--out", str(out)]
    assert call(["adapt", str(path), *options, "--count", "8"]) == 0
    said = capsys.readouterr()
    assert "8 images of" in said.err and "× tokens on these images at epsilon 0.9" in said.out
    network = load_checkpoint(out).network()
    assert type(network) is SpikingTransformer and network.forecasts is not None
    assert load_checkpoint(out).metrics["adapted"]["images"] == 8
    assert call(["adapt", str(path), "--images", str(tmp_path / "new")]) == 2
    assert "holds no image files" in capsys.readouterr().err


def test_of_a_data_set_the_training_part_is_taken(static: Checkpoint, tmp_path: Path) -> None:
    dark, bright = (np.full((8, 8), value, np.uint8) for value in (0, 255))
    for part, pixels in (("train", dark), ("test", bright)):
        for index in range(3):
            write_image(tmp_path / part / "a" / f"{index}.png", pixels)
    found = load_unlabelled(str(tmp_path), static, 10)
    assert len(found) == 3 and not found.images.any()
    with pytest.raises(DataError, match="does not exist"):
        load_unlabelled(str(tmp_path / "none"), static, 10)


def test_event_frames_are_taken(tmp_path: Path) -> None:
    config = tiny_model(stem="sps", input="frames", channels=2)
    checkpoint = Checkpoint(config, build_network(config).state_dict(), (), "static")
    frames = random_images(config, 3).numpy()
    for index, each in enumerate(frames):
        np.savez(tmp_path / f"{index}.npz", frames=each)
    found = load_unlabelled(str(tmp_path), checkpoint, 2)
    assert np.array_equal(found.images.numpy(), frames[[0, 2]])
