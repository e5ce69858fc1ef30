"""What ours is compared with has the shape that it claims."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from benchmarks.common import networks, peers
from benchmarks.cpu import macs
from tests.benchmarks.cpu.test_cost import tiny
from train.models import named_model


def counted(network: nn.Module, images: torch.Tensor) -> int:
    """Multiply-accumulates of convolutions and linear layers in one pass."""
    found: list[int] = []

    def convolution(layer: nn.Conv2d, _: object, out: torch.Tensor) -> None:
        found.append(out.numel() * layer.weight[0].numel())

    def linear(layer: nn.Linear, _: object, out: torch.Tensor) -> None:
        found.append(out.numel() * layer.in_features)

    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(convolution)
        if isinstance(module, nn.Linear) and module.out_features > 10:
            module.register_forward_hook(linear)
    with torch.no_grad():
        network(images)
    return sum(found)


def test_the_dense_network_does_the_macs_that_the_table_says() -> None:
    config = tiny()
    network = peers.DenseTransformer(config).eval()
    products = counted(network, torch.zeros(1, 3, *config.image_size))
    attention = config.depth * 2 * config.tokens**2 * config.dim
    assert products + attention == macs.dense_macs(config)


def test_the_dense_network_classifies() -> None:
    config = tiny()
    logits = peers.DenseTransformer(config)(torch.rand(5, 3, *config.image_size))
    assert logits.shape == (5, config.classes)


def test_dense_attention_is_softmax_attention() -> None:
    torch.manual_seed(0)
    block = peers.DenseBlock(dim=8, heads=2, hidden=16)
    nn.init.zeros_(block.mlp[2].weight)
    nn.init.zeros_(block.mlp[2].bias)
    x = torch.randn(3, 5, 8)
    q, k, v = (part.reshape(3, 5, 2, 4).transpose(1, 2) for part in block.qkv(x).split(8, dim=-1))
    mixed = nn.functional.scaled_dot_product_attention(q, k, v)
    wanted = x + block.proj(mixed.transpose(1, 2).reshape(3, 5, 8))
    torch.testing.assert_close(block(x), wanted)


@pytest.mark.parametrize("model", [networks.MODEL, "spikformer-2-384"])
def test_spikingjellys_network_has_as_many_layers_and_tokens(model: str) -> None:
    config = named_model(model)
    peer = peers.spikingjelly_model(config)
    assert not peer.training
    ours = networks.random_network(config)

    def convolutions(network: nn.Module) -> int:
        return sum(isinstance(module, nn.Conv2d) for module in network.modules())

    assert convolutions(peer) == convolutions(ours)
    own, other = (sum(p.numel() for p in each.parameters()) for each in (ours, peer))
    assert other == pytest.approx(own, rel=0.02)


class Memory(nn.Module):
    """Stateful, as SpikingJelly's networks are: every call adds its image to what it kept."""

    def __init__(self) -> None:
        super().__init__()
        self.kept = torch.zeros(())

    def reset(self) -> None:
        self.kept = torch.zeros(())

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        self.kept = self.kept + images.sum()
        return self.kept


def test_every_image_starts_at_rest() -> None:
    network = peers.Fresh(Memory())
    image = torch.ones(2, 3)
    assert network(image) == network(image) == 6


def test_openvino_computes_what_onnx_runtime_does() -> None:
    pytest.importorskip("openvino", reason="OpenVINO is a peer of the benchmarks alone")
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5)).eval()
    images = torch.rand(2, 3, 8, 8)
    compiled = peers.openvino_model(peers.plain_onnx(network, images), threads=1)
    with torch.inference_mode():
        wanted = network(images).numpy()
    np.testing.assert_allclose(compiled(images.numpy())[0], wanted, atol=1e-5)
