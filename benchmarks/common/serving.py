"""A candidate's side of processes.py: gets ready, waits for words, answers with figures.

Reads lines from standard input, writes one JSON object per line to standard output.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from runtime.sensors import EnergyMeter, open_sensor

Step = Callable[[], int]  # one repetition; returns how many images it classified
Say = Callable[[dict[str, Any]], None]
ROUND_S = 0.25


def _nothing() -> dict[str, Any]:
    return {}


@dataclass(frozen=True)
class Candidate:
    """Something to time.

    Attributes:
        step: one repetition.
        about: what to tell of it once it has run.
    """

    step: Step
    about: Callable[[], Mapping[str, Any]] = _nothing


def serve(build: Callable[[], Candidate], device: str = "cpu") -> None:
    """Build, warm up, and answer "run" and "energy" until standard input ends.

    Args:
        build: makes the candidate; whatever it raises is reported as the reason for no figures.
        device: whose energy is measured.
    """
    say = _own_output()
    try:
        candidate = build()
        candidate.step()
        candidate.step()
        say({"ready": True, **candidate.about()})
    except Exception as error:  # a peer that cannot be built is reported, not hidden
        say({"failed": _first_line(error)})
        return
    words: dict[str, Callable[[], dict[str, Any]]] = {
        "run": lambda: timed(candidate.step),
        "energy": lambda: energy_per_image(candidate.step, device),
    }
    for line in sys.stdin:
        try:
            say(words[line.strip()]())
        except Exception as error:  # such as memory that ran out in a later round
            say({"failed": _first_line(error)})


def timed(step: Step) -> dict[str, float]:
    """Wall and process time per image, milliseconds, over at least ROUND_S seconds."""
    images, wall, cpu = 0, time.perf_counter(), time.process_time()
    while images == 0 or time.perf_counter() - wall < ROUND_S:
        images += step()
    return {
        "wall_ms": (time.perf_counter() - wall) * 1e3 / images,
        "cpu_ms": (time.process_time() - cpu) * 1e3 / images,
    }


def energy_per_image(step: Step, device: str) -> dict[str, Any]:
    """What the device's sensor counts per image, in mJ, its idle share included; or why not."""
    meter = EnergyMeter(open_sensor("auto", device))
    try:
        begin, images = time.perf_counter(), 0
        meter.reset()
        while images == 0 or time.perf_counter() - begin < meter.min_window_s:
            images += step()
        used, problem = meter.energy_mj()
    finally:
        meter.close()
    return {"energy_mj": None if used is None else used / images, "note": meter.name or problem}


def _own_output() -> Say:
    """Write JSON lines to the real standard output; libraries' prints go to standard error."""
    out, sys.stdout = sys.stdout, sys.stderr

    def say(message: dict[str, Any]) -> None:
        out.write(json.dumps(message) + "\n")
        out.flush()

    return say


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0][:300]
