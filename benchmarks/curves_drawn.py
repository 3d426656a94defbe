"""The plots of the growth curves as SVG: docs/curves.svg, a panel a curve, both axes logarithmic. It knows nothing of what was measured."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from benchmarks.growth import STYLE

SVG: Final = Path(__file__).parent.parent / "docs" / "curves.svg"
COLUMNS: Final = 3
WIDTH, HEIGHT, LEFT, TOP, ACROSS, DOWN = 200, 110, 56, 34, 270, 190
COLOUR: Final = "#3B8FD0"

Panels = Mapping[str, tuple[str, Sequence[tuple[int, float]]]]
"""Name → what its sizes are of, and (size, microseconds) pairs."""


def drawn(panels: Panels) -> str:
    """Return the plot."""
    rows = math.ceil(len(panels) / COLUMNS)
    width, height = LEFT + COLUMNS * ACROSS, TOP + rows * DOWN
    parts = [part for number, (name, (of, points)) in enumerate(panels.items()) for part in _panel(number, name, of, points)]
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img">\n'
        f"<title>Microseconds of processor time of a step, by size</title>\n<style>{STYLE}</style>\n{body}\n</svg>\n"
    )


def _panel(number: int, name: str, of: str, points: Sequence[tuple[int, float]]) -> Iterator[str]:
    left, top = LEFT + number % COLUMNS * ACROSS, TOP + number // COLUMNS * DOWN
    bottom = top + HEIGHT
    # Whole powers of ten, and at least two of them, so that a flat line looks flat.
    low = math.floor(math.log10(min(value for _, value in points)))
    high = max(low + 2, math.ceil(math.log10(max(value for _, value in points))))
    first, last = math.log10(points[0][0]), math.log10(points[-1][0])
    yield f'<text class="title" x="{left}" y="{top - 12}">{name}</text>'
    for power in range(low, high + 1):
        y = bottom - HEIGHT * (power - low) / (high - low)
        yield f'<line class="grid" x1="{left}" y1="{y:.1f}" x2="{left + WIDTH}" y2="{y:.1f}"/>'
        yield f'<text class="soft" x="{left - 6}" y="{y + 4:.1f}" text-anchor="end">{_short(10.0**power)}</text>'
    places = []
    for size, value in points:
        x = left + WIDTH * (math.log10(size) - first) / (last - first)
        y = bottom - HEIGHT * (math.log10(value) - low) / (high - low)
        places.append(f"{x:.1f},{y:.1f}")
        yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{COLOUR}"/>'
        yield f'<text class="soft" x="{x:.1f}" y="{bottom + 16}" text-anchor="middle">{_short(size)}</text>'
    yield f'<polyline class="line" stroke="{COLOUR}" points="{" ".join(places)}"/>'
    yield f'<text class="soft" x="{left + WIDTH / 2}" y="{bottom + 32}" text-anchor="middle">{of}; µs</text>'


def _short(value: float) -> str:
    for unit, sign in ((1e6, "M"), (1e3, "k")):
        if value >= unit:
            return f"{value / unit:g}{sign}"
    return f"{value:g}"
