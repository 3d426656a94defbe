"""Guess from its text whether a data function's file defines the global `handle`, so that `!name` may run it, `on_group_close` or `run`.

Nothing runs before somebody calls it; the first run as a command shows whether the guess is right (catalog.py, `lacks_handle`).
"""

from __future__ import annotations

import re
from typing import Final

_NOT_CODE: Final = re.compile(
    rb"(?P<comment>--)?(?P<long>\[=*\[)|--|\"(?:\\.|[^\"\\\n])*\"?|'(?:\\.|[^'\\\n])*'?",
    re.DOTALL,
)
"""Where a comment or a string begins, in which a definition is none. A string that is not closed ends with its line, so that no byte is
looked at twice."""
_DEFINED: Final = rb"(?<![\w.:])(?<!local )function\s+%(name)s\s*\(|(?<![\w.:])(?<!local )%(name)s\s*=(?!=)|\b_G\s*\.\s*%(name)s\s*=(?!=)"
HANDLE: Final = b"handle"
ON_GROUP_CLOSE: Final = b"on_group_close"
RUN: Final = b"run"


def without_comments(source: bytes) -> bytes:
    """Return a source without comments and strings, each line where it was."""
    kept: list[bytes] = []
    place = 0
    unclosed: set[bytes] = set()
    # Not one expression for all: it would look for the end of each long bracket that has none, through the whole source.
    while match := _NOT_CODE.search(source, place):
        end = _end(source, match, unclosed)
        kept += (source[place : match.start()], b" ", b"\n" * source.count(b"\n", match.start(), end))
        place = end
    return b"".join((*kept, source[place:]))


def _end(source: bytes, match: re.Match[bytes], unclosed: set[bytes]) -> int:
    """Return where a comment or a string ends. `unclosed`: ends of long brackets that come nowhere from here on."""
    if match["long"] is not None:
        closing = match["long"].replace(b"[", b"]")
        found = -1 if closing in unclosed else source.find(closing, match.end())
        if found >= 0:
            return found + len(closing)
        unclosed.add(closing)
        if match["comment"] is None:
            return match.end()
    elif match[0] != b"--":
        return match.end()
    line_end = source.find(b"\n", match.start())
    return len(source) if line_end < 0 else line_end


def defines(source: bytes, name: bytes) -> bool:
    """Return whether `source` seems to define a global function `name`."""
    return name in source and re.search(_DEFINED % {b"name": name}, without_comments(source)) is not None
