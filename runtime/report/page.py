"""The report as one HTML page: no script, no network, light and dark, desktop and phone.

Every figure carries `data-key`, its place in the JSON that the page embeds, so that anybody can
check that what is shown is what was measured.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from html import escape
from typing import Any

from runtime.calibration.evidence import Point
from runtime.calibration.plot import curve_charts
from runtime.drawing.svg import Bar, bar_chart
from runtime.report.collect import Collected
from runtime.report.markup import (
    DIGITS,
    SHARE_DIGITS,
    absent,
    charts,
    figure,
    gaps,
    pairs,
    section,
    why,
)
from runtime.report.pictures import Picture
from runtime.report.style import CSS
from runtime.report.tables import beside, follows, settings, spread
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
    name = dict(data["identity"]).get("name", "bundle")
    title = f"{name} on {data['summary']['images']:,} images"
    sections = [
        section("Summary", _cards(data)),
        "" if data["against"] is None else section("Two bundles side by side", beside(data)),
        section(_GROUPS["grid"], _gallery(collected, "grid")),
        section("Does computation follow the image?", follows(data)),
        section("Live tokens per block and timestep", _live_table(data)),
        section("When images leave, and what they compute", _exit_charts(data)),
        section(_GROUPS["easy"], _gallery(collected, "easy")),
        section(_GROUPS["hard"], _gallery(collected, "hard")),
        section("Accuracy against what it costs", _curves(data)),
        section("Where the time goes", _latency(data)),
        section("Measured on", pairs(data["conditions"])),
        section("Identity", pairs(data["identity"])),
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


def _cards(data: dict[str, Any]) -> str:
    cards = []
    for key, label, unit in _SUMMARY:
        value = data["summary"][key]
        reason = f"<small>{escape(why(data, key))}</small>" if value is None else ""
        times, unit = energy_unit(value) if key == "energy_mj" and value else (1.0, unit)
        digits = SHARE_DIGITS if key == "accuracy" else DIGITS
        shown = figure(f"summary.{key}", value, why(data, key), times, digits)
        base = data["all_timesteps"].get(key)
        reason += _beside(value, base, f"all_timesteps.{key}", times, unit, digits)
        cards.append(_card(f"{shown} {unit}" if value is not None else shown, label, reason))
    cards.append(_single_card(data["single"]))
    policy = f"<p>Exit policy: {escape(settings(data['settings']))}.</p>"
    return f'{policy}<div class="cards">{"".join(cards)}</div>'


def _card(shown: str, label: str, more: str) -> str:
    return f'<div class="card"><b>{shown}</b><span>{escape(label)}</span>{more}</div>'


def _single_card(single: dict[str, float]) -> str:
    key, value = "single.latency_ms", single["latency_ms"]
    full = "all_timesteps_latency_ms"
    more = _beside(value, single[full], f"single.{full}", 1.0, "ms", DIGITS)
    label = f"a call with one image, median of {single['calls']}"
    return _card(f"{figure(key, value)} ms", label, more)


def _beside(
    value: float | None, base: float | None, key: str, times: float, unit: str, digits: int
) -> str:
    """The same figure with all timesteps, and how this one compares."""
    if value is None or base is None:
        return ""
    ratio = f"{value / base:.2f} × all timesteps, which are at " if base else "all timesteps: "
    return f"<small>{ratio}{figure(key, base, times=times, digits=digits)} {unit}</small>"


def _gallery(collected: Collected, group: str) -> str:
    numbers: Sequence[int] = collected.data["groups"][group]
    pictures = "".join(_picture(collected.data, n, collected.pictures[n]) for n in numbers)
    note = ""
    if group == "grid":
        shown = all(collected.pictures[n].lives for n in numbers)
        note = _LEGEND if shown else absent(collected.data, "heat_maps")
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
        f"<b>{escape(image['answer'])}</b>{truth}, p&nbsp;=&nbsp;"
        f"{figure(f'{key}.probability', image['probability'])}<br>"
        f"t = {figure(f'{key}.timesteps', image['timesteps'])}, "
        f"{figure(f'{key}.average_tokens', image['average_tokens'])} × K₀"
        f"</figcaption></figure>"
    )


def _live_table(data: dict[str, Any]) -> str:
    rows = data["live_share"]
    ran = [t for t, row in enumerate(rows) if row[0] is not None]
    nobody = [str(t + 1) for t in range(len(rows)) if t not in ran]
    note = (
        "<p>Live tokens over K₀, over the images that ran the timestep; the rest had halted or "
        f"merged.{_nobody('ran', nobody)}</p>"
    )
    head = "".join(f"<th>block {block + 1}</th>" for block in range(len(rows[0])))
    body = "".join(_live_row(t, rows[t]) for t in ran)
    return f'{note}<div class="scroll"><table><tr><th>t</th>{head}</tr>{body}</table></div>'


def _live_row(t: int, row: Sequence[float]) -> str:
    cells = "".join(
        f'<td style="--v:{value:.3f}">{figure(f"live_share.{t}.{block}", value)}</td>'
        for block, value in enumerate(row)
    )
    return f"<tr><th>{t + 1}</th>{cells}</tr>"


def _nobody(did: str, timesteps: Sequence[str]) -> str:
    """That no image did something in or after some timesteps."""
    if not timesteps:
        return ""
    several = len(timesteps) > 1
    named = f"{', '.join(timesteps[:-1])} and {timesteps[-1]}" if several else timesteps[0]
    return f" No image {did} timestep{'s' if several else ''} {named}."


def _exit_charts(data: dict[str, Any]) -> str:
    exits = data["exits"]
    bars = [
        Bar(f"after timestep {each['timestep']}", each["images"], f"exits.{number}.images")
        for number, each in enumerate(exits)
        if each["images"]
    ]
    unused = _nobody("left after", [str(each["timestep"]) for each in exits if not each["images"]])
    note = f"<p>{unused.strip()}</p>" if unused else ""
    return note + charts([bar_chart("images that leave", "", bars), *spread(data)])


def _curves(data: dict[str, Any]) -> str:
    if data["curves"] is None:
        return absent(data, "curves")
    curves = {name: [Point(**each) for each in points] for name, points in data["curves"].items()}
    used = data["operating_point"]
    chosen = {} if used is None else {used["policy"]: Point(**used)}
    note = "<p>The dot is the setting in use.</p>" if chosen else ""
    return note + charts(curve_charts(curves, chosen))


def _latency(data: dict[str, Any]) -> str:
    stats = data["stats"]
    drawn = []
    for title, unit, names in (("per image", "ms", _PARTS), ("whole calls", "ms", _LATENCIES)):
        bars = [
            Bar(label, max(stats[name], 0.0), f"stats.{name}")
            for name, label in names
            if stats[name] is not None
        ]
        if bars:
            drawn.append(bar_chart(title, unit, bars))
    rate = figure("stats.images_per_s", stats["images_per_s"], "no image yet")
    energy = stats["energy_measured_mj"]
    measured = ""
    if energy is not None:
        times, unit = energy_unit(energy)
        shown = figure("stats.energy_measured_mj", energy, times=times)
        measured = f"; {shown} {unit} per image, measured"
    missing = [
        (label, stats["reasons"].get(name, "not measured"))
        for name, label in [*_PARTS, *_LATENCIES, ("energy_measured_mj", "measured energy")]
        if stats[name] is None
    ]
    return f"<p>{rate} images/s{measured}</p>{charts(drawn)}{gaps(missing)}"
