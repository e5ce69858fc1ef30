"""Matrix products by oneDNN: the same as PyTorch's, forward and backward."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from train.models import products

pytestmark = pytest.mark.skipif(
    not hasattr(torch.ops.mkldnn, "_linear_pointwise"), reason="this PyTorch has no oneDNN product"
)


@pytest.fixture
def everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a processor with AVX-512."""
    monkeypatch.setattr(products, "has_onednn_products", lambda: True)


def dyadic(*shape: int, seed: int = 0) -> Tensor:
    """Values whose products and sums are exact in float32, in whatever order."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(-8, 9, shape, generator=generator) / 16


def results(layer: nn.Linear, x: Tensor, gradient: Tensor) -> list[Tensor]:
    """Output and both gradients."""
    x, layer.weight.grad = x.clone().requires_grad_(), None
    y = layer(x)
    y.backward(gradient)
    assert x.grad is not None and layer.weight.grad is not None
    return [y.detach(), x.grad, layer.weight.grad]


@pytest.mark.usefixtures("everywhere")
@pytest.mark.parametrize("rows", [1, 31, 64, 65])
def test_output_and_gradients_are_those_of_pytorch(rows: int) -> None:
    ours, theirs = products.Linear(24, 17), nn.Linear(24, 17, bias=False)
    ours.weight.data = theirs.weight.data = dyadic(17, 24)
    x, gradient = dyadic(rows, 24, seed=1), dyadic(rows, 17, seed=2)
    pairs = zip(results(ours, x, gradient), results(theirs, x, gradient), strict=True)
    for found, expected in pairs:
        assert torch.equal(found, expected)


@pytest.mark.usefixtures("everywhere")
def test_a_gradient_nobody_wants_is_not_computed() -> None:
    layer = products.Linear(8, 8)
    layer(dyadic(4, 8)).sum().backward()
    assert layer.weight.grad is not None
    layer.weight.requires_grad_(requires_grad=False)
    x = dyadic(4, 8).requires_grad_()
    layer(x).sum().backward()
    assert x.grad is not None


@pytest.mark.usefixtures("everywhere")
def test_other_dtypes_autocast_and_no_rows_go_to_pytorch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(products, "_product", lambda a, b: pytest.fail("oneDNN was called"))
    assert products.Linear(8, 4).double()(torch.ones(3, 8).double()).dtype == torch.float64
    with torch.autocast("cpu", torch.bfloat16):
        assert products.Linear(8, 4)(torch.ones(3, 8)).dtype == torch.bfloat16
    assert products.Linear(8, 4)(torch.ones(0, 8)).shape == (0, 4)


def test_the_choice_depends_on_the_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    for capability, chosen in (("AVX2", False), ("AVX512", True)):
        monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda c=capability: c)
        products.has_onednn_products.cache_clear()
        assert products.has_onednn_products() is (chosen and torch.backends.mkldnn.is_available())
    products.has_onednn_products.cache_clear()
