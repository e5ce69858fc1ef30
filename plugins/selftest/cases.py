"""What `python -m plugins selftest` runs: awkward sizes, and how far a result may be off."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Any

import numpy as np

from plugins.common.types import Array
from plugins.lif import lif
from plugins.selftest import calls
from plugins.selftest.calls import Call
from plugins.selftest.device import Device
from plugins.token_halt import token_halt
from plugins.token_merge import token_merge

TOKENS = (1, 2, 31, 32, 33, 64, 65, 197)
QUICK_TOKENS = (1, 33, 64)
WIDTHS = (1, 17, 64, 384)
DTYPES = (np.float32, np.float16)

Outputs = tuple[Array, ...]


@dataclass(frozen=True)
class Case:
    """One comparison of a kernel with its reference.

    Args:
        op: the op's name.
        label: sizes and types, for the reader of a failure.
        prepare: makes the launch on a device.
        reference: computes the same in numpy.
        tolerance: largest difference allowed; 0 means bit for bit.
    """

    op: str
    label: str
    prepare: Callable[[Device], Call]
    reference: Callable[[], Outputs]
    tolerance: float


def all_cases(*, quick: bool) -> Iterator[Case]:
    """Every case, or with `quick` a tenth of them."""
    tokens = QUICK_TOKENS if quick else TOKENS
    widths = WIDTHS[1:3] if quick else WIDTHS
    for seed, (K, D, dtype) in enumerate(product(tokens, widths, DTYPES)):
        rng = np.random.default_rng(seed)
        yield from _lif_cases(rng, K, D, dtype)
        yield from _halt_cases(rng, K, D, dtype)
        if K > 1:
            yield from _merge_cases(rng, K, D, dtype)


def _lif_cases(rng: np.random.Generator, K: int, D: int, dtype: Any) -> Iterator[Case]:
    """One and several steps, both resets, every spike type; the kernel rounds as numpy does."""
    for steps, reset, spike in (
        (1, "hard", np.int8),
        (1, "soft", np.float16),
        (4, "hard", np.float32),
    ):
        leading = (steps,) if steps > 1 else ()
        x = rng.normal(size=(*leading, 2, K, D)).astype(dtype)
        v = rng.normal(size=(2, K, D) if reset == "soft" else 1).astype(dtype)
        options: dict[str, Any] = {
            "decay": 0.5, "threshold": 0.5, "reset": reset, "spike_type": spike, "steps": steps,
        }  # fmt: skip
        yield Case(
            "LIF",
            f"K={K} D={D} {np.dtype(dtype)} steps={steps} {reset} {np.dtype(spike)}",
            partial(calls.prepare_lif, x=x, v=v, **options),
            partial(lif, x, v, **options),
            tolerance=0.0,
        )


def _halt_cases(rng: np.random.Generator, K: int, D: int, dtype: Any) -> Iterator[Case]:
    """Packed rows and sums, the last block and others, some tokens dead, some halting."""
    for reduce, last in product((False, True), (False, True)):
        shape = (3, K) if reduce else (3 * K,)
        feeds: dict[str, Any] = {
            "x": rng.normal(size=(*shape, D)).astype(dtype),
            "size": rng.integers(1, 5, shape).astype(np.float32),
            "hist": rng.random(shape, np.float32) / 4,
            "cum": rng.random(shape, np.float32) / 4,
            "live": rng.integers(0, 2, shape).astype(np.int32),
            "epsilon": np.array(0, np.float32),
        }
        options: dict[str, Any] = {"alpha": 2.0, "beta": -1.0, "last": last, "reduce": reduce}
        feeds["epsilon"] = _clear_epsilon(token_halt(**feeds, **options)[2])
        yield Case(
            "TokenHaltSum" if reduce else "TokenHalt",
            f"K={K} D={D} {np.dtype(dtype)} last={last}",
            partial(calls.prepare_token_halt, **feeds, **options),
            partial(token_halt, **feeds, **options),
            tolerance=1e-5 * K,
        )


def _clear_epsilon(sums: Array) -> Array:
    """An epsilon whose threshold lies in the widest gap between the tokens' sums.

    So no decision hangs on how the sigmoid is rounded, and some tokens halt while others do not.
    """
    ordered = np.sort(sums, axis=None)
    gaps = np.diff(ordered)
    middle = ordered[0] - 1 if gaps.size == 0 else ordered[gaps.argmax()] + gaps.max() / 2
    return np.asarray(1 - middle, dtype=np.float32)


def _merge_cases(rng: np.random.Generator, K: int, D: int, dtype: Any) -> Iterator[Case]:
    """Small whole numbers, so that sums are exact and ties common; everyone, some, nobody alive."""
    for share in (1.0, 0.5, 0.0):
        feeds: dict[str, Any] = {
            "x": rng.integers(0, 3, (2, K, D)).astype(dtype),
            "size": rng.integers(1, 5, (2, K)).astype(np.float32),
            "live": (rng.random((2, K)) < share).astype(np.int32),
            "source": np.array([[-1]], np.int32),
        }
        gamma = max(1, K // 3)
        yield Case(
            "TokenMerge",
            f"K={K} D={D} {np.dtype(dtype)} gamma={gamma} alive={share}",
            partial(calls.prepare_token_merge, **feeds, gamma=gamma),
            partial(token_merge, **feeds, gamma=gamma),
            tolerance=0.0,
        )
