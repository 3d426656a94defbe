"""Check the text of goop.expr: that it is one expression, and stays inside the brackets we put around it.

The guard decides what it may read and call, by what the statement does (guard.py, ONE_TABLE_WRITES). Only its form is checked here: text
that closes our bracket, opens a comment or takes a parameter would change the meaning of the rest of the statement.
"""

from __future__ import annotations

import re
from typing import Final

from goop2.storage.errors import StorageError
from goop2.storage.values import shown

EXPRESSION_MAX_CHARS: Final = 2000
"""A sum of a few columns takes forty."""
_TOKEN: Final = re.compile(r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|`(?:[^`]|``)*`|\[[^\]]*\]|--|/\*|[();?:@$#'"`\[\]\0]""")
_OPENS: Final = {"'", '"', "`", "["}


def checked_expression(place: str, text: str) -> str:
    """Return `text` in brackets. Raises `StorageError` naming `place` for what is not one expression."""
    if not text.strip() or len(text) > EXPRESSION_MAX_CHARS:
        raise StorageError(f"{place}: goop.expr takes an expression of 1 to {EXPRESSION_MAX_CHARS} characters")
    depth = 0
    for match in _TOKEN.finditer(text):
        token = match[0]
        if len(token) > 1 and token[0] in _OPENS:
            continue
        depth += {"(": 1, ")": -1}.get(token, 0)
        if token not in "()" or depth < 0:
            raise _not_one(place, text)
    if depth:
        raise _not_one(place, text)
    return f"(\n{text}\n)"


def _not_one(place: str, text: str) -> StorageError:
    why = "brackets and quotes must close, and it has no comment, semicolon or parameter"
    return StorageError(f"{place}: {shown(text)} is no single expression for goop.expr: {why}")
