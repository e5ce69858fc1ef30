from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.drawing.svg import Series, line_chart, log_ticks, page, ticks

NUMBERS = st.floats(-1e6, 1e6)


@given(NUMBERS, NUMBERS)
def test_ticks_cover_the_range_with_few_round_steps(a: float, b: float) -> None:
    low, high = min(a, b), max(a, b)
    marks = ticks(low, high)
    slack = 1e-6 * max(abs(low), abs(high), 1e-6)

    assert marks[0] <= low + slack and marks[-1] >= high - slack
    assert 2 <= len(marks) <= 8


def test_a_chart_is_valid_xml_with_a_line_per_series() -> None:
    chart = line_chart(
        "a < b", "x & y", '"%"', [Series("s", [0, 1, 2], [5, 3, 4], [1]), Series("t", [1], [2])]
    )
    root = ElementTree.fromstring(chart)
    space = "{http://www.w3.org/2000/svg}"

    lines = root.findall(f".//{space}polyline")
    assert [len(line.get("points", "").split()) for line in lines] == [3, 1]
    assert len(root.findall(f".//{space}circle")) == 2
    assert "a < b" in [text.text for text in root.findall(f".//{space}text")]


def test_points_lie_where_their_values_say() -> None:
    chart = line_chart("t", "x", "y", [Series("s", [0, 10], [0, 10])])
    line = ElementTree.fromstring(chart).find(".//{http://www.w3.org/2000/svg}polyline")
    assert line is not None
    (x1, y1), (x2, y2) = [map(float, p.split(",")) for p in line.get("points", "").split()]

    assert (x1, y1) == pytest.approx((56, 234))
    assert (x2, y2) == pytest.approx((356, 50))


def test_a_page_holds_all_charts_and_no_script() -> None:
    chart = line_chart("t", "x", "y", [Series("s", [0, 10], [0, 10])])
    text = page([chart, chart])

    assert len(ElementTree.fromstring(text).findall("{http://www.w3.org/2000/svg}svg")) == 2
    assert "<script" not in text and "href" not in text


@pytest.mark.parametrize(
    ("low", "high", "wanted"),
    [(1.4, 32.0, [1, 2, 5, 10, 20, 50]), (1.0, 1.0, [1, 2]), (0.03, 0.2, [0.02, 0.05, 0.1, 0.2])],
)
def test_logarithmic_ticks_cover_the_range(low: float, high: float, wanted: list[float]) -> None:
    assert log_ticks(low, high) == pytest.approx(wanted)


def test_equal_ratios_are_equal_distances_on_a_logarithmic_axis() -> None:
    chart = line_chart("t", "x", "y", [Series("a", [1, 10, 100], [0, 1, 2])], log_x=True)
    (points,) = re.findall(r'points="(.*?)"', chart)
    x = [float(point.split(",")[0]) for point in points.split()]
    assert x[1] - x[0] == pytest.approx(x[2] - x[1], abs=0.2)
