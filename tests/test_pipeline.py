"""The whole way: checkpoint, bundle, engine. An image's answer does not depend on its company."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from export.bundle.write import export_bundle
from export.options import ExportOptions
from runtime import Engine
from tests.export.dyadic import EPSILON, as_input, dyadic_config, dyadic_network, pictures
from train.checkpoint import Checkpoint, save_checkpoint
from train.measure.evaluate import live_tokens
from train.models import SpikingTransformer


def bundle_of(network: SpikingTransformer, folder: Path, options: ExportOptions) -> Path:
    path = folder / "net.pt"
    classes = tuple("abcde")
    save_checkpoint(path, Checkpoint(network.config, network.state_dict(), classes, "halting"))
    return export_bundle(path, folder / f"{options.layout}{options.chunk}.bundle", options).root


@pytest.fixture(scope="module")
def network() -> SpikingTransformer:
    return dyadic_network(dyadic_config("spikformer", "sps", "block_time", 3))


@pytest.mark.parametrize("layout", ["packed", "dense"])
@pytest.mark.parametrize("chunk", [1, 2, 4])
def test_engine_equals_torch_at_every_exit_point(
    network: SpikingTransformer, tmp_path: Path, chunk: int, layout: str
) -> None:
    root = bundle_of(network, tmp_path, ExportOptions(chunk=chunk, layout=layout))  # type: ignore[arg-type]
    images = pictures(6)
    with torch.no_grad():
        expected = network(as_input(network, images), EPSILON)
    with Engine(root, policy="never") as engine:
        for timesteps in range(chunk, 5, chunk):
            result = engine(images, max_timesteps=timesteps)
            logits = expected.logits[timesteps - 1]
            np.testing.assert_allclose(result.probabilities, logits.softmax(-1), atol=1e-5)
            live = live_tokens(expected)[:, :timesteps].numpy()
            np.testing.assert_array_equal(result.live_tokens[:, :timesteps], live)
            np.testing.assert_allclose(
                result.halt_score, expected.halt_score[timesteps - 1], atol=1e-5
            )


@pytest.mark.parametrize("layout", ["packed", "dense"])
@pytest.mark.parametrize("policy", ["halting", "entropy", "confidence"])
def test_an_image_exits_in_a_batch_as_it_does_alone(
    network: SpikingTransformer, tmp_path: Path, policy: str, layout: str
) -> None:
    root = bundle_of(network, tmp_path, ExportOptions(layout=layout))  # type: ignore[arg-type]
    images = pictures(12)
    with Engine(root) as engine:
        threshold = middle_threshold(engine, images, policy)
        together = engine(images, policy=policy, threshold=threshold)
        assert len(set(together.timesteps.tolist())) > 1, "the threshold separates nothing"
        for index, image in enumerate(images):
            alone = engine(image, policy=policy, threshold=threshold)
            assert alone.timesteps[0] == together.timesteps[index]
            np.testing.assert_array_equal(alone.live_tokens[0], together.live_tokens[index])
            np.testing.assert_allclose(
                alone.probabilities[0], together.probabilities[index], atol=1e-5
            )


def middle_threshold(engine: Engine, images: np.ndarray, policy: str) -> float:
    """A threshold that about half of the images reach after two timesteps."""
    result = engine(images, policy="never", max_timesteps=2)
    p = result.probabilities
    scores = {
        "halting": result.halt_score,
        "confidence": p.max(1),
        "entropy": -(p * np.log(np.maximum(p, 1e-30))).sum(1) / np.log(p.shape[1]),
    }
    return float(np.median(scores[policy]))


def test_event_frames_run_through_the_engine(tmp_path: Path) -> None:
    config = dyadic_config("spikingformer", "sps", "block_time", 0, input="frames", channels=2)
    network = dyadic_network(config)
    frames = np.random.default_rng(5).integers(0, 3, (3, 4, 2, 8, 8)).astype(np.float32)
    root = bundle_of(network, tmp_path, ExportOptions(chunk=2))
    with torch.no_grad():
        expected = network(torch.from_numpy(frames), EPSILON).logits[-1].softmax(-1)
    with Engine(root, policy="never") as engine:
        np.testing.assert_allclose(engine(frames).probabilities, expected, atol=1e-5)
