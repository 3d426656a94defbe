"""Guess from its text whether a data function's file defines the global `handle`, so that `!name` may run it, `on_group_close` or `run`.

Nothing runs before somebody calls it; the first run as a command shows whether the guess is right (catalog.py, `lacks_handle`).
"""

from __future__ import annotations

import re
from typing import Final

_NOT_CODE: Final = re.compile(
    rb"--\[(=*)\[.*?\]\1\]|--[^\n]*|\[(=*)\[.*?\]\2\]|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'",
    re.DOTALL,
)
"""Comments and strings, in which a definition is none."""
_DEFINED: Final = rb"(?<![\w.:])(?<!local )function\s+%(name)s\s*\(|(?<![\w.:])(?<!local )%(name)s\s*=(?!=)|\b_G\s*\.\s*%(name)s\s*=(?!=)"
HANDLE: Final = b"handle"
ON_GROUP_CLOSE: Final = b"on_group_close"
RUN: Final = b"run"


def without_comments(source: bytes) -> bytes:
    """Return a source without comments and strings, each line where it was."""
    return _NOT_CODE.sub(lambda match: b" " + b"\n" * match[0].count(b"\n"), source)


def defines(source: bytes, name: bytes) -> bool:
    """Return whether `source` seems to define a global function `name`."""
    return name in source and re.search(_DEFINED % {b"name": name}, without_comments(source)) is not None
