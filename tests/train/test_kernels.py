from __future__ import annotations

import shutil

import pytest
import torch
from torch import Tensor

from train import kernels
from train.config import LIFConfig
from train.neurons import LIF


def currents(steps: int, dtype: torch.dtype = torch.float32) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return (torch.randn(steps, 2, 7, 4, generator=generator) * 2 + 0.7).to(dtype)


def masks(steps: int) -> Tensor:
    return (torch.rand(steps, 2, 7, generator=torch.Generator().manual_seed(2)) > 0.3).float()


@pytest.mark.parametrize("v_reset", [0.0, None, -0.5])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("live", [None, masks(4)])
def test_loops_in_place_equal_the_functional_ones(
    v_reset: float | None, dtype: torch.dtype, live: Tensor | None
) -> None:
    for x in (currents(4, dtype), currents(1, dtype)):
        ours = kernels.lif_sequence_in_place(x, 4, 2.0, 1.0, v_reset, live)
        expected = kernels.lif_sequence(x, 4, 2.0, 1.0, v_reset, live)
        assert torch.equal(ours[0], expected[0]) and torch.equal(ours[1], expected[1])
        assert ours[0].dtype == dtype
    arguments = (currents(4, dtype), expected[1], 2.0, 1.0, v_reset is not None, "atan", 2.0, live)
    kept = arguments[0].clone()
    torch.testing.assert_close(
        kernels.lif_gradient_in_place(*arguments), kernels.lif_gradient(*arguments)
    )
    assert torch.equal(arguments[0], kept)


@pytest.mark.slow
@pytest.mark.skipif(not (shutil.which("g++") or shutil.which("clang++")), reason="no C++ compiler")
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_compiled_loops_equal_the_functional_ones() -> None:
    compiled = kernels.compiled_kernels()
    x = currents(3)
    spikes, membranes = compiled.lif_sequence(x, 3, 2.0, 1.0, 0.0, None)
    expected = kernels.lif_sequence(x, 3, 2.0, 1.0, 0.0, None)
    assert torch.equal(spikes, expected[0])
    torch.testing.assert_close(membranes, expected[1])
    arguments = (x, membranes, 2.0, 1.0, True, "sigmoid", 4.0, None)
    torch.testing.assert_close(compiled.lif_gradient(*arguments), kernels.lif_gradient(*arguments))


def test_neurons_run_the_chosen_loops_inside_the_context_only() -> None:
    asked = []

    def counted(*arguments: object) -> tuple[Tensor, Tensor]:
        asked.append(arguments)
        return kernels.lif_sequence(*arguments)  # type: ignore[arg-type]

    node = LIF(LIFConfig(), 3)
    with kernels.use_kernels(kernels.Kernels(lif_sequence=counted)):
        inside = node(currents(3))
    assert len(asked) == 1 and torch.equal(node(currents(3)), inside) and len(asked) == 1
