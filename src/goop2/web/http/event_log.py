"""Live events: one ring buffer that all readers read at their own pace, so that no reader costs memory.

A reader is a position in the ring. A slow reader whose position falls off the ring gets a gap event. A reader that reconnects names the
last event it knows, and gets those that are still held.

    id of an event: <start>-<number>; `start` is new at every start of the peer, and then everything before is a gap

It must not know HTTP, nor what events mean.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import deque
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Final

import msgspec

from goop2.protocols.event_ids import place_of
from goop2.web.limits import EVENTS_KEPT, EVENTS_KEPT_BYTES

GAP: Final = "gap"
"""Kind of the event after which a page must load everything again, because events were missed."""
_EVENT_BYTES: Final = 200
"""What an event costs in memory besides its data, about."""


class Event(msgspec.Struct, frozen=True, gc=False):
    """One event for pages, in the ring buffer."""

    number: int
    kind: str
    audience: str
    """Readers of this audience get it."""
    data: bytes
    """JSON."""


class Events:
    """The last events, bounded by number and by bytes."""

    def __init__(self, max_events: int = EVENTS_KEPT, max_bytes: int = EVENTS_KEPT_BYTES) -> None:
        self.start = secrets.token_hex(4)
        self._max_events = max_events
        self._max_bytes = max_bytes
        self._ring: deque[Event] = deque()
        self._bytes = 0
        self.last = 0
        """Number of the newest event."""
        self._readers: set[EventReader] = set()
        self.stopped = False

    @property
    def kept_bytes(self) -> int:
        """About what the ring holds in memory."""
        return self._bytes

    @property
    def oldest(self) -> int:
        """Number of the oldest event held, or of the next when none is."""
        return self._ring[0].number if self._ring else self.last + 1

    def after(self, place: int) -> Iterator[Event]:
        """Return the events that are held with a number above `place`."""
        return islice(self._ring, max(0, place + 1 - self.oldest), None)

    def has_reader(self, audience: str) -> bool:
        """Return whether there is a reader of `audience`."""
        return any(audience in reader.audiences for reader in self._readers)

    def readers(self, who: Callable[[str], bool]) -> int:
        """Return how many readers there are whose name fits."""
        return sum(1 for reader in self._readers if who(reader.name))

    def names(self, audience: str) -> list[str]:
        """Return the names of the readers of `audience`."""
        return [reader.name for reader in self._readers if audience in reader.audiences]

    def publish(self, kind: str, data: object, audience: str) -> None:
        """Add an event for `audience`; `data` is anything msgspec encodes as JSON."""
        self.last += 1
        event = Event(self.last, kind, audience, msgspec.json.encode(data))
        self._ring.append(event)
        self._bytes += _EVENT_BYTES + len(event.data)
        # The newest event stays even if it alone is too large: its readers are about to take it.
        while len(self._ring) > self._max_events or (self._bytes > self._max_bytes and len(self._ring) > 1):
            self._bytes -= _EVENT_BYTES + len(self._ring.popleft().data)
        # All readers, whatever their audience: `take` selects.
        for reader in self._readers:
            reader.news.set()

    def read(self, name: str, audiences: frozenset[str], last_id: str = "") -> EventReader:
        """Return a reader from now on, or from after the event `last_id`; close it."""
        reader = EventReader(self, name, audiences, place_of(last_id, self.start, self.last))
        self._readers.add(reader)
        return reader

    def stop(self) -> None:
        """End every reader: no further event comes."""
        self.stopped = True
        for reader in self._readers:
            reader.news.set()


class EventReader:
    """A reader of events. `news` is set when `take` may return something."""

    def __init__(self, events: Events, name: str, audiences: frozenset[str], place: int) -> None:
        self.name = name
        self.audiences = audiences
        self.news = asyncio.Event()
        self.news.set()
        self._events = events
        self._place = place

    @property
    def place(self) -> str:
        """Return the id of the last event it knows; "" when that is not known."""
        return f"{self._events.start}-{self._place}" if self._place >= 0 else ""

    @property
    def ended(self) -> bool:
        """Return whether no further event will come."""
        return self._events.stopped

    def take(self) -> list[Event]:
        """Return what has happened since the last time, for this reader; a gap first where something was missed."""
        self.news.clear()
        place, self._place = self._place, self._events.last
        # Events between the reader's position and the oldest one held are lost.
        missed = place < self._events.oldest - 1
        gap = [Event(max(self._events.oldest - 1, 0), GAP, "", b"{}")] if missed else []
        return gap + [event for event in self._events.after(place) if event.audience in self.audiences]

    def close(self) -> None:
        """Stop reading events. Idempotent."""
        self._events._readers.discard(self)
