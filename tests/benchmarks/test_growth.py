"""The plot of docs/benchmarks.md is of the numbers beside it, and what is higher in it is more."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import pytest
from benchmarks.data import GROWTH_CALLERS, GROWTH_ROWS, YARDSTICK
from benchmarks.growth import Point
from benchmarks.report import DOCUMENT

from benchmarks import growth

PAGE = DOCUMENT.read_text("utf-8")
FIGURES = {
    "move": [Point(1_000, (2_000, 5_000, 10_000)), Point(1_000_000, (1_000, 4_000, 20_000))],
    "list": [Point(10, (1_000,) * 3), Point(100, (2_000,) * 3)],
}


def test_the_page_has_every_size_and_its_plot_is_of_these_numbers() -> None:
    figures = growth.read(PAGE)
    assert list(figures) == list(YARDSTICK)
    for points in figures.values():
        assert tuple(point.rows for point in points) == GROWTH_ROWS
        assert all(len(point.rates) == len(GROWTH_CALLERS) for point in points)
    assert growth.SVG.read_text("utf-8") == growth.drawn(figures, YARDSTICK), "python -m benchmarks.growth draws it anew"
    assert f"({growth.SVG.name})" in PAGE


def test_what_the_table_says_is_what_is_read() -> None:
    another = "\n\n| layer | a | b | c | d |\n| --- | --- | --- | --- | --- |\n| sockets | 1 | 2 | 3 | 4 |\n"
    assert growth.read(another + "\n" + growth.as_table(FIGURES) + another) == FIGURES


def test_places_follow_logarithms() -> None:
    root = ET.fromstring(growth.drawn(FIGURES, {"move": 1_000, "list": 20_000}))
    lines = [
        [tuple(map(float, place.split(","))) for place in line.attrib["points"].split()]
        for line in root.iter()
        if line.tag.endswith("polyline")
    ]
    assert len(lines) == 6
    one, eight, many = lines[:3]
    assert one[0][0] == growth.LEFT
    assert one[1][0] == pytest.approx(growth.LEFT + growth.PANEL_WIDTH)
    assert many[1][1] == pytest.approx(growth.TOP), "the most there is room for is on top"
    assert one[1][1] == pytest.approx(growth.TOP + growth.PANEL_HEIGHT)
    doubled = one[1][1] - one[0][1]
    assert many[0][1] - many[1][1] == pytest.approx(doubled, abs=0.2), "twice as many is as far everywhere"
    assert one[0][1] > eight[0][1] > many[0][1]


def test_every_colour_of_text_and_grid_has_one_for_dark_pages() -> None:
    light, _, dark = growth.STYLE.partition("@media (prefers-color-scheme: dark)")
    coloured = set(re.findall(r"(\.?\w+) \{[^}]*(?:fill|stroke): #", light))
    assert coloured
    assert coloured == set(re.findall(r"(\.?\w+) \{[^}]*(?:fill|stroke): #", dark))
