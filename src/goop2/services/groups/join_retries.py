"""When to ask hosts again to be let into their groups: a `join` may be acknowledged and still be lost (network.md, last part). No I/O."""

from __future__ import annotations

from collections.abc import Callable

from goop2.services.groups.limits import ASKED_JUST_NOW_MS, JOIN_AGAIN_MS

Place = tuple[str, str]
"""Host and id of a group."""


class JoinRetries:
    """The groups whose hosts have not answered yet. `now_ms` gives milliseconds."""

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self._now_ms = now_ms
        self._asked: dict[Place, tuple[int, int]] = {}
        """When it was asked for last, and how often it was asked for again."""

    def start(self, place: Place) -> bool:
        """Note that a host is to be asked now; return False where it was asked a moment ago."""
        now = self._now_ms()
        at, _ = self._asked.get(place, (now - ASKED_JUST_NOW_MS, 0))
        if now - at < ASKED_JUST_NOW_MS:
            return False
        self._asked[place] = now, 0
        return True

    def is_asking(self, place: Place) -> bool:
        """Return whether a host has been asked and has not answered yet."""
        return place in self._asked

    def answered(self, place: Place) -> None:
        """Stop asking: the host has answered, or nobody wants to be there any more."""
        self._asked.pop(place, None)

    def gone(self, host: str) -> None:
        """Stop asking a host that is away."""
        for place in [place for place in self._asked if place[0] == host]:
            del self._asked[place]

    def due(self) -> list[Place]:
        """Return the groups to ask for again now."""
        now = self._now_ms()
        due = [place for place, (at, again) in self._asked.items() if now - at >= JOIN_AGAIN_MS[min(again, len(JOIN_AGAIN_MS) - 1)]]
        for place in due:
            self._asked[place] = now, self._asked[place][1] + 1
        return due
