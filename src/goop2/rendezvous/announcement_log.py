"""The log of announcements for readers: only the newest of each peer, so that a slow reader gets fewer instead of old ones.

A reader is a position in one shared list, ordered by number; a peer's newer announcement removes its older one. So nobody's queue is longer
than the number of peers, and a reader costs no memory of its own.

    id of an event: <start>-<number>; `start` is new when the server starts anew, and then everything before is missed

It must not know HTTP.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter, OrderedDict
from dataclasses import dataclass

from goop2.protocols.event_ids import place_of
from goop2.rendezvous.limits import ANNOUNCEMENTS_KEPT, TAKEN_AT_ONCE


@dataclass(frozen=True, slots=True)
class Announcement:
    """The newest announcement of one peer."""

    number: int
    json: bytes


class Announcements:
    """The newest announcement of every peer, in the order of their arrival."""

    def __init__(self, kept: int = ANNOUNCEMENTS_KEPT) -> None:
        self.start = secrets.token_hex(4)
        self.last = 0
        """Number of the newest."""
        self.stopped = False
        self._kept = kept
        self._newest: OrderedDict[str, Announcement] = OrderedDict()
        self._forgotten = 0
        """Number of the newest that was dropped for room: whoever has not heard it has missed something."""
        self._readers: set[AnnouncementReader] = set()
        self._networks: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._newest)

    @property
    def readers(self) -> int:
        """Return how many readers there are now."""
        return len(self._readers)

    def readers_of(self, network: str) -> int:
        """Return how many readers come from a network."""
        return self._networks[network]

    def publish(self, key: str, json: bytes) -> None:
        """Publish an announcement; an older one with the same key is not read any more."""
        self.last += 1
        self._newest.pop(key, None)
        self._newest[key] = Announcement(self.last, json)
        if len(self._newest) > self._kept:
            self._forgotten = self._newest.popitem(last=False)[1].number
        for reader in self._readers:
            reader.news.set()

    def drop(self, key: str) -> None:
        """Remove the announcement of a peer that has expired, so that later readers do not get it."""
        self._newest.pop(key, None)

    def read(self, network: str, last_id: str = "") -> AnnouncementReader:
        """Return a reader from now on, or from after the event `last_id`; close it."""
        reader = AnnouncementReader(self, network, place_of(last_id, self.start, self.last))
        self._readers.add(reader)
        self._networks[network] += 1
        return reader

    def stop(self) -> None:
        """End every reader: no further announcement comes."""
        self.stopped = True
        for reader in self._readers:
            reader.news.set()

    def _after(self, place: int) -> list[Announcement]:
        """Return at most TAKEN_AT_ONCE announcements with a number above `place`, oldest first."""
        found = []
        for each in reversed(self._newest.values()):
            if each.number <= place:
                break
            found.append(each)
        found.reverse()
        return found[:TAKEN_AT_ONCE]

    def _close(self, reader: AnnouncementReader) -> None:
        if reader in self._readers:
            self._readers.discard(reader)
            self._networks[reader.network] -= 1
            if not self._networks[reader.network]:
                del self._networks[reader.network]


class AnnouncementReader:
    """A reader of announcements. `news` is set when `take` may return something."""

    def __init__(self, announcements: Announcements, network: str, place: int) -> None:
        self.network = network
        self.news = asyncio.Event()
        self.news.set()
        self._announcements = announcements
        self._place = place

    @property
    def ended(self) -> bool:
        """Return whether no further announcement will come."""
        return self._announcements.stopped

    @property
    def missed(self) -> bool:
        """Return whether it has missed announcements: then it should get the list of who is here, after `catch_up`."""
        return self._place < self._announcements._forgotten or self._place < 0

    def catch_up(self) -> None:
        """Skip everything published before now."""
        self._place = self._announcements.last
        self.news.clear()

    def take(self) -> list[Announcement]:
        """Return what was published since the last call, the newest of each peer; in parts when there is much."""
        taken = self._announcements._after(self._place)
        self._place = taken[-1].number if taken else self._announcements.last
        if self._place >= self._announcements.last:
            self.news.clear()
        return taken

    def close(self) -> None:
        """Stop reading announcements. Idempotent."""
        self._announcements._close(self)
