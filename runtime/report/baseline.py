"""What figures are compared with: the same images with all timesteps, and calls of one image."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runtime.calibration.evidence import Observed, Point
from runtime.engine import Engine
from spikehalt.exits import NEVER

SINGLE_CALLS = 20


def all_timesteps(observed: Observed, *, labelled: bool) -> dict[str, Any]:
    """The summary's figures, had no image left early; energy None where graphs count operations."""
    point = observed.point(NEVER.name, None, observed.correct[:, -1])
    counted = observed.manifest.instrumented
    return {
        "accuracy": point.accuracy if labelled else None,
        "average_timesteps": point.average_timesteps,
        "average_tokens": point.average_tokens,
        "energy_mj": None if counted else point.energy_mj,
    }


def operating_point(engine: Engine, observed: Observed) -> Point | None:
    """Where the engine's policy and threshold are on its curve; None without one."""
    settings = engine.settings
    cut = settings.max_timesteps < engine.manifest.timesteps
    if settings.threshold is None or cut:
        return None
    return observed.point(settings.policy, settings.threshold, observed.correct[:, -1])


def single_calls(engine: Engine, inputs: Sequence[NDArray[Any]]) -> dict[str, float]:
    """Median time of calls with one image, as the engine is set and with all timesteps, in turn."""
    early, full = list[float](), list[float]()
    for one in inputs:
        early.append(call_ms(engine, one))
        full.append(call_ms(engine, one, policy=NEVER.name))
    return {
        "calls": len(inputs),
        "latency_ms": float(np.median(early)),
        "all_timesteps_latency_ms": float(np.median(full)),
    }


def call_ms(engine: Engine, one: NDArray[Any], **overrides: Any) -> float:
    """Wall time of a call with one image."""
    begin = time.perf_counter()
    engine(one[None], **overrides)
    return (time.perf_counter() - begin) * 1e3


def on_curve(curve: list[Point], point: Point | None) -> list[dict[str, Any]]:
    """Plain values of a policy's curve, safest first, with the point in use among them."""
    here = point is not None and bool(curve) and point.policy == curve[0].policy
    points = [*curve, *([point] if here and point is not None and point not in curve else [])]
    return [asdict(each) for each in sorted(points, key=lambda each: -each.average_timesteps)]
