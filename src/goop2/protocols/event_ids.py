"""Ids of live events, `<start>-<number>`: `start` is new when the sender starts anew, and then everything before is missed."""

from __future__ import annotations

from typing import Final

UNKNOWN: Final = -1
"""Nobody can say what was missed since."""


def place_of(last_id: str, start: str, last: int) -> int:
    """Return the number of the last event a reader knows: `last`, which means now, when it names none, or UNKNOWN."""
    if not last_id:
        return last
    said, _, number = last_id.partition("-")
    # Python reads no endless numbers.
    known = said == start and number.isdecimal() and len(number) <= len(str(last)) and int(number) <= last
    return int(number) if known else UNKNOWN
