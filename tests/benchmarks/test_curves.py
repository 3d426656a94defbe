"""The growth curves: each measures something at its smallest size, a bend is seen, and what bends is explained on the page."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import pytest
from benchmarks.curves import CURVES, Curve, bend
from benchmarks.curves_drawn import SVG, drawn
from benchmarks.report import DOCUMENT

from benchmarks import curves


@pytest.mark.parametrize("curve", CURVES, ids=lambda curve: curve.name)
def test_each_curve_measures_something(curve: Curve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(curves, "STEP_SECONDS", 0.001)
    assert curve.measure(curve.sizes[0]) > 0
    assert curve.sentence


def test_a_bend_is_where_a_step_begins_to_grow_with_the_size() -> None:
    assert bend((10, 100, 1000), (5, 6, 7)) is None
    assert bend((10, 100, 1000), (5, 6, 60)) == 100
    assert bend((10, 100, 1000), (5, 50, 500)) == 10


def test_the_page_has_every_curve_and_its_plot() -> None:
    page = DOCUMENT.read_text("utf-8")
    section = page.partition("<!-- growth -->")[2].partition("<!-- /growth -->")[0]
    assert [row for row in re.findall(r"^\| ([^|]+?) \|", section, re.MULTILINE) if ":" in row] == [curve.name for curve in CURVES]
    assert f"({SVG.name})" in section
    assert all(curve.name in SVG.read_text("utf-8") for curve in CURVES)


def test_what_is_more_is_higher_and_flat_is_flat() -> None:
    root = ET.fromstring(drawn({"a": ("rows", [(10, 5.0), (100, 5.0), (1000, 500.0)])}))
    (line,) = [line for line in root.iter() if line.tag.endswith("polyline")]
    (x0, y0), (x1, y1), (x2, y2) = (tuple(map(float, place.split(","))) for place in line.attrib["points"].split())
    assert x0 < x1 < x2
    assert y0 == y1 > y2
