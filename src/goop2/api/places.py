"""Where things stand in a JSON text: the path to a value → line and column of its key, or of itself in a list."""

from __future__ import annotations

import re
from json.decoder import scanstring  # type: ignore[attr-defined]  # the types leave it out
from typing import Final

Path = tuple[str | int, ...]

_BLANK: Final = re.compile(r"[ \t\n\r]*")
_PLAIN: Final = re.compile(r"[^\s,\]}]*")


def places(text: str) -> dict[Path, tuple[int, int]]:
    """(line, column), from 1, of everything in `text`, which must be JSON."""
    found: dict[Path, int] = {}
    _value(text, 0, (), found)
    return {path: _line_and_column(text, at) for path, at in found.items()}


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


def _line_and_column(text: str, at: int) -> tuple[int, int]:
    return text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)
