"""Communication between the processes of a run; with one process each function is the identity.

Fabric starts the processes and averages gradients; here are the sums that it does not know about:
losses, flags, evaluation counts and batch statistics.
"""

from __future__ import annotations

from typing import Any, TypeVar, cast

import torch
from torch import Tensor, distributed

T = TypeVar("T")


def rank_and_world() -> tuple[int, int]:
    """This process's number and how many there are."""
    if distributed.is_available() and distributed.is_initialized():
        return distributed.get_rank(), distributed.get_world_size()
    return 0, 1


def sum_over_processes(x: Tensor) -> Tensor:
    """`x` summed over the processes, without gradient; every process must call it."""
    if rank_and_world()[1] == 1:
        return x
    total = x.detach().clone()
    distributed.all_reduce(total)
    return total


def gather(value: T) -> list[T]:
    """Every process's `value`, by rank; plain data and tensors on the CPU."""
    world = rank_and_world()[1]
    if world == 1:
        return [value]
    values: list[Any] = [None] * world
    distributed.all_gather_object(values, value)
    return values


class _DifferentiableSum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return sum_over_processes(x)

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Tensor:
        return sum_over_processes(grads[0].contiguous())


def differentiable_sum(x: Tensor) -> Tensor:
    """`x` summed over the processes; its gradient is the sum of theirs."""
    if rank_and_world()[1] == 1:
        return x
    return cast(Tensor, _DifferentiableSum.apply(x))
