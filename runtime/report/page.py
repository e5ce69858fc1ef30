"""The report as one HTML page: no script, no network, light and dark, desktop and phone.

Every figure carries `data-key`, its place in the JSON that the page embeds, so that anybody can
check that what is shown is what was measured.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

from runtime.calibration.evidence import Point
from runtime.calibration.plot import curve_charts
from runtime.drawing.svg import Bar, bar_chart
from runtime.report.collect import Collected
from runtime.report.pictures import Picture
from runtime.report.style import CSS
from spikehalt.console import energy_unit

_SUMMARY = [
    ("images", "images", ""),
    ("accuracy", "accuracy", ""),
    ("average_timesteps", "timesteps per image", ""),
    ("average_tokens", "live tokens; K₀: those before the first block", "× K₀"),
    ("energy_mj", "energy per image (estimated)", "mJ"),
]
_PARTS = [
    ("pre_ms", "checks, copies"),
    ("first_chunk_ms", "first chunk"),
    ("once_ms", "once per image"),
    ("next_chunk_ms", "each further chunk"),
    ("exit_ms", "exit logic"),
]
_LATENCIES = [(f"latency_p{p}_ms", f"call, p{p}") for p in (50, 90, 99)]
_GROUPS = {
    "grid": "Pictures and how long their tokens lived",
    "easy": "Easy: out first, most certain",
    "hard": "Hard: out last, least certain",
}


def render(collected: Collected) -> str:
    """The page.

    Args:
        collected: figures and pictures.
    """
    data = collected.data
    title = f"{dict(data['identity']).get('name', 'bundle')} on {data['summary']['images']} images"
    sections = [
        _section("Summary", _cards(data)),
        _section(_GROUPS["grid"], _gallery(collected, "grid")),
        _section("Live tokens per block and timestep", _live_table(data)),
        _section("When images leave", _exit_chart(data)),
        _section(_GROUPS["easy"], _gallery(collected, "easy")),
        _section(_GROUPS["hard"], _gallery(collected, "hard")),
        _section("Accuracy against what it costs", _curves(data)),
        _section("Where the time goes", _latency(data)),
        _section("Measured on", _table(data["conditions"])),
        _section("Identity", _table(data["identity"])),
    ]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<link rel="icon" href="data:,">'
        f"<title>{escape(title)}</title><style>{CSS}</style></head>\n<body><main>"
        f"<h1>{escape(title)}</h1>\n{''.join(sections)}</main>\n"
        f'<script type="application/json" id="data">{_embedded(data)}</script></body></html>\n'
    )


def _embedded(data: dict[str, Any]) -> str:
    """JSON that cannot end its own script element."""
    return json.dumps(data, allow_nan=False).replace("<", "\\u003c")


def _section(title: str, content: str) -> str:
    return f"<section><h2>{escape(title)}</h2>{content}</section>\n"


def _figure(key: str, value: float | None, reason: str = "", times: float = 1.0) -> str:
    """A number with its place in the data, perhaps in another unit; or why there is none."""
    if value is None:
        return f'<span class="none" title="{escape(reason)}">unknown</span>'
    factor = "" if times == 1.0 else f' data-times="{times:g}"'
    return f'<span data-key="{escape(key)}"{factor}>{times * value:.4g}</span>'


def _cell(key: str, value: float | None) -> str:
    """The share of live tokens in one block and timestep."""
    return '<span class="none">no image</span>' if value is None else _figure(key, value)


def _why(data: dict[str, Any], name: str) -> str:
    return str(data["reasons"].get(name, "not measured"))


def _absent(data: dict[str, Any], name: str) -> str:
    return f'<p class="none">Not shown: {escape(_why(data, name))}</p>'


def _cards(data: dict[str, Any]) -> str:
    cards = []
    for key, label, unit in _SUMMARY:
        value = data["summary"][key]
        reason = f"<small>{escape(_why(data, key))}</small>" if value is None else ""
        times, unit = energy_unit(value) if key == "energy_mj" and value else (1.0, unit)
        figure = _figure(f"summary.{key}", value, _why(data, key), times)
        base = data["all_timesteps"].get(key)
        reason += _beside(value, base, f"all_timesteps.{key}", times, unit)
        cards.append(
            f'<div class="card"><b>{figure} {unit}</b><span>{escape(label)}</span>{reason}</div>'
        )
    cards.append(_single_card(data["single"]))
    policy, threshold = data["settings"]["policy"], data["settings"]["threshold"]
    exits = policy if threshold is None else f"{policy} at {threshold:.4g}"
    cards.append(f'<div class="card"><b>{escape(exits)}</b><span>exit policy</span></div>')
    return f'<div class="cards">{"".join(cards)}</div>'


def _single_card(single: dict[str, float]) -> str:
    key, value = "single.latency_ms", single["latency_ms"]
    full = "all_timesteps_latency_ms"
    beside = _beside(value, single[full], f"single.{full}", 1.0, "ms")
    label = f"a call with one image, median of {single['calls']}"
    return f'<div class="card"><b>{_figure(key, value)} ms</b><span>{label}</span>{beside}</div>'


def _beside(value: float | None, base: float | None, key: str, times: float, unit: str) -> str:
    """The same figure with all timesteps, and how this one compares."""
    if value is None or base is None:
        return ""
    ratio = f"{value / base:.2f} × all timesteps, which are at " if base else "all timesteps: "
    return f"<small>{ratio}{_figure(key, base, times=times)} {unit}</small>"


def _gallery(collected: Collected, group: str) -> str:
    numbers: Sequence[int] = collected.data["groups"][group]
    pictures = "".join(_picture(collected.data, n, collected.pictures[n]) for n in numbers)
    note = ""
    if group == "grid":
        shown = all(collected.pictures[n].lives for n in numbers)
        note = _LEGEND if shown else _absent(collected.data, "heat_maps")
    return f'{note}<div class="gallery">{pictures}</div>'


_LEGEND = (
    '<p class="legend">Beside each picture, how long each patch lived: never '
    '<i class="scale"></i> in every block and timestep.</p>'
)


def _picture(data: dict[str, Any], number: int, picture: Picture) -> str:
    image, key = data["images"][number], f"images.{number}"
    wrong = image["truth"] is not None and image["truth"] != image["answer"]
    truth = f' <span class="truth">(is {escape(image["truth"])})</span>' if wrong else ""
    lives = "" if picture.lives is None else f'<img src="{picture.lives}" alt="token lives">'
    return (
        f'<figure class="{"wrong" if wrong else "right"}"><div class="pair">'
        f'<img src="{picture.image}" alt="{escape(image["name"])}">{lives}</div><figcaption>'
        f"<b>{escape(image['answer'])}</b>{truth}, p = "
        f"{_figure(f'{key}.probability', image['probability'])}<br>"
        f"t = {_figure(f'{key}.timesteps', image['timesteps'])}, "
        f"{_figure(f'{key}.average_tokens', image['average_tokens'])} × K₀"
        f"</figcaption></figure>"
    )


def _live_table(data: dict[str, Any]) -> str:
    rows = data["live_share"]
    head = "".join(f"<th>block {block + 1}</th>" for block in range(len(rows[0])))
    body = "".join(_live_row(t, row) for t, row in enumerate(rows))
    note = (
        "<p>Live tokens over K₀, over the images that ran the timestep; the rest had halted or "
        "merged.</p>"
    )
    table = f"<table><tr><th>t</th>{head}</tr>{body}</table>"
    return f'{note}<div class="scroll">{table}</div>'


def _live_row(t: int, row: Sequence[float | None]) -> str:
    cells = "".join(
        f'<td style="--v:{value or 0:.3f}">{_cell(f"live_share.{t}.{block}", value)}</td>'
        for block, value in enumerate(row)
    )
    return f"<tr><th>{t + 1}</th>{cells}</tr>"


def _exit_chart(data: dict[str, Any]) -> str:
    bars = [
        Bar(f"after timestep {each['timestep']}", each["images"], f"exits.{number}.images")
        for number, each in enumerate(data["exits"])
    ]
    return _charts([bar_chart("images that leave", "", bars)])


def _curves(data: dict[str, Any]) -> str:
    if data["curves"] is None:
        return _absent(data, "curves")
    curves = {name: [Point(**each) for each in points] for name, points in data["curves"].items()}
    used = data["operating_point"]
    chosen = {} if used is None else {used["policy"]: Point(**used)}
    note = "<p>The dot is the setting in use.</p>" if chosen else ""
    return note + _charts(curve_charts(curves, chosen))


def _latency(data: dict[str, Any]) -> str:
    stats = data["stats"]
    charts = []
    for title, unit, names in (
        ("per image", "ms", _PARTS),
        ("whole calls", "ms", _LATENCIES),
    ):
        bars = [
            Bar(label, max(stats[name], 0.0), f"stats.{name}")
            for name, label in names
            if stats[name] is not None
        ]
        if bars:
            charts.append(bar_chart(title, unit, bars))
    rate = _figure("stats.images_per_s", stats["images_per_s"], "no image yet")
    measured = stats["energy_measured_mj"]
    reason = stats["reasons"].get("energy_measured_mj", "")
    times, unit = energy_unit(measured or 0.0)
    energy = _figure("stats.energy_measured_mj", measured, reason, times)
    why = f" ({escape(reason)})" if measured is None else f" {unit}"
    missing = "".join(
        f'<p class="none">{escape(label)}: {escape(stats["reasons"].get(name, "not measured"))}</p>'
        for name, label in [*_PARTS, *_LATENCIES]
        if stats[name] is None
    )
    head = f"<p>{rate} images/s; measured energy per image: {energy}{why}</p>"
    return f"{head}{_charts(charts)}{missing}"


def _table(pairs: Iterable[Sequence[str]]) -> str:
    rows = "".join(
        f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>" for name, value in pairs
    )
    return f'<div class="scroll"><table class="identity">{rows}</table></div>'


def _charts(charts: Iterable[str]) -> str:
    return f'<div class="charts">{"".join(charts)}</div>'
