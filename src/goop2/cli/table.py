"""Text in columns for people: cells measured as a terminal shows them, cut or broken where a column is narrower.

It must not know where cells come from. What a stranger wrote has lost its control characters before it comes here (output.py).
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from goop2.cli import output

BETWEEN: Final = 2
"""Blanks between two columns."""
NARROWEST: Final = 8
"""To which a column of text may be cut; beyond, rows are written one value a line."""
ELLIPSIS: Final = "…"


class Cell(NamedTuple):
    """What stands at one place of a table."""

    text: str
    style: str = ""
    """One of those in `output`."""
    right: bool = False
    """Whether it stands at the right of its column, as numbers do, and is never cut."""


def terminal_width() -> int | None:
    """Return how many characters a line on the terminal holds; None where stdout is none."""
    return shutil.get_terminal_size().columns if output.is_terminal(sys.stdout) else None


def cells_of(text: str) -> int:
    """Return how many cells of a terminal a text takes."""
    import wcwidth

    return len(text) if text.isascii() else wcwidth.width(text)


def natural_widths(rows: Sequence[Sequence[Cell]]) -> list[int]:
    """Return how wide each column is when nothing is cut."""
    return [max(cells_of(cell.text) for cell in column) for column in zip(*rows, strict=True)]


def fitting_widths(rows: Sequence[Sequence[Cell]], room: int | None) -> list[int] | None:
    """Return the width of each column, the widest made narrower until all fit into `room`; None where they cannot."""
    natural = natural_widths(rows)
    if room is None:
        return natural
    numeric = [any(cell.right for cell in column) for column in zip(*rows, strict=True)]
    left = room - BETWEEN * (len(natural) - 1)
    for most in range(max(natural, default=0), NARROWEST - 1, -1):
        widths = [own if number else min(own, most) for own, number in zip(natural, numeric, strict=True)]
        if sum(widths) <= left:
            return widths
    return natural if sum(natural) <= left else None


def line_of(cells: Sequence[Cell], widths: Sequence[int]) -> str:
    """Return one line of a table, its cells cut to their columns."""
    return (" " * BETWEEN).join(map(_fitted, cells, widths)).rstrip()


def record_lines(heads: Sequence[Cell], row: Sequence[Cell], room: int | None) -> Iterator[str]:
    """Yield a row as lines of one value each, the column's name before it."""
    widest = max(cells_of(head.text) for head in heads)
    for head, cell in zip(heads, row, strict=True):
        value = cell._replace(right=False)
        width = cells_of(value.text) if room is None else max(NARROWEST, room - widest - BETWEEN)
        yield line_of((head, value), (widest, width))


def broken_lines(cells: Sequence[Cell], widths: Sequence[int]) -> Iterator[str]:
    """Yield a row whose last cell is broken into as many lines as it needs, the others in the first of them."""
    import wcwidth

    *others, last = cells
    rest = [cell._replace(text="") for cell in others]
    for number, part in enumerate(wcwidth.wrap(last.text, widths[-1]) or [""]):
        yield line_of((*(rest if number else others), last._replace(text=part)), widths)


def _fitted(cell: Cell, width: int) -> str:
    text = cell.text
    cells = cells_of(text)
    if cells > width:
        import wcwidth

        text = wcwidth.clip(text, 0, width - 1).rstrip() + ELLIPSIS
        cells = cells_of(text)
    blanks = " " * (width - cells)
    styled = output.styled(text, cell.style)
    return blanks + styled if cell.right else styled + blanks
