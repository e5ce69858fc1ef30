from __future__ import annotations

import shutil
from itertools import product

import pytest
import torch
from torch import Tensor

from train.config import LIFConfig
from train.models import kernels
from train.models.neurons import LIF


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


def test_every_variant_of_a_loop_is_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    """By a compiler that only counts: a run meets more variants than PyTorch's limit of eight."""
    made: list[object] = []

    def backend(graph: torch.fx.GraphModule, _: object) -> object:
        made.append(graph)
        return graph.forward

    real = torch.compile
    monkeypatch.setattr(
        torch,
        "compile",
        lambda loop, dynamic, options: real(loop, backend=backend, dynamic=dynamic),
    )
    kernels.compiled_kernels.cache_clear()
    try:
        loops = kernels.compiled_kernels()
        for steps, dtype in product((1, 2, 3, 4, 5), (torch.float32, torch.bfloat16)):
            for live in (None, masks(steps)):
                loops.lif_sequence(currents(steps, dtype), steps, 2.0, 1.0, 0.0, live)
    finally:
        kernels.compiled_kernels.cache_clear()
    assert len(made) == 5 * 2 * 2


@pytest.mark.parametrize("wanted", [True, False])
def test_loops_are_compiled_where_that_is_wanted(wanted: bool) -> None:
    chosen = kernels.choose_kernels(wanted, torch.device("cpu"))
    assert (chosen is kernels.compiled_kernels()) == wanted


@pytest.mark.parametrize(("device", "works", "compiled"), [
    ("cpu", True, False), ("cuda", True, True), ("cuda", False, False),
])  # fmt: skip
def test_loops_compile_by_themselves_on_a_gpu_that_can(
    monkeypatch: pytest.MonkeyPatch, device: str, works: bool, compiled: bool
) -> None:
    monkeypatch.setattr(kernels, "compiles_on", lambda _: works)
    chosen = kernels.choose_kernels(None, torch.device(device))
    assert (chosen is kernels.compiled_kernels()) == compiled


def test_a_compiler_that_is_not_there_is_told(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> tuple[Tensor, Tensor]:
        raise RuntimeError("Failed to find C compiler.\nMore of it")

    monkeypatch.setattr(kernels, "compiled_kernels", lambda: kernels.Kernels(lif_sequence=broken))
    assert not kernels.compiles_on(torch.device("cpu"))
    assert "run slower (Failed to find C compiler.)" in caplog.text
