"""Random op inputs that hypothesis shrinks: sizes at tile edges, dyadic values, live patterns.

Dyadic values (multiples of 1/32, small) make every sum exact, so results must agree bit for bit
whatever the order of summation.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st

Array = npt.NDArray[Any]

TOKENS = (1, 2, 31, 32, 33, 64, 65, 197)
DTYPES = (np.float32, np.float16)
LIVE_PATTERNS = ("all", "none", "one", "some")

tokens = st.sampled_from(TOKENS)
dtypes = st.sampled_from(DTYPES)
live_patterns = st.sampled_from(LIVE_PATTERNS)
seeds = st.integers(0, 2**32 - 1)
batches = st.integers(1, 3)
widths = st.integers(1, 17)


def dyadic(
    rng: np.random.Generator, shape: tuple[int, ...], dtype: npt.DTypeLike, low: int = -96
) -> Array:
    """Multiples of 1/32 from `low` / 32 to 3, exact in float16."""
    return np.asarray(rng.integers(low, 97, shape) / 32).astype(dtype)


def live_mask(rng: np.random.Generator, shape: tuple[int, ...], pattern: str) -> Array:
    """int32 mask: everyone, nobody, one token of all, or a random half."""
    live = np.zeros(shape, np.int32)
    if pattern == "all":
        live[...] = 1
    elif pattern == "one":
        live.flat[rng.integers(live.size)] = 1
    elif pattern == "some":
        live[...] = rng.integers(0, 2, shape)
    return live


def packed_steps(
    rng: np.random.Generator, counts: Sequence[int], D: int, dtype: npt.DTypeLike = np.float32
) -> dict[str, Array]:
    """Inputs of PackedLIFSteps: so many rows at each timestep, of any of the one before."""
    rows_before = (9, *counts[:-1])
    row = [rng.integers(0, max(n, 1), m) for n, m in zip(rows_before, counts, strict=True)]
    return {
        "x": dyadic(rng, (sum(counts), D), dtype),
        "v": dyadic(rng, (9, D), dtype),
        "row": np.concatenate(row),
        "count": np.array(counts, np.int64),
    }


def merge_inputs(
    seed: int, B: int, K: int, D: int, dtype: npt.DTypeLike, pattern: str
) -> dict[str, Array]:
    """Tokens of few distinct small values, so that equal similarities are common."""
    rng = np.random.default_rng(seed)
    return {
        "x": rng.integers(0, 3, (B, K, D)).astype(dtype),
        "size": rng.integers(1, 5, (B, K)).astype(np.float32),
        "live": live_mask(rng, (B, K), pattern),
        "source": np.array([[-1]], np.int32),
    }


def halt_inputs(
    seed: int, shape: tuple[int, ...], D: int, dtype: npt.DTypeLike, pattern: str
) -> dict[str, Array]:
    """Inputs of TokenHalt for tokens of leading `shape`."""
    rng = np.random.default_rng(seed)
    return {
        "x": dyadic(rng, (*shape, D), dtype),
        "size": rng.integers(1, 5, shape).astype(np.float32),
        "hist": rng.integers(0, 33, shape).astype(np.float32) / 64,
        "cum": rng.integers(0, 33, shape).astype(np.float32) / 64,
        "live": live_mask(rng, shape, pattern),
        "epsilon": np.array(rng.integers(0, 9) / 64, np.float32),
    }


def index_of(live: Array) -> Array:
    """b * K + k of the live tokens of an int32 mask [B, K], int64 [M]."""
    return np.flatnonzero(live).astype(np.int64)


def place_of(live: Array) -> Array:
    """The row of each slot among the live ones, int64 [B * K]; their number where it has none."""
    alive = live.reshape(-1) != 0
    return np.where(alive, np.cumsum(alive) - 1, alive.sum()).astype(np.int64)


def spikes(rng: np.random.Generator, shape: tuple[int, ...], dtype: npt.DTypeLike) -> Array:
    """Zeros and ones, three in ten of them ones."""
    return (rng.random(shape) < 0.3).astype(dtype)


def tied_merge_inputs(seed: int, B: int, K: int, D: int) -> dict[str, Array]:
    """Tokens along a few directions, of many lengths: true cosines tie, their roots round."""
    rng = np.random.default_rng(seed)
    directions = rng.integers(0, 6, (3, D))
    lengths = rng.integers(1, 60, (B, K, 1))
    feeds = merge_inputs(seed, B, K, D, np.float32, "some")
    return feeds | {"x": (directions[rng.integers(0, 3, (B, K))] * lengths).astype(np.float32)}


_COSINE = np.float32(3) / np.float32(5)
TIED_THRESHOLDS = tuple(
    float(each) for each in (np.nextafter(_COSINE, 0), _COSINE, np.nextafter(_COSINE, 1), 0.6, 1)
)
"""Similarities about 3/5, a unit in the last place apart."""


def threshold_inputs(seed: int, B: int, K: int) -> dict[str, Array]:
    """Tokens of many lengths along (1, 0) or (0, 1), odd ones (3, 4): cosines are 3/5 and 4/5."""
    rng = np.random.default_rng(seed)
    directions = np.array([[1, 0], [0, 1]])[rng.integers(0, 2, (B, K))]
    directions[:, 1::2] = 3, 4
    x = (directions * 2.0 ** rng.integers(-3, 4, (B, K, 1))).astype(np.float32)
    return merge_inputs(seed, B, K, 2, np.float32, "some") | {"x": x}


def layer(
    rng: np.random.Generator, shape: tuple[int, ...], inputs: int, outputs: int, *, density: float
) -> dict[str, Array]:
    """x of multiples of 1/4, of which a share is not zero, and dyadic weight and bias, float32."""
    x = rng.integers(1, 8, shape) / 4 * (rng.random(shape) < density)
    weight, bias = dyadic(rng, (inputs, outputs), np.float32), dyadic(rng, (outputs,), np.float32)
    return {"x": x.astype(np.float32), "weight": weight, "bias": bias}


def integer_layer(
    rng: np.random.Generator,
    shape: tuple[int, ...],
    inputs: int,
    outputs: int,
    *,
    density: float,
    highest: int = 255,
) -> dict[str, Array]:
    """x of bytes up to `highest`, of which a share is not zero, and weights of all signed bytes."""
    x = (rng.integers(1, highest + 1, shape) * (rng.random(shape) < density)).astype(np.uint8)
    return {"x": x, "weight": rng.integers(-128, 128, (inputs, outputs)).astype(np.int8)}
