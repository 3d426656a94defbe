"""Rows of a table of faults: one function a row, its docstring says what is asked, it returns what was seen."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from tests.cluster.hub import Hub

Row = Callable[[Hub], Awaitable[str]]
ROWS: Final[list[tuple[str, str, Row]]] = []


class NotMeasuredError(Exception):
    """This machine has not what the row needs; the message says what."""


def row(target: str) -> Callable[[Row], Row]:
    """Make a function a row of the table, with the target of the specification."""

    def made(function: Row) -> Row:
        ROWS.append((str(function.__doc__).split("\n")[0].rstrip("."), target, function))
        return function

    return made
