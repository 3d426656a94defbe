"""The words for a run, the same in the terminal and on Home. Names and messages are strangers' text; each is one short line."""

from __future__ import annotations

from typing import Final

from goop2.scripting.printable import printable

NAME_MAX_CHARS: Final = 64
MESSAGE_MAX_CHARS: Final = 300


def script_shown(kind: str, script: str) -> str:
    """Return a script's name as it is called; "" stands for names that strangers made up."""
    name = _line(script, NAME_MAX_CHARS) or "(several names)"
    return f"!{name}" if kind == "command" else name


def error_shown(script: str, line: int | None, message: str) -> str:
    """Return an error with its line before it, and without the script's name, which stands elsewhere."""
    place = script if line is None else f"{script}:{line}"
    where = "" if line is None else f"line {line}: "
    return _line(where + message.removeprefix(f"{place}: "), MESSAGE_MAX_CHARS)


def times_shown(count: int) -> str:
    """Return how often something happened."""
    return "once" if count == 1 else f"{count:,} times"


def _line(text: str, most: int) -> str:
    return printable(" ".join(text.split()), most)
