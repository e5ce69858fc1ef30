"""Checks that refuse values; each names the value and what it must be."""

from __future__ import annotations

from spikehalt.errors import ConfigError


def require(condition: bool, message: str) -> None:
    """Raise ConfigError with `message` unless `condition` holds."""
    if not condition:
        raise ConfigError(message)


def check_epsilon(epsilon: float) -> None:
    """Refuse a halting margin outside [0, 1): from 1 on, tokens would halt before any block.

    Raises:
        ConfigError: the margin is named.
    """
    require(0 <= epsilon < 1, f"epsilon is {epsilon}, must be in [0, 1)")


def check_merge_threshold(threshold: float) -> None:
    """Refuse a threshold of merging that is no cosine above 0, nor 0 for none.

    Raises:
        ConfigError: the threshold is named.
    """
    require(
        0 <= threshold <= 1,
        f"merge_threshold is {threshold}, must be in (0, 1], or 0: no tokens merge",
    )


def check_max_drop(max_drop: float) -> None:
    """Refuse a negative share of accuracy.

    Raises:
        ConfigError: with what to give instead.
    """
    require(
        max_drop >= 0,
        f"max_drop is {max_drop}, must be >= 0: the share of accuracy that exits may cost, as "
        "0.005; 0 allows none",
    )
