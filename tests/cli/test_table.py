"""How tables for people are laid out, in cells of a terminal."""

from __future__ import annotations

import pytest

from goop2.cli.table import Cell, broken_lines, cells_of, fitting_widths, line_of, natural_widths, record_lines

HEADS = [Cell("name"), Cell("n")]
ROWS = [[Cell("Zoë"), Cell("7", right=True)], [Cell("你好"), Cell("1200", right=True)]]


@pytest.mark.parametrize(("text", "cells"), [("", 0), ("abc", 3), ("Zoë", 3), ("你好", 4), ("e\u0301", 1), ("👩\u200d🚀", 2)])
def test_a_text_takes_the_cells_a_terminal_gives_it(text: str, cells: int) -> None:
    assert cells_of(text) == cells


def test_columns_are_as_wide_as_their_widest_cell_and_numbers_stand_at_the_right() -> None:
    widths = natural_widths([HEADS, *ROWS])
    assert widths == [4, 4]
    assert [line_of(row, widths) for row in (HEADS, *ROWS)] == ["name  n", "Zoë      7", "你好  1200"]


def test_the_widest_text_is_cut_and_numbers_never() -> None:
    row = [Cell("x" * 50), Cell("short"), Cell("1" * 20, right=True)]
    widths = fitting_widths([row], 50)
    assert widths == [21, 5, 20]
    line = line_of(row, widths)
    assert line == f"{'x' * 20}…  short  {'1' * 20}"
    assert fitting_widths([row], 30) is None
    assert fitting_widths([row], None) == [50, 5, 20]


def test_a_wide_character_is_not_cut_in_half() -> None:
    assert line_of([Cell("你好你好"), Cell("|")], [6, 1]) == "你好…   |"


def test_a_record_keeps_the_names_of_its_columns_however_long_a_value_is() -> None:
    rows = list(record_lines([Cell("a"), Cell("long name")], [Cell("5", right=True), Cell("v" * 99)], 30))
    assert rows == ["a          5", f"long name  {'v' * 18}…"]
    assert list(record_lines([Cell("a")], [Cell("v" * 99)], None)) == [f"a  {'v' * 99}"]


def test_the_last_cell_is_broken_into_lines_below_each_other() -> None:
    cells = [Cell("!hello"), Cell("Says hello to whoever asks")]
    assert list(broken_lines(cells, [6, 10])) == ["!hello  Says hello", "        to whoever", "        asks"]
    assert list(broken_lines([Cell("!bare"), Cell("")], [6, 10])) == ["!bare"]
