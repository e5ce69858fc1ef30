"""Running out of memory: recognised on every device, and answered with a batch size that fits."""

from __future__ import annotations

import gc
from collections.abc import Callable

import torch

_CPU_MESSAGES = ("can't allocate memory", "not enough memory")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether `error` says that the device, or the machine, has no memory left."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(text in str(error) for text in _CPU_MESSAGES)


def largest_fitting_batch(attempt: Callable[[int], object], failed: int, smallest: int = 2) -> int:
    """Halve the batch until a whole step of that size really goes through.

    Args:
        attempt: takes a step with a number of images; raises when memory runs out.
        failed: the size that did not fit.
        smallest: below this there is no point in trying.

    Returns:
        A size that went through; 0 if none did.
    """
    size = failed // 2
    while size >= smallest:
        release()
        try:
            attempt(size)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            size //= 2
            continue
        return size
    return 0


def release() -> None:
    """Give back what the failed step still held."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
