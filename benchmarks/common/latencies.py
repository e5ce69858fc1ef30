"""Latencies of many answers, by part: mean, median and 90th centile."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from benchmarks.common.table import Column, Row, number, words


def latency_rows(parts: Mapping[str, NDArray[np.float64]]) -> list[Row]:
    """A row for each part, whose values are in ms."""
    return [
        Row(name, {
            "mean_ms": float(values.mean()), "median_ms": float(np.median(values)),
            "p90_ms": float(np.percentile(values, 90)),
        })
        for name, values in parts.items()
    ]  # fmt: skip


def latency_columns(title: str) -> list[Column]:
    """What `latency_rows` gives, under a title for the parts."""
    return [
        words(title), number("mean", "mean_ms", ".1f"), number("median", "median_ms", ".1f"),
        number("90 % within", "p90_ms", ".1f"),
    ]  # fmt: skip
