from __future__ import annotations

import torch

from train.models.layers import ConvBN, LinearBN


def test_absent_rows_are_left_out_of_product_and_statistics() -> None:
    layer, alone = LinearBN(4, 6), LinearBN(4, 6)
    alone.load_state_dict(layer.state_dict())
    x = torch.randn(2, 3, 5, 4)
    live = (torch.rand(2, 3, 5) > 0.5).float()
    x[live == 0] = 1e6
    currents = layer(x, live)
    rows = alone(x[live > 0].view(1, 1, -1, 4))
    torch.testing.assert_close(currents[live > 0], rows[0, 0])
    assert (currents[live == 0] == 0).all()
    torch.testing.assert_close(layer.bn.running_mean, alone.bn.running_mean)
    torch.testing.assert_close(layer.bn.running_var, alone.bn.running_var)


def test_all_rows_absent_is_zero_and_has_gradients() -> None:
    layer = LinearBN(4, 6)
    x = torch.randn(2, 1, 3, 4, requires_grad=True)
    before = layer.bn.running_mean.clone()
    out = layer(x, torch.zeros(2, 1, 3))
    out.sum().backward()
    assert (out == 0).all() and torch.equal(layer.bn.running_mean, before)
    assert layer.linear.weight.grad is not None and (layer.linear.weight.grad == 0).all()


def test_a_single_row_takes_the_running_statistics() -> None:
    layer = LinearBN(4, 6)
    x, live = torch.randn(1, 1, 3, 4), torch.tensor([[[0.0, 1.0, 0.0]]])
    training = layer(x, live)
    torch.testing.assert_close(training, layer.eval()(x, live))


def test_convolution_folds_time_into_the_batch() -> None:
    layer = ConvBN(2, 4).eval()
    x = torch.randn(3, 2, 2, 5, 5)
    torch.testing.assert_close(layer(x)[1], layer(x[1:2])[0])
