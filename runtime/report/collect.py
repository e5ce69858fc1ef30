"""Running a bundle on some files and gathering what the report shows, as plain JSON values.

What cannot be shown (no labels, no live masks, no constants) is None, and its reason stands under
`reasons` by the same name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runtime.bundle import InputSpec
from runtime.calibration.evidence import Observed, Point
from runtime.engine import Engine
from runtime.errors import InputError
from runtime.inputs.files import Sample, class_indices, load_sample, spread
from runtime.report.adaptivity import adaptivity
from runtime.report.baseline import (
    SINGLE_CALLS,
    all_timesteps,
    on_curve,
    operating_point,
    single_calls,
)
from runtime.report.comparison import agreement, calls_in_turn, check_comparable
from runtime.report.conditions import conditions
from runtime.report.pictures import Picture, make_picture, missing_heat_maps
from runtime.results.result import Result, concatenate
from runtime.results.trajectory import Trajectory, join
from spikehalt.exits import calibrated_names

SHOWN = 12  # pictures in the grid
EXAMPLES = 6  # easy and hard ones
CURVE_POINTS = 60

Ticking = Callable[[Iterable[int], int], Iterator[int]]


@dataclass(frozen=True)
class Other:
    """A second bundle to compare with.

    Attributes:
        engine: of it.
        spec: its input, as `collect`'s.
        names: what the report calls the first bundle and this one.
    """

    engine: Engine
    spec: InputSpec
    names: tuple[str, str]


@dataclass(frozen=True)
class Collected:
    """What a report shows.

    Attributes:
        data: figures, as plain JSON values.
        pictures: by sample number, those the page shows.
    """

    data: dict[str, Any]
    pictures: dict[int, Picture]


def collect(
    engine: Engine,
    samples: Sequence[Sample],
    identity: Sequence[tuple[str, str]],
    *,
    batch: int = 16,
    spec: InputSpec | None = None,
    against: Other | None = None,
    ticking: Ticking | None = None,
) -> Collected:
    """Run the engine as it is set, and once more with all timesteps for the curves.

    Args:
        engine: with the policy to report on.
        samples: files; labels are the folders they lie in, if all of these are classes.
        identity: the bundle's identity card, names and values.
        batch: images at once.
        spec: the bundle's input, where files are to become inputs in another way than its own.
        against: what to compare with on the same files.
        ticking: wraps the batches to show progress, called with their starts and their number.

    Raises:
        ConfigError: `against` takes other inputs or has other classes.
    """
    reasons: dict[str, str] = {}
    spec = spec or engine.manifest.input
    if against is not None:
        check_comparable(engine, against.engine)
    run = _run(engine, spec, samples, batch, ticking, reasons)
    result, labels = run.result, run.labels
    groups = _groups(result)
    data = {
        "identity": [list(row) for row in identity],
        "conditions": [list(row) for row in conditions(engine, batch)],
        "settings": asdict(engine.settings),
        "classes": list(engine.manifest.classes),
        "summary": _summary(result, labels, reasons),
        "all_timesteps": all_timesteps(run.observed, labelled=labels is not None),
        "exits": _exits(result),
        "live_share": _live_share(result),
        "adaptivity": adaptivity(result, run.observed.trajectory, labels, reasons),
        "curves": None if labels is None else _curves(engine, run.observed),
        "operating_point": _plain(operating_point(engine, run.observed)),
        "stats": asdict(engine.stats),
        "images": _images(samples, result, labels),
        "groups": groups,
        "reasons": reasons,
    }
    few = spread(samples, SINGLE_CALLS)
    data["single"] = single_calls(engine, [load_sample(each, spec) for each in few])
    data["against"] = (
        None
        if against is None
        else _against(engine, spec, run, against, samples=samples, batch=batch, ticking=ticking)
    )
    shown = sorted({number for numbers in groups.values() for number in numbers})
    pictures = {number: _picture(engine, spec, samples[number], number, result) for number in shown}
    missing = missing_heat_maps(engine.manifest)
    if missing:
        reasons["heat_maps"] = missing
    return Collected(data, pictures)


def _against(
    engine: Engine,
    spec: InputSpec,
    run: _Run,
    other: Other,
    *,
    samples: Sequence[Sample],
    batch: int,
    ticking: Ticking | None,
) -> dict[str, Any]:
    """The other bundle's figures on the same files, and times of both in turn."""
    reasons: dict[str, str] = {}
    theirs = _run(other.engine, other.spec, samples, batch, ticking, reasons)
    few = spread(samples, SINGLE_CALLS)
    inputs = [[load_sample(each, one) for each in few] for one in (spec, other.spec)]
    this_ms, other_ms = calls_in_turn((engine, other.engine), inputs)
    return {
        "names": list(other.names),
        "settings": asdict(other.engine.settings),
        "summary": _summary(theirs.result, theirs.labels, reasons),
        "this_call_ms": this_ms,
        "call_ms": other_ms,
        "calls": len(few),
        "agreement": agreement(run.result, theirs.result, run.labels),
    }


def _picture(
    engine: Engine, spec: InputSpec, sample: Sample, number: int, result: Result
) -> Picture:
    masks = None if result.live_masks is None else [mask[number] for mask in result.live_masks]
    data = load_sample(sample, spec)
    return make_picture(engine.manifest, data, masks, int(result.timesteps[number]))


def _labels(
    engine: Engine, samples: Sequence[Sample], reasons: dict[str, str]
) -> NDArray[np.int64] | None:
    try:
        return class_indices(samples, engine.manifest.classes)
    except InputError as error:
        reasons["accuracy"] = reasons["curves"] = f"the files are not labelled: {error}"
        return None


@dataclass(frozen=True)
class _Run:
    """One engine on the samples: as it is set, and recorded over all timesteps."""

    result: Result
    labels: NDArray[np.int64] | None
    observed: Observed


def _run(
    engine: Engine,
    spec: InputSpec,
    samples: Sequence[Sample],
    batch: int,
    ticking: Ticking | None,
    reasons: dict[str, str],
) -> _Run:
    labels = _labels(engine, samples, reasons)
    masks = engine.manifest.live_masks
    starts = range(0, len(samples), batch)
    results, trajectories = [], []
    for start in starts if ticking is None else ticking(starts, len(starts)):
        part = samples[start : start + batch]
        data = np.stack([load_sample(each, spec) for each in part])
        if start == 0:  # the first run allocates: it must not count as time
            engine(data)
            engine.reset_stats()
        results.append(engine(data, live_masks=masks))
        trajectories.append(engine.record(data))
    return _Run(concatenate(results), labels, _observed(engine, join(trajectories), labels))


def _summary(
    result: Result, labels: NDArray[np.int64] | None, reasons: dict[str, str]
) -> dict[str, Any]:
    energy = result.energy_mj
    if energy is None:
        reasons["energy_mj"] = "the bundle has no energy constants"
    return {
        "images": len(result),
        "accuracy": None if labels is None else float((result.labels == labels).mean()),
        "average_timesteps": float(result.timesteps.mean()),
        "average_tokens": float(result.average_tokens.mean()),
        "energy_mj": None if energy is None else float(energy.mean()),
    }


def _exits(result: Result) -> list[dict[str, int]]:
    """How many images left after each exit point."""
    manifest = result.manifest
    points = range(manifest.chunk, manifest.timesteps + 1, manifest.chunk)
    return [{"timestep": t, "images": int((result.timesteps == t).sum())} for t in points]


def _live_share(result: Result) -> list[list[float | None]]:
    """[T][L]: live tokens over K_0, over images that ran the timestep; None where none did."""
    ran = np.arange(result.manifest.timesteps) < result.timesteps[:, None]  # [B, T]
    counts = ran.sum(axis=0)
    totals = result.live_tokens.sum(axis=0) / result.manifest.tokens  # [T, L]
    return [
        [None if count == 0 else float(value / count) for value in row]
        for row, count in zip(totals, counts, strict=True)
    ]


def _observed(engine: Engine, trajectory: Trajectory, labels: NDArray[np.int64] | None) -> Observed:
    """The recording; without labels its accuracies mean nothing."""
    return Observed(
        manifest=engine.manifest,
        trajectory=trajectory,
        labels=np.zeros(len(trajectory), np.int64) if labels is None else labels,
        epsilon=engine.settings.epsilon,
    )


def _plain(point: Point | None) -> dict[str, Any] | None:
    return None if point is None else asdict(point)


def _curves(engine: Engine, observed: Observed) -> dict[str, list[dict[str, Any]]]:
    reference, point = observed.correct[:, -1], operating_point(engine, observed)
    return {
        policy: on_curve(_thinned(observed.curve(policy, reference)), point)
        for policy in calibrated_names(engine.manifest.halting.mode)
    }


def _thinned(curve: list[Point]) -> list[Point]:
    """Points at which something changes, at most `CURVE_POINTS`."""
    changed = [
        point
        for point, before in zip(curve, [None, *curve], strict=False)
        if before is None or point.average_timesteps != before.average_timesteps
    ]
    picks = np.linspace(0, len(changed) - 1, min(len(changed), CURVE_POINTS)).round().astype(int)
    return [changed[pick] for pick in np.unique(picks)]


def _images(
    samples: Sequence[Sample], result: Result, labels: NDArray[np.int64] | None
) -> list[dict[str, Any]]:
    average = result.average_tokens
    return [
        {
            "name": sample.name,
            "answer": result.manifest.classes[result.labels[number]],
            "truth": None if labels is None else result.manifest.classes[labels[number]],
            "probability": float(result.probabilities[number].max()),
            "timesteps": int(result.timesteps[number]),
            "average_tokens": float(average[number]),
        }
        for number, sample in enumerate(samples)
    ]


def _groups(result: Result) -> dict[str, list[int]]:
    """Sample numbers of the pictures shown: spread over the data, the easiest, the hardest."""
    sure = result.probabilities.max(axis=1)
    effort = np.lexsort((-sure, result.timesteps))  # fewest timesteps, then most certain
    count = len(result)
    spread = np.unique(np.linspace(0, count - 1, min(SHOWN, count)).round().astype(int))
    return {
        "grid": spread.tolist(),
        "easy": effort[:EXAMPLES].tolist(),
        "hard": effort[::-1][:EXAMPLES].tolist(),
    }
