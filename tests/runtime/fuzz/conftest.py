"""How many cases: SPIKEHALT_FUZZ_CASES in all (2,000 by default; a nightly run takes 100,000)."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

TOTAL = int(os.environ.get("SPIKEHALT_FUZZ_CASES", "2000"))
# Shares of the total, by how fast a case is and how much there is to find.
SHARES = {
    "manifest": 0.25,
    "bundle": 0.15,
    "graph": 0.2,
    "image": 0.15,
    "frames": 0.1,
    "call": 0.1,
    "cli": 0.05,
}


def fuzz(target: str) -> settings:
    """Hypothesis settings with the target's share of the cases."""
    return settings(
        max_examples=max(1, round(TOTAL * SHARES[target])),
        deadline=None,
        database=None,
        derandomize=TOTAL <= 2000,  # the same cases in CI, new ones every night
        suppress_health_check=list(HealthCheck),
    )
