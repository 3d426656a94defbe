"""Make text from scripts and file names fit for a terminal, a log line and a list.

A template is made by a stranger: its file names, comments and compiler messages may hold escape sequences. Whatever of that is shown to
people passes here first.
"""

from __future__ import annotations

_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


def printable(text: str, most: int) -> str:
    """Return `text` on one line, without control characters, cut with an ellipsis after `most` characters."""
    cut = text[: most - 1] + "…" if len(text) > most else text
    return cut if cut.isprintable() else "".join(char if char.isprintable() else _REPLACEMENT for char in cut)
