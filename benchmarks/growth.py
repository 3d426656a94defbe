"""How the data workloads grow, as the table in docs/benchmarks.md has it, drawn: docs/growth.svg, both axes logarithmic.

`python -m benchmarks.growth` draws the page's numbers anew. It knows nothing of how they were measured.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.report import DOCUMENT, table

SVG: Final = Path(__file__).parent.parent / "docs" / "growth.svg"
HEAD: Final = ("workload", "rows", "1 caller, calls/s", "8 callers, calls/s", "64 callers, calls/s")

WIDTH, HEIGHT = 780, 340
PANEL_WIDTH, PANEL_HEIGHT, TOP, LEFT, GAP = 300, 220, 64, 62, 86
CALLS: Final = (1_000, 2_000, 5_000, 10_000, 20_000)
"""Marks of the upright axis, its ends too."""

# Told apart by every eye and seen on a light and on a dark ground; a shape says the same again.
SERIES: Final = (("1 caller", "#E69F00", "circle"), ("8 callers", "#3B8FD0", "square"), ("64 callers", "#00A878", "diamond"))
STYLE: Final = """
text { font: 12px system-ui, sans-serif; fill: #24292f } .soft { fill: #57606a } .title { font-size: 14px; font-weight: 600 }
.grid { stroke: #d0d7de } .yardstick { stroke: #57606a; stroke-dasharray: 4 4 } .line { fill: none; stroke-width: 2 }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 } .soft { fill: #9198a1 } .grid { stroke: #3d444d } .yardstick { stroke: #9198a1 }
}
"""


@dataclass(frozen=True)
class Point:
    """What was measured with one size of table: calls a second with 1, 8 and 64 callers."""

    rows: int
    rates: tuple[int, ...]


Figures = Mapping[str, Sequence[Point]]
"""Workload → its points, by rows."""


def as_table(figures: Figures) -> str:
    """The numbers as the page has them."""
    lines = [(name, f"{point.rows:,}", *(f"{rate:,}" for rate in point.rates)) for name, points in figures.items() for point in points]
    return table(HEAD, lines)


def read(page: str) -> Figures:
    """The numbers of the table in the page, which may have others of as many columns."""
    found: dict[str, list[Point]] = {}
    lines = page.partition(" | ".join(HEAD))[2].partition("\n\n")[0]
    for name, *numbers in re.findall(r"^\| (\w+)" + r" \| ([\d,]+)" * (1 + len(SERIES)) + r" \|$", lines, re.MULTILINE):
        rows, *rates = (int(number.replace(",", "")) for number in numbers)
        found.setdefault(name, []).append(Point(rows, tuple(rates)))
    return found


def drawn(figures: Figures, yardsticks: Mapping[str, int]) -> str:
    """The plot as SVG: a panel a workload, a line a number of callers, the yardstick broken."""
    parts = [*_legend()]
    for number, (name, points) in enumerate(figures.items()):
        parts += _panel(LEFT + number * (PANEL_WIDTH + GAP), name, points, yardsticks[name])
    title = "Calls a second by rows of the table, for " + " and ".join(figures)
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" role="img">\n'
        f"<title>{title}</title>\n<style>{STYLE}</style>\n{body}\n</svg>\n"
    )


def _legend() -> Iterator[str]:
    x = LEFT
    for name, colour, shape in SERIES:
        yield _mark(shape, x, 18, colour)
        yield f'<text x="{x + 10}" y="22">{name}</text>'
        x += 100
    yield f'<line class="yardstick" x1="{x}" y1="18" x2="{x + 24}" y2="18"/>'
    yield f'<text x="{x + 30}" y="22">the Go peer</text>'


def _panel(left: float, name: str, points: Sequence[Point], yardstick: int) -> Iterator[str]:
    across = _scale(points[0].rows, points[-1].rows, left, left + PANEL_WIDTH)
    up = _scale(CALLS[0], CALLS[-1], TOP + PANEL_HEIGHT, TOP)
    bottom, right = TOP + PANEL_HEIGHT, left + PANEL_WIDTH
    yield f'<text class="title" x="{left}" y="{TOP - 14}">{name}, calls/s</text>'
    for calls in CALLS:
        yield f'<line class="grid" x1="{left}" y1="{up(calls):.1f}" x2="{right}" y2="{up(calls):.1f}"/>'
        yield f'<text class="soft" x="{left - 8}" y="{up(calls) + 4:.1f}" text-anchor="end">{calls:,}</text>'
    for point in points:
        yield f'<text class="soft" x="{across(point.rows):.1f}" y="{bottom + 20}" text-anchor="middle">{point.rows:,}</text>'
    yield f'<text class="soft" x="{left + PANEL_WIDTH / 2}" y="{bottom + 42}" text-anchor="middle">rows of the table</text>'
    yield f'<line class="yardstick" x1="{left}" y1="{up(yardstick):.1f}" x2="{right}" y2="{up(yardstick):.1f}"/>'
    for index, (_, colour, shape) in enumerate(SERIES):
        places = [(across(point.rows), up(point.rates[index])) for point in points]
        joined = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        yield f'<polyline class="line" stroke="{colour}" points="{joined}"/>'
        for x, y in places:
            yield _mark(shape, x, y, colour)


def _scale(first: float, last: float, start: float, end: float) -> Callable[[float], float]:
    """From a value to its place, by logarithms."""
    span = math.log10(last / first)
    return lambda value: start + (end - start) * math.log10(value / first) / span


def _mark(shape: str, x: float, y: float, colour: str) -> str:
    if shape == "circle":
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{colour}"/>'
    turned = f' transform="rotate(45 {x:.1f} {y:.1f})"' if shape == "diamond" else ""
    return f'<rect x="{x - 3.5:.1f}" y="{y - 3.5:.1f}" width="7" height="7" fill="{colour}"{turned}/>'


def draw(figures: Figures, yardsticks: Mapping[str, int]) -> None:
    """Write the plot of these figures to SVG."""
    SVG.write_text(drawn(figures, yardsticks), "utf-8")


if __name__ == "__main__":
    from benchmarks.data import YARDSTICK

    draw(read(DOCUMENT.read_text("utf-8")), YARDSTICK)
