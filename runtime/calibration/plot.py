"""Charts of a calibration: accuracy against what it costs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from runtime.calibration.evidence import Point
from runtime.calibration.search import Calibration
from runtime.drawing.svg import Series, line_chart, page
from spikehalt.console import energy_unit

_AXES: dict[str, Callable[[Point], float | None]] = {
    "average timesteps": lambda point: point.average_timesteps,
    "average tokens (× K₀)": lambda point: point.average_tokens,
    "time per image (ms, measured)": lambda point: point.time_ms,
    "energy per image ({unit}, estimated)": lambda point: point.energy_mj,
}


def curve_charts(
    curves: Mapping[str, Sequence[Point]], chosen: Mapping[str, Point] | None = None
) -> list[str]:
    """Accuracy against timesteps, tokens, time and energy; what was not measured has no chart.

    Args:
        curves: points by policy.
        chosen: by policy, a point of the curve drawn as a dot.
    """
    charts = []
    for label, value in _AXES.items():
        series = [
            _series(name, curve, (chosen or {}).get(name), value) for name, curve in curves.items()
        ]
        present = [each for each in series if each is not None]
        if present:
            label, shown = _in_fitting_unit(label, present)
            title = f"accuracy against {label}"
            charts.append(line_chart(title, label, "accuracy (%)", shown))
    return charts


def curves_svg(found: Calibration) -> str:
    """The charts as one stand-alone file; the chosen points are dots."""
    return page(curve_charts(found.curves, found.chosen))


def _in_fitting_unit(label: str, series: Sequence[Series]) -> tuple[str, Sequence[Series]]:
    if "{unit}" not in label:
        return label, series
    factor, unit = energy_unit(max(max(each.x) for each in series))
    scaled = [replace(each, x=[factor * x for x in each.x]) for each in series]
    return label.format(unit=unit), scaled


def _series(
    name: str,
    curve: Sequence[Point],
    chosen: Point | None,
    value: Callable[[Point], float | None],
) -> Series | None:
    x = [value(point) for point in curve]
    known = [number for number in x if number is not None]
    if len(known) < len(x):
        return None
    marks = [number for number, point in enumerate(curve) if point == chosen]
    return Series(name, known, [100 * point.accuracy for point in curve], marks)
