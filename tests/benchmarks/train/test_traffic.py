"""What a training step moves, counted on shapes."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from benchmarks.train import traffic
from train.config import ModelConfig, StemConfig

TINY = ModelConfig(
    depth=2, dim=32, heads=2, image_size=(16, 16), timesteps=2,
    stem=StemConfig(kind="sps", pool=(False, False, True, True), pool_position="before_lif"),
)  # fmt: skip


def test_an_op_moves_each_of_its_tensors_once() -> None:
    x = torch.empty(10, device="meta")
    with traffic.Traffic() as counted:
        (x + x).view(2, 5).relu()
    assert counted.bytes == {traffic.OTHERS: 4 * 10 * (2 + 2)}


def test_a_neuron_is_one_pass_forward_and_one_backward() -> None:
    """Currents, spikes, membranes; then gradients, membranes, gradients.

    The first stage's current is the same at every timestep, and read once.
    """
    found = traffic.step_bytes(traffic.ours(TINY), TINY, batch=3)
    pixels, tokens = 16 * 16, 16
    stem = 2 * pixels * (4 + 8) + 2 * (pixels // 4 * 16 + tokens * 32) + 2 * tokens * 32
    block = 2 * tokens * (3 * 32 + 32 + 32 + 4 * 32 + 32)
    elements = 6 * (stem + TINY.depth * block) - pixels * 4
    assert found[traffic.NEURONS] == 4 * 3 * elements


def test_both_networks_have_the_same_neurons_and_products() -> None:
    ours, peer = (traffic.step_bytes(make(TINY), TINY, 2) for make in (traffic.ours, traffic.peer))
    for kind in (traffic.NEURONS, "products", "normalisation", "pooling"):
        assert ours[kind] == pytest.approx(peer[kind], rel=0.15), kind


def test_isps_moves_less() -> None:
    once = replace(TINY, stem=replace(TINY.stem, kind="isps"))
    less, more = (sum(traffic.step_bytes(traffic.ours(c), c, 2).values()) for c in (once, TINY))
    assert less < more


def test_twice_the_images_move_about_twice_as_much() -> None:
    two, four = (sum(traffic.step_bytes(traffic.ours(TINY), TINY, n).values()) for n in (64, 128))
    assert four == pytest.approx(2 * two, rel=0.05)


def test_the_command_prints_the_ratio(capsys: pytest.CaptureFixture[str]) -> None:
    assert traffic.main(["--model", "spikformer-2-384", "--batch", "2"]) == 0
    assert "normalisation" in capsys.readouterr().out
