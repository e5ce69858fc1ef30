from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from spikehalt.errors import OutOfMemoryError
from tests.train.samples import quick_run
from train.data import Split
from train.loop.phase import steps as loop
from train.loop.phase.memory import is_out_of_memory, largest_fitting_batch
from train.loop.run import run


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (torch.OutOfMemoryError("CUDA out of memory"), True),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 1"), True),
        (MemoryError(), True),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), False),
        (ValueError("not enough memory"), False),
    ],
)
def test_memory_errors_are_told_from_others(error: Exception, expected: bool) -> None:
    assert is_out_of_memory(error) is expected


def limited(limit: int) -> Any:
    tried: list[int] = []

    def attempt(size: int) -> None:
        tried.append(size)
        if size > limit:
            raise torch.OutOfMemoryError("CUDA out of memory")

    return attempt, tried


@pytest.mark.parametrize(
    ("limit", "fits", "tried"), [(20, 16, [32, 16]), (1, 0, [32, 16, 8, 4, 2])]
)
def test_halves_until_a_step_goes_through(limit: int, fits: int, tried: list[int]) -> None:
    attempt, seen = limited(limit)
    assert largest_fitting_batch(attempt, 64) == fits and seen == tried


def test_other_errors_are_not_swallowed() -> None:
    def attempt(size: int) -> None:
        raise RuntimeError("shapes cannot be multiplied")

    with pytest.raises(RuntimeError, match="shapes"):
        largest_fitting_batch(attempt, 64)


@pytest.mark.parametrize(
    ("limit", "message"),
    [
        (20, r"out of memory at batch_size 64 in phase static; 16 fits \(tried\): --batch-size 16"),
        (1, "not even 2 images fit"),
    ],
)
def test_a_run_says_which_batch_size_would_fit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: int, message: str
) -> None:
    step = loop.train_step

    def hungry(phase: Any, batch: Split) -> torch.Tensor:
        if len(batch) > limit:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return step(phase, batch)

    monkeypatch.setattr(loop, "train_step", hungry)
    with pytest.raises(OutOfMemoryError, match=message):
        run(quick_run(tmp_path))


def test_another_runtime_error_in_a_step_is_not_a_memory_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(phase: Any, batch: Split) -> torch.Tensor:
        raise RuntimeError("shapes cannot be multiplied")

    monkeypatch.setattr(loop, "train_step", broken)
    with pytest.raises(RuntimeError, match="shapes"):
        run(quick_run(tmp_path))
