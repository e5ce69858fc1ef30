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


@pytest.mark.parametrize(
    ("op", "kind"),
    [
        ("addmm", "products"), ("convolution_backward", "products"), ("clone", "copies"),
        ("native_batch_norm", "normalisation"), ("max_pool2d_with_indices", "pooling"),
        ("mul", traffic.OTHERS), ("sum", traffic.OTHERS),
    ],
)  # fmt: skip
def test_an_op_belongs_to_a_kind(op: str, kind: str) -> None:
    assert traffic.kind_of(op) == kind


def test_views_move_nothing() -> None:
    x = torch.empty(4, 6, device="meta")
    with traffic.Traffic() as counted:
        x.view(6, 4).transpose(0, 1).unsqueeze(0).expand(3, 4, 6)[1].detach()
    assert counted.bytes == {}


def test_the_gradient_of_a_convolution_is_two_products() -> None:
    """It reads the gradient for the weights and once more for the images."""
    image = torch.empty(1, 2, 4, 4, device="meta", requires_grad=True)
    weight = torch.empty(3, 2, 1, 1, device="meta", requires_grad=True)
    out = torch.nn.functional.conv2d(image, weight)
    with traffic.Traffic() as counted:
        torch.autograd.grad(out, (image, weight), torch.empty_like(out))
    images, weights, gradient = 2 * 16, 3 * 2, 3 * 16
    moved = 2 * images + 2 * weights + 2 * gradient
    assert counted.bytes["products"] == 4 * moved


def moved(of_peer: int, of_ours: int) -> dict[str, dict[str, int]]:
    zeros = dict.fromkeys(traffic.ROWS, 0)
    return {
        traffic.PEER: {**zeros, "products": of_peer, "copies": 3_000_000},
        traffic.OURS: {**zeros, "products": of_ours},
    }


def test_ratios_are_the_peers_bytes_over_ours() -> None:
    rows = {row.name: row for row in traffic.rows_of(moved(8_000_000, 2_000_000), batch=2)}
    assert (rows["products"][traffic.PEER], rows["products"][traffic.OURS]) == (4.0, 1.0)
    assert rows["products"]["ratio"] == 4.0
    assert rows[traffic.ALL]["ratio"] == 5.5
    assert list(rows) == [*traffic.ROWS, traffic.ALL]


def test_what_ours_does_not_do_has_no_ratio() -> None:
    rows = {row.name: row for row in traffic.rows_of(moved(1, 1), batch=1)}
    assert rows["copies"].figures["ratio"] is None
    arguments = traffic.parser().parse_args([])
    assert traffic.table(arguments).cells(rows["copies"]) == ["copies", "3.0", "0.0", ""]
