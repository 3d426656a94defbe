"""Find positions in a JSON text: the path to a value → line and column of its key, or of itself in a list."""

from __future__ import annotations

import re
from json.decoder import scanstring  # type: ignore[attr-defined]  # the types leave it out
from typing import Final

Path = tuple[str | int, ...]

_BLANK: Final = re.compile(r"[ \t\n\r]*")
_PLAIN: Final = re.compile(r"[^\s,\]}]*")
_NESTING: Final = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}]')


class DuplicateKeyError(Exception):
    """A name occurs twice in an object; `name`, and where it occurs the second time."""

    def __init__(self, name: str, line: int, column: int) -> None:
        super().__init__(name)
        self.name = name
        self.line = line
        self.column = column


def places(text: str) -> dict[Path, tuple[int, int]]:
    """Return (line, column), from 1, of everything in `text`, which must be JSON. Raises `DuplicateKeyError`."""
    found: dict[Path, int] = {}
    _value(text, 0, (), found)
    return {path: line_and_column(text, at) for path, at in found.items()}


def _value(text: str, at: int, path: Path, found: dict[Path, int]) -> int:
    at = _after_blank(text, at)
    found.setdefault(path, at)
    if text[at] == "{":
        return _members(text, at + 1, path, found)
    if text[at] == "[":
        return _elements(text, at + 1, path, found)
    if text[at] == '"':
        return int(scanstring(text, at + 1, True)[1])
    plain = _PLAIN.match(text, at)
    assert plain
    return plain.end()


def _members(text: str, at: int, path: Path, found: dict[Path, int]) -> int:
    at = _after_blank(text, at)
    while text[at] != "}":
        name, end = scanstring(text, at + 1, True)
        if (*path, name) in found:
            raise DuplicateKeyError(name, *line_and_column(text, at))
        found[(*path, name)] = at
        at = _after_blank(text, _value(text, _after_blank(text, end) + 1, (*path, name), found))
        if text[at] == ",":
            at = _after_blank(text, at + 1)
    return at + 1


def _elements(text: str, at: int, path: Path, found: dict[Path, int]) -> int:
    at, number = _after_blank(text, at), 0
    while text[at] != "]":
        at = _after_blank(text, _value(text, at, (*path, number), found))
        number += 1
        if text[at] == ",":
            at = _after_blank(text, at + 1)
    return at + 1


def _after_blank(text: str, at: int) -> int:
    blank = _BLANK.match(text, at)
    assert blank
    return blank.end()


def too_deep(text: str, levels: int) -> int:
    """Return where `text`, JSON or not, is nested deeper than `levels`."""
    depth = 0
    for match in _NESTING.finditer(text):
        depth += {"{": 1, "[": 1, "}": -1, "]": -1}.get(match[0], 0)
        if depth > levels:
            return match.start()
    return 0


def line_and_column(text: str, at: int) -> tuple[int, int]:
    """Return the line and column of a position in a text, both counted from 1."""
    return text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)
