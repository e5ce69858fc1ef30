"""How many cases: SPIKEHALT_FUZZ_CASES in all (2,000 by default; a nightly run takes 100,000).

A case that hangs ends its test with an error after `PATIENCE_S`, wherever Python code is hanging.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from tests.patience import ends_within

TOTAL = int(os.environ.get("SPIKEHALT_FUZZ_CASES", "2000"))
PATIENCE_S = 600 + TOTAL // 10  # far more than any test takes, even on a busy machine
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


@pytest.fixture(autouse=True)
def no_hang() -> Iterator[None]:
    """Fail the test that does not come to an end."""
    with ends_within(PATIENCE_S):
        yield


def fuzz(target: str) -> settings:
    """Hypothesis settings with the target's share of the cases."""
    return settings(
        max_examples=max(1, round(TOTAL * SHARES[target])),
        deadline=None,
        database=None,
        derandomize=TOTAL <= 2000,  # the same cases in CI, new ones every night
        suppress_health_check=list(HealthCheck),
    )
