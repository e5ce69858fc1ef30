"""Line charts as SVG text: no plotting library, no script, readable in light and dark.

Colours come from CSS variables, so a page that embeds a chart can restyle it; a chart saved as a
file brings its own style.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from runtime.drawing.numbers import readable

STYLE = """
.chart { color: #1c2430; background: #ffffff; font: 12px system-ui, sans-serif; }
.chart .grid { stroke: #d5dbe3; } .chart text { fill: currentColor; }
.chart .s0 { --c: #1565c0; } .chart .s1 { --c: #c2410c; } .chart .s2 { --c: #15803d; }
.chart .s3 { --c: #7e22ce; }
.chart .line { fill: none; stroke: var(--c); stroke-width: 2; } .chart .dot { fill: var(--c); }
.chart .s1 .line { stroke-dasharray: 9 5; } .chart .s2 .line { stroke-dasharray: 3 6; }
.chart .s3 .line { stroke-dasharray: 1 4; }
@media (prefers-color-scheme: dark) {
  .chart { color: #e6eaf0; background: #14181f; } .chart .grid { stroke: #38414e; }
  .chart .s0 { --c: #64b5f6; } .chart .s1 { --c: #fb923c; } .chart .s2 { --c: #4ade80; }
  .chart .s3 { --c: #c084fc; }
}
"""

# Small enough for the text to be readable where a phone shrinks the chart to its width.
_WIDTH, _HEIGHT = 380, 280
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 24, 50, 46
_BARS_TOP = 34
_NAMES, _VALUES = 140, 70  # room beside bars
_LETTER = 6.8  # widest a letter of a legend is on average
_COLOURS = 4


@dataclass(frozen=True)
class Series:
    """One line of a chart.

    Attributes:
        name: for the legend.
        x: values along the horizontal axis.
        y: as many values along the vertical axis.
        marks: indices of points drawn as dots.
    """

    name: str
    x: Sequence[float]
    y: Sequence[float]
    marks: Sequence[int] = ()


@dataclass(frozen=True)
class Bar:
    """One bar of a chart.

    Attributes:
        name: beside it.
        value: its length.
        key: where the value stands in the report's data, for those who check it.
    """

    name: str
    value: float
    key: str = ""


@dataclass(frozen=True)
class _Axis:
    """A linear scale from values to pixels."""

    low: float
    high: float
    start: float
    end: float

    def at(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)


@dataclass(frozen=True)
class _LogAxis(_Axis):
    """A logarithmic scale."""

    def at(self, value: float) -> float:
        share = math.log(value / self.low) / math.log(self.high / self.low)
        return self.start + share * (self.end - self.start)


def line_chart(
    title: str, x_label: str, y_label: str, series: Sequence[Series], *, log_x: bool = False
) -> str:
    """One chart as an `<svg>` element.

    Args:
        title: above the chart.
        x_label: below the horizontal axis, with its unit.
        y_label: beside the vertical axis, with its unit.
        series: the lines; at least one with at least one point.
        log_x: the horizontal axis is logarithmic; x is positive.
    """
    xs = [value for each in series for value in each.x]
    ys = [value for each in series for value in each.y]
    x_ticks = (log_ticks if log_x else ticks)(min(xs), max(xs))
    y_ticks = ticks(min(ys), max(ys))
    x = (_LogAxis if log_x else _Axis)(x_ticks[0], x_ticks[-1], _LEFT, _WIDTH - _RIGHT)
    y = _Axis(y_ticks[0], y_ticks[-1], _HEIGHT - _BOTTOM, _TOP)
    parts = [
        f'<svg class="chart" xmlns="http://www.w3.org/2000/svg" role="img" '
        f'aria-label="{escape(title)}" viewBox="0 0 {_WIDTH} {_HEIGHT}">',
        _text(8, 16, title, "start", bold=True),
        *_grid(x, y, x_ticks, y_ticks),
        _text((_LEFT + _WIDTH - _RIGHT) / 2, _HEIGHT - 8, x_label),
        f'<g transform="translate(12 {_HEIGHT / 2}) rotate(-90)">{_text(0, 0, y_label)}</g>',
        *(_line(number, each, x, y) for number, each in enumerate(series)),
        *_legend([each.name for each in series]),
        "</svg>",
    ]
    return "\n".join(parts)


def bar_chart(title: str, unit: str, bars: Sequence[Bar]) -> str:
    """Horizontal bars as an `<svg>` element, each with its value beside it.

    Args:
        title: above the chart.
        unit: of the values, for the title.
        bars: at least one; values of at least 0.
    """
    height = _BARS_TOP + 28 * len(bars) + 6
    most = max(max(bar.value for bar in bars), 1e-300)
    text = f"{title} ({unit})" if unit else title
    rows = [_bar(number, bar, most) for number, bar in enumerate(bars)]
    return "\n".join(
        [
            f'<svg class="chart" xmlns="http://www.w3.org/2000/svg" role="img" '
            f'aria-label="{escape(text)}" viewBox="0 0 {_WIDTH} {height}">',
            _text(8, 16, text, "start", bold=True),
            *rows,
            "</svg>",
        ]
    )


def _bar(number: int, bar: Bar, most: float) -> str:
    top = _BARS_TOP + 28 * number - 6
    width = (_WIDTH - _NAMES - _VALUES) * bar.value / most
    key = f' data-key="{escape(bar.key)}"' if bar.key else ""
    return (
        f"{_text(_NAMES - 8, top + 15, bar.name, 'end')}"
        f'<g class="s0"><rect class="dot bar" x="{_NAMES}" y="{top}" width="{width:.2f}" '
        f'height="20"/></g>'
        f'<text x="{_NAMES + width + 6:.1f}" y="{top + 15}"{key}>{readable(bar.value)}</text>'
    )


def page(charts: Sequence[str]) -> str:
    """Several charts below each other as one stand-alone SVG file."""
    height = len(charts) * _HEIGHT
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" '
        f'width="{2 * _WIDTH}" height="{2 * height}"><style>{escape(STYLE)}</style>'
    ]
    for number, chart in enumerate(charts):
        place = f' x="0" y="{number * _HEIGHT}" width="{_WIDTH}" height="{_HEIGHT}"'
        parts.append(chart.replace("<svg", f"<svg{place}", 1))
    return "\n".join([*parts, "</svg>\n"])


def ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Round numbers that cover [low, high]."""
    if high - low <= 1e-12 * max(abs(low), abs(high), 1e-300):
        pad = abs(low) * 0.1 or 1.0
        low, high = low - pad, high + pad
    raw = (high - low) / count
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= raw * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [number * step for number in range(first, last + 1)]


def log_ticks(low: float, high: float) -> list[float]:
    """1, 2 and 5 times powers of ten that cover [low, high], at least two."""
    powers = range(math.floor(math.log10(low)), math.floor(math.log10(high)) + 2)
    values = [digit * 10.0**power for power in powers for digit in (1, 2, 5)]
    first = max(number for number, value in enumerate(values) if value <= low * (1 + 1e-9))
    last = min(number for number, value in enumerate(values) if value >= high * (1 - 1e-9))
    return values[first : max(last, first + 1) + 1]


def _grid(x: _Axis, y: _Axis, x_ticks: list[float], y_ticks: list[float]) -> list[str]:
    parts = []
    for value in x_ticks:
        at = x.at(value)
        parts.append(_rule(at, y.start, at, y.end))
        parts.append(_text(at, y.start + 16, f"{value:.4g}"))
    for value in y_ticks:
        at = y.at(value)
        parts.append(_rule(x.start, at, x.end, at))
        parts.append(_text(x.start - 5, at + 4, f"{value:.4g}", "end"))
    return parts


def _rule(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line class="grid" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def _text(x: float, y: float, text: str, anchor: str = "middle", bold: bool = False) -> str:
    weight = ' font-weight="bold"' if bold else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{weight}>{escape(text)}</text>'


def _line(number: int, series: Series, x: _Axis, y: _Axis) -> str:
    points = [(x.at(a), y.at(b)) for a, b in zip(series.x, series.y, strict=True)]
    path = " ".join(f"{a:.1f},{b:.1f}" for a, b in points)
    marks = range(1) if len(points) == 1 else series.marks
    dots = [
        f'<circle class="dot" cx="{points[i][0]:.1f}" cy="{points[i][1]:.1f}" r="4"/>'
        for i in marks
    ]
    line = f'<polyline class="line" points="{path}"/>'
    return f'<g class="s{number % _COLOURS}">{line}{"".join(dots)}</g>'


def _legend(names: Sequence[str]) -> list[str]:
    if len(names) < 2:
        return []
    parts, x = [], float(_LEFT)
    for number, name in enumerate(names):
        swatch = f'<rect class="dot" x="{x:.1f}" y="30" width="10" height="4"/>'
        parts.append(f'<g class="s{number % _COLOURS}">{swatch}</g>')
        parts.append(_text(x + 14, 36, name, "start"))
        x += 32 + _LETTER * len(name)
    return parts
