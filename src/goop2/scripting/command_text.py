"""Recognise a chat command (behaviour.md, Changes, "What is a command"); the one place that does.

Phone keyboards put a blank before or after the mark, and some write the full-width mark `！`; all of these count.
"""

from __future__ import annotations

from typing import Final

MARKS: Final = ("!", "！")
"""What a command begins with: the exclamation mark, and its full-width form."""


def command_of(message: str) -> str | None:
    """Return a command without its mark and the blanks around it, or None when `message` is no command."""
    text = message.strip()
    return text[1:].lstrip() if text[:1] in MARKS else None


def is_command(message: str) -> bool:
    """Return whether `message` is a command, be it one without a name."""
    return command_of(message) is not None
