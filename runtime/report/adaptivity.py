"""Whether computation follows the image: what easy and hard images get.

How hard an image is says the bundle's own certainty of its answer after all timesteps, the same
computation for everyone; so no labels are needed.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from runtime.results.result import Result
from runtime.results.trajectory import Trajectory
from spikehalt.exits import CONFIDENCE

FEWEST = 8  # images, two in each quarter
BINS = 10  # of the histogram of computation
QUARTERS = ("easiest quarter", "second", "third", "hardest quarter")

Doubles = NDArray[np.float64]


def adaptivity(
    result: Result,
    trajectory: Trajectory,
    labels: NDArray[np.int64] | None,
    reasons: dict[str, str],
) -> dict[str, Any] | None:
    """Figures by quarters of difficulty, and how computation spreads over images.

    Computation is an image's live tokens over all tokens of all blocks and all T timesteps.

    Args:
        result: of the images as the engine is set.
        trajectory: of the same images over all timesteps.
        labels: the right answers; None where they are not known.
        reasons: gets the reason where there are too few images.

    Returns:
        Plain values; None for fewer than `FEWEST` images.
    """
    if len(result) < FEWEST:
        reasons["adaptivity"] = f"it compares quarters of the images, which takes {FEWEST} or more"
        return None
    sure = trajectory.scores(CONFIDENCE.name)[:, -1].astype(np.float64)
    computed = computation(result)
    order = np.argsort(-sure, kind="stable")
    quarters = [
        _quarter(name, rows, result, computed, sure, labels)
        for name, rows in zip(QUARTERS, np.array_split(order, 4), strict=True)
    ]
    easy, hard = quarters[0]["computation"], quarters[-1]["computation"]
    counts, _ = np.histogram(computed, BINS, (0.0, 1.0))
    return {
        "quarters": quarters,
        "hard_over_easy": hard / easy if easy else None,
        "rank_correlation": rank_correlation(computed, sure),
        "computation": [int(count) for count in counts],
    }


def computation(result: Result) -> Doubles:
    """float64 [B]: live tokens over all tokens of all blocks and all T timesteps."""
    manifest = result.manifest
    everything = manifest.timesteps * manifest.blocks * manifest.tokens
    return np.asarray(result.live_tokens.sum(axis=(1, 2), dtype=np.float64) / everything)


def rank_correlation(computed: Doubles, sure: Doubles) -> float | None:
    """Spearman's, of computation with certainty; None where either is the same for all."""
    first, second = _ranks(computed), _ranks(sure)
    if first.std() == 0 or second.std() == 0:
        return None
    return float(np.corrcoef(first, second)[0, 1])


def _ranks(values: Doubles) -> Doubles:
    """Ranks of values; equal ones share the mean of theirs."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(counts) - (counts - 1) / 2)[place], dtype=np.float64)


def _quarter(
    name: str,
    rows: NDArray[np.int64],
    result: Result,
    computed: Doubles,
    sure: Doubles,
    labels: NDArray[np.int64] | None,
) -> dict[str, Any]:
    energy = result.energy_mj
    return {
        "name": name,
        "images": len(rows),
        "certainty": float(sure[rows].mean()),
        "accuracy": None if labels is None else float((result.labels == labels)[rows].mean()),
        "timesteps": float(result.timesteps[rows].mean()),
        "average_tokens": float(result.average_tokens[rows].mean()),
        "computation": float(computed[rows].mean()),
        "energy_mj": None if energy is None else float(energy[rows].mean()),
    }
