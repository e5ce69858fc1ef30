"""Training on another device than the processor, as on a GPU (tests/fakes/other_device.py)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from lightning_fabric import Fabric
from lightning_fabric.accelerators import CPUAccelerator
from lightning_fabric.strategies import SingleDeviceStrategy

import train.figures.trained
import train.loop.run
import train.measure.energy_report
import train.measure.policies
from tests.fakes.other_device import DEVICE, OtherTensor, other_device
from tests.train.samples import PATCH_SPLITTING, lively_network, quick_run, same_tensors, tiny_model
from train.checkpoint import load_checkpoint
from train.cli import main
from train.config import DropConfig, TrainConfig
from train.loop.run import resume, run

VARIANTS: dict[str, dict[str, Any]] = {
    "static": {},
    "block": {"halting": "block"},
    "block_time": {"halting": "block_time"},
    "merging": {"halting": "block_time", "merge_gamma": 3},
    "sps": {"stem": "sps"},
    "random": {"drop": DropConfig("random", (1.0, 0.5, 0.5))},
    "anchor": {"drop": DropConfig("anchor", (1.0, 0.5, 0.5))},
}


# Files whose lines run in every step, and what may wait there: the report of the step before, the
# epoch's loss, live tokens' places, and Kornia's CutMix, which indexes by masks.
IN_A_STEP = (
    "steps.py",
    "augment.py",
    "losses.py",
    "sml.py",
    "schedule.py",
    "network.py",
    "layers.py",
)
ALLOWED = {
    "steps.py: loss, stop, save = said.tolist()",
    "steps.py: loss = float(done.loss_sum) / phase.steps_per_epoch",
    "layers.py: return live.flatten().nonzero().squeeze(-1)",
    "augment.py: mixed, targets = module(images, labels)",
}


class OtherAccelerator(CPUAccelerator):
    """Lightning's own would refuse the device's name."""

    def setup_device(self, device: torch.device) -> None:
        """There is nothing to prepare."""


def launch(config: TrainConfig) -> Fabric:
    """In place of `train.parallel.devices.launch`."""
    strategy = SingleDeviceStrategy(device=DEVICE, accelerator=OtherAccelerator())
    fabric = Fabric(strategy=strategy, precision="32-true")
    fabric.launch()
    return fabric


@pytest.mark.parametrize("changes", VARIANTS.values(), ids=VARIANTS)
@pytest.mark.parametrize("arch", PATCH_SPLITTING)
def test_networks_compute_the_same_there(arch: Any, changes: dict[str, Any]) -> None:
    network = lively_network(tiny_model(arch=arch, **changes))
    images = torch.randint(0, 256, (4, 1, 8, 8), dtype=torch.uint8)
    expected = network(images).logits
    with other_device():
        found = network.to(DEVICE)(images.to(DEVICE)).logits
    assert isinstance(found, OtherTensor)
    torch.testing.assert_close(found.here, expected)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"model": {"merge_gamma": 1}},
        {"loss": {"surrogate_modules": 0.5}},
        {"data": {"augment": {"crop_padding": 1, "flip": True, "erase": 0.25, "mixup": 0.5}}},
        {"data": {"augment": {"cutmix": 0.5}}, "loss": {"anytime": 0.5, "label_smoothing": 0.1}},
    ],
    ids=str,
)
def test_a_whole_run_keeps_to_its_device_and_waits_for_it_seldom(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any]
) -> None:
    """What a step waits for: where live tokens are, and, one step late, its report."""
    monkeypatch.setattr(train.loop.run, "launch", launch)
    with other_device() as watched:
        run(quick_run(tmp_path, **changes))
    checkpoint = load_checkpoint(tmp_path / "halting.pt")
    assert {type(each) for each in checkpoint.weights.values()} == {torch.Tensor}
    waited = {line.split(" ", 1)[1] for line in watched.waits}
    assert {line for line in waited if line.startswith(IN_A_STEP)} <= ALLOWED


def test_a_step_asks_once_a_block_where_its_live_tokens_are() -> None:
    config = tiny_model(halting="block_time")
    with other_device() as watched:
        network = lively_network(config).to(DEVICE)
        images = torch.randint(0, 256, (4, 1, 8, 8), dtype=torch.uint8).to(DEVICE)
        network(images)
    behind_the_first = config.depth - 1  # in which every token is alive
    assert sum(watched.waits.values()) == behind_the_first


def test_a_run_resumes_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train.loop.run, "launch", launch)
    with other_device():
        run(quick_run(tmp_path))
        unbroken = load_checkpoint(tmp_path / "halting.pt")
        (tmp_path / "halting.pt").unlink()
        resumed = load_checkpoint(resume(tmp_path / "last.pt").checkpoints["halting"])
    assert same_tensors(resumed.weights, unbroken.weights)
    assert resumed.metrics == unbroken.metrics


def test_checkpoints_are_evaluated_and_drawn_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(quick_run(tmp_path))
    for module in (train.measure.energy_report, train.measure.policies, train.figures.trained):
        monkeypatch.setattr(module, "best_device", lambda: DEVICE)
    halting, picture = str(tmp_path / "halting.pt"), str(tmp_path / "picture.png")
    for words in (
        ["evaluate", halting],
        ["energy", str(tmp_path / "static.pt"), halting],
        *(
            ["figure", kind, halting, "--out", picture]
            for kind in ("heatmap", "tokens", "tradeoff")
        ),
    ):
        monkeypatch.setattr("sys.argv", ["train", *words])
        with other_device() as watched:
            assert main() == 0
        assert watched.waits


def test_the_device_tells_what_a_gpu_would() -> None:
    with other_device() as watched:
        x = torch.arange(4.0).to(DEVICE)
        assert x.device == DEVICE
        with pytest.raises(RuntimeError, match="two devices"):
            x + torch.ones(4)
        with pytest.raises(TypeError, match="numpy"):
            x.numpy()
        x += torch.tensor(1.0)  # a single number may come from the processor
        assert not watched.waits
        assert float(x.sum()) == 10
        assert x[x > 2].cpu().tolist() == [3.0, 4.0]
        assert sum(watched.waits.values()) == 3
