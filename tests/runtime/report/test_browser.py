"""The report in a real browser."""

from __future__ import annotations

import contextlib
import functools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from runtime.bundle import EnergySpec, write_bundle
from runtime.cli import main
from tests.runtime.report.chromium import Page, browser, find_chromium
from tests.runtime.toy import toy_files, toy_manifest

CHROMIUM = find_chromium()
pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="no Chromium here: install one, or name it in CHROMIUM"
)
SIZES = {"desktop": (1280, 900), "tablet": (768, 1024), "phone": (390, 844)}
ENERGY = EnergySpec(once_mj=1.0, per_timestep_mj=0.5, per_token_mj=(0.1, 0.01), source="tests")


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report on 30 labelled images with awkward names, beside another bundle, and as JSON."""
    place = tmp_path_factory.mktemp("report")
    manifest = toy_manifest(energy=ENERGY, name="toy </script><b>&")
    write_bundle(place / "toy.bundle", manifest, toy_files(manifest))
    other = toy_manifest(name="an <u>other")
    write_bundle(place / "other.bundle", other, toy_files(other))
    rng = np.random.default_rng(0)
    for number in range(30):
        label = number % 3
        pixels = rng.integers(0, 90, (4, 4, 3))
        pixels[..., label] += 5 * number
        folder = place / "data" / manifest.classes[label]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels.astype(np.uint8)).save(folder / f"a <i> & {number:02}.png")
    output = ["--out", str(place / "report.html"), "--json"]
    exits = ["--policy", "halting", "--threshold", "1.5"]
    with (place / "report.json").open("w") as out, contextlib.redirect_stdout(out):
        paths = [str(place / "toy.bundle"), str(place / "data")]
        beside = ["--against", str(place / "other.bundle")]
        assert main(["report", *paths, *output, *exits, *beside]) == 0
    return place / "report.html"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    assert CHROMIUM is not None
    with browser(CHROMIUM, tmp_path_factory.mktemp("profile")) as page:
        yield page


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_it_opens_without_problems_and_fits_the_window(
    report: Path, page: Page, size: str, dark: bool
) -> None:
    page.problems.clear()
    page.requests.clear()
    page.open(report, *SIZES[size], dark=dark)

    assert page.problems == []
    assert all(url.startswith(("file:", "data:")) for url in page.requests)
    assert page.evaluate("document.documentElement.scrollWidth") <= SIZES[size][0]
    assert page.evaluate("document.querySelectorAll('section').length") == 12
    broken = "[...document.images].filter(each => each.naturalWidth === 0).length"
    assert page.evaluate("document.images.length") > 30
    assert page.evaluate(broken) == 0


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_text_can_be_read_on_its_background(report: Path, page: Page, dark: bool) -> None:
    page.open(report, *SIZES["desktop"], dark=dark)
    colour = "getComputedStyle(document.querySelector({!r})).{}"

    background = luminance(page.evaluate(colour.format("section", "backgroundColor")))
    for element in ("h2", ".card span", "figcaption", ".chart text", "td"):
        style = "fill" if "text" in element else "color"
        text = luminance(page.evaluate(colour.format(element, style)))
        lighter, darker = max(text, background), min(text, background)
        assert (lighter + 0.05) / (darker + 0.05) > 4.5, element
    assert (background < 0.5) == dark


def luminance(colour: str) -> float:
    """Relative luminance (WCAG) of rgb(r, g, b)."""
    parts = [int(part) / 255 for part in colour[colour.index("(") + 1 : -1].split(",")[:3]]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def lookup(data: Any, key: str) -> Any:
    def step(value: Any, name: str) -> Any:
        return value[int(name)] if isinstance(value, list) else value[name]

    return functools.reduce(step, key.split("."), data)


def test_every_figure_shown_is_the_one_in_the_json(report: Path, page: Page) -> None:
    page.open(report, *SIZES["desktop"], dark=False)
    data = json.loads(report.with_suffix(".json").read_text(encoding="utf-8"))
    embedded = json.loads(page.evaluate("document.getElementById('data').textContent"))
    query = "[...document.querySelectorAll('[data-key]')]."
    query += "map(e => [e.dataset.key, e.textContent, e.dataset.times || '1'])"

    shown = page.evaluate(query)

    assert embedded == data
    assert len(shown) > 80
    for key, text, times in shown:
        value = float(times) * lookup(data, key)
        assert float(text.replace(",", "")) == pytest.approx(value, rel=5.1e-3), key
    keys = {key for key, *_ in shown}
    assert {"summary.accuracy", "summary.energy_mj", "live_share.0.1", "exits.3.images"} <= keys
    assert {"adaptivity.quarters.3.computation", "adaptivity.computation.9"} & keys
    assert {"against.agreement.same", "against.summary.accuracy", "against.call_ms"} <= keys
    assert {"stats.next_chunk_ms", "stats.latency_p90_ms", "stats.images_per_s"} <= keys


def test_bars_are_as_long_as_their_numbers(report: Path, page: Page) -> None:
    page.open(report, *SIZES["desktop"], dark=False)
    data = json.loads(report.with_suffix(".json").read_text(encoding="utf-8"))
    query = """[...document.querySelectorAll('svg[aria-label^="images that leave"] rect.bar')]
               .map(each => each.getBoundingClientRect().width)"""

    widths = np.array(page.evaluate(query))
    counts = np.array([each["images"] for each in data["exits"] if each["images"]])

    assert counts.sum() == 30 and (counts > 0).sum() > 1
    np.testing.assert_allclose(widths / widths.max(), counts / counts.max(), atol=0.01)


def test_names_of_files_and_bundles_stay_text(report: Path, page: Page) -> None:
    page.open(report, *SIZES["desktop"], dark=False)

    assert page.evaluate("document.querySelectorAll('h1 b, figure i, u').length") == 0
    assert "toy </script><b>&" in page.evaluate("document.title")
    assert "a <i> & " in page.evaluate("document.querySelector('figure img').alt")


@pytest.mark.parametrize("size", SIZES)
def test_charts_cut_no_text_off_and_keep_it_readable(report: Path, page: Page, size: str) -> None:
    page.open(report, *SIZES[size], dark=False)
    query = """[...document.querySelectorAll('.chart text')].filter(each => {
                 const text = each.getBoundingClientRect();
                 const chart = each.closest('svg').getBoundingClientRect();
                 return text.left < chart.left || text.right > chart.right
                     || text.top < chart.top || text.bottom > chart.bottom;
               }).map(each => each.textContent)"""
    scale = """(chart => chart.getBoundingClientRect().width / chart.viewBox.baseVal.width)
               (document.querySelector('.chart'))"""

    assert page.evaluate(query) == []
    assert 12 * page.evaluate(scale) >= 9  # pixels of a letter's height


def test_where_the_time_goes_names_the_graphs(report: Path, page: Page) -> None:
    page.open(report, *SIZES["desktop"], dark=False)
    query = "[...document.querySelectorAll('[data-key^=\"stats.\"]')].map(e => e.dataset.key)"

    assert "stats.first_chunk_ms" in page.evaluate(query)
