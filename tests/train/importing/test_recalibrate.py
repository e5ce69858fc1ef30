from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from spikehalt.datasets.preprocessing import Preprocessing
from tests.train.cli.calling import call
from tests.train.importing.foreign import REPOSITORIES, state_dict
from tests.train.samples import lively_network, random_images, tiny_model, write_image
from train.checkpoint import load_checkpoint
from train.config import StemConfig
from train.data.unlabelled import load_unlabelled
from train.errors import DataError
from train.importing.recalibrate import recalibrate

CONFIG = replace(tiny_model(stem="sps"), arch="qkformer", stem=StemConfig("sps", form="cifar"))


def test_statistics_are_those_of_the_images_and_weights_stay() -> None:
    network, images = lively_network(CONFIG), random_images(CONFIG, 12)
    before = {key: value.clone() for key, value in network.state_dict().items()}
    currents: list[torch.Tensor] = []
    hook = network.stem.convs[0].conv.register_forward_hook(lambda m, i, o: currents.append(o))
    recalibrate(network, images, batch_size=6)
    hook.remove()
    norm = network.stem.convs[0].bn
    means, variances = zip(*((x.mean((0, 2, 3)), x.var((0, 2, 3))) for x in currents), strict=True)
    assert len(means) == 2
    torch.testing.assert_close(norm.running_mean, sum(means) / 2)
    torch.testing.assert_close(norm.running_var, sum(variances) / 2)
    assert not network.training and norm.momentum == 0.1
    changed = {key for key, value in network.state_dict().items() if not value.equal(before[key])}
    assert changed and all("running" in key or "tracked" in key for key in changed)


def test_currents_have_the_scale_that_batchnorm_was_trained_for() -> None:
    network, images = lively_network(CONFIG), random_images(CONFIG, 16)
    for module in network.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.running_mean += 3  # as statistics of a network that computes otherwise
    norm, out = network.blocks[-1].mlp.fc2.bn, []
    norm.register_forward_hook(lambda m, i, o: out.append(o))
    network(images)
    recalibrate(network, images, batch_size=16)
    network(images)
    wrong, _, right = (((x - norm.bias) / norm.weight).mean().item() for x in out)
    assert abs(right) < 0.1 < 1 < abs(wrong)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    for number in range(5):
        pixels = np.random.default_rng(number).integers(0, 256, (40, 40, 3), np.uint8)
        write_image(folder / f"day{number % 2}" / f"{number}.png", pixels)
    return folder


def test_the_command_takes_them_of_a_folder_and_says_so(
    pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, out = tmp_path / "published.pth", tmp_path / "ours.pt"
    torch.save(state_dict(REPOSITORIES[0], 2, 32, 4, 10, seed=0), file)
    command = ["import", str(file), "--from", "spikformer-cifar", "--heads", "4", "--out", str(out)]
    assert call([*command, "--recalibrate", str(pictures), "--count", "4"]) == 0
    assert "BatchNorm statistics: of 4 images of the user's" in capsys.readouterr().err
    origin = load_checkpoint(out).origin
    assert origin is not None and origin.recalibrated == 4
    assert call([*command, "--recalibrate", str(pictures), "--count", "1"]) == 2
    assert "one image has no statistics" in capsys.readouterr().err


def test_images_need_no_labels_and_are_prepared_as_the_network_asks(pictures: Path) -> None:
    config = tiny_model(image_size=(16, 16), channels=1)
    found = load_unlabelled(str(pictures), config, Preprocessing(interpolation="bicubic"), 9)
    assert found.shape == (5, 1, 16, 16) and found.dtype == torch.uint8
    with pytest.raises(DataError, match=r"holds no \.npz event frames"):
        frames = tiny_model(stem="sps", input="frames")
        load_unlabelled(str(pictures), frames, Preprocessing(), 9)
