"""The report's sections of tables: what easy and hard images get, and two bundles side by side."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from typing import Any

from runtime.drawing.numbers import readable
from runtime.drawing.svg import Bar, bar_chart
from runtime.report.adaptivity import BINS
from runtime.report.markup import DIGITS, SHARE_DIGITS, absent, figure, table
from spikehalt.console import energy_unit

Get = Callable[[dict[str, Any]], Any]


def follows(data: dict[str, Any]) -> str:
    """Quarters of the images by difficulty, and how computation spreads over all of them."""
    found = data["adaptivity"]
    if found is None:
        return absent(data, "adaptivity")
    quarters = found["quarters"]
    shown = [column for column in _COLUMNS if quarters[0][column.key] is not None]
    times, unit = energy_unit(max(each["energy_mj"] or 0.0 for each in quarters))
    head = ["", *(column.name.format(unit=unit) for column in shown)]
    rows = [
        [each["name"], *(column.cell(number, each, times) for column in shown)]
        for number, each in enumerate(quarters)
    ]
    return (
        f"<p>{_verdict(found)} The quarters go by the bundle's own certainty after all timesteps; "
        "computation is live tokens over all tokens of all blocks and timesteps.</p>"
        f"{table(head, rows)}"
    )


@dataclass(frozen=True)
class _Column:
    """A figure of every quarter."""

    name: str
    key: str
    digits: int = DIGITS

    def cell(self, number: int, quarter: dict[str, Any], energy: float) -> str:
        times = energy if self.key == "energy_mj" else 1.0
        key = f"adaptivity.quarters.{number}.{self.key}"
        return figure(key, quarter[self.key], times=times, digits=self.digits)


_COLUMNS = (
    _Column("images", "images"),
    _Column("certainty", "certainty"),
    _Column("accuracy", "accuracy", SHARE_DIGITS),
    _Column("timesteps", "timesteps"),
    _Column("tokens × K₀", "average_tokens"),
    _Column("computation", "computation"),
    _Column("{unit}, estimated", "energy_mj"),
)


def _verdict(found: dict[str, Any]) -> str:
    ratio = found["hard_over_easy"]
    if ratio is None:
        return ""
    text = f"Hard images get {figure('adaptivity.hard_over_easy', ratio)} × the computation of easy"
    correlation = found["rank_correlation"]
    if correlation is None:
        return f"{text} ones: every image gets the same."
    value = figure("adaptivity.rank_correlation", correlation)
    return f"{text} ones; rank correlation with certainty {value} (negative: hard ones get more)."


def spread(data: dict[str, Any]) -> list[str]:
    """A chart of images by their computation, without the empty bins at both ends."""
    if data["adaptivity"] is None:
        return []
    counts = data["adaptivity"]["computation"]
    held = [number for number, count in enumerate(counts) if count]
    bars = [
        Bar(
            f"{number / BINS:.1f} to {(number + 1) / BINS:.1f}",
            counts[number],
            f"adaptivity.computation.{number}",
        )
        for number in range(held[0], held[-1] + 1)
    ]
    return [bar_chart("images by share of all computation", "", bars)]


def beside(data: dict[str, Any]) -> str:
    """Both bundles' figures, a row each, and how often their answers agree."""
    other = data["against"]
    mine, theirs = data["summary"], other["summary"]
    rows = [
        *_row("accuracy", mine, theirs, "accuracy", "", digits=SHARE_DIGITS),
        *_row("timesteps per image", mine, theirs, "average_timesteps", ""),
        *_row("live tokens", mine, theirs, "average_tokens", "× K₀"),
        *_energy_row(mine, theirs),
        _call_row(other),
    ]
    names = [escape(each) for each in other["names"]]
    agreed = other["agreement"]
    text = f"Both give the same answer to {_percent(agreed, 'same')} of the images"
    if agreed["only_this_right"] is not None:
        text += (
            f"; {names[0]} alone is right on {_percent(agreed, 'only_this_right')}, {names[1]} "
            f"alone on {_percent(agreed, 'only_other_right')}"
        )
    times = (
        f" Times are medians of {other['calls']} calls with one image, the bundles in turn. "
        f"{names[1]}'s exit policy: {escape(settings(other['settings']))}."
    )
    return f"<p>{text}.{times}</p>{table(['', *map(_breakable, names), 'ratio'], rows)}"


def _breakable(name: str) -> str:
    """A name that may be broken before a dot, for narrow windows."""
    return name.replace(".", "<wbr>.")


def _percent(agreed: dict[str, Any], key: str) -> str:
    return figure(f"against.agreement.{key}", agreed[key], times=100.0) + " %"


def settings(chosen: dict[str, Any]) -> str:
    """Policy and threshold, in words."""
    threshold = chosen["threshold"]
    return f"{chosen['policy']}" + ("" if threshold is None else f" at {threshold:.4g}")


def _row(
    label: str,
    mine: dict[str, Any],
    theirs: dict[str, Any],
    key: str,
    unit: str,
    times: float = 1.0,
    digits: int = DIGITS,
) -> list[list[str]]:
    """A row, or none where neither bundle has the figure."""
    values = (mine[key], theirs[key])
    if values == (None, None):
        return []
    cells = [
        figure(f"{place}.{key}", value, "not known", times, digits)
        + (f" {unit}" if unit and value is not None else "")
        for place, value in zip(("summary", "against.summary"), values, strict=True)
    ]
    return [[label, *cells, _ratio(*values)]]


def _energy_row(mine: dict[str, Any], theirs: dict[str, Any]) -> list[list[str]]:
    known = [each["energy_mj"] for each in (mine, theirs) if each["energy_mj"] is not None]
    times, unit = energy_unit(max(known, default=0.0))
    return _row("energy per image (estimated)", mine, theirs, "energy_mj", unit, times)


def _call_row(other: dict[str, Any]) -> list[str]:
    mine, theirs = other["this_call_ms"], other["call_ms"]
    cells = [figure(f"against.{key}", other[key]) + " ms" for key in ("this_call_ms", "call_ms")]
    return ["a call with one image", *cells, _ratio(mine, theirs)]


def _ratio(mine: float | None, theirs: float | None) -> str:
    return f"{readable(mine / theirs)} ×" if mine is not None and theirs else "–"
