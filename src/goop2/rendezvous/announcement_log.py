"""The log of announcements for readers: only the newest of each peer, so that a slow reader gets fewer instead of old ones.

A reader is a position in one shared list, ordered by number; a peer's newer announcement removes its older one. So nobody's queue is longer
than the number of peers, and a reader costs no memory of its own. A reader may ask for some peers alone; it is woken by those alone.

    id of an event: <start>-<number>; `start` is new when the server starts anew, and then everything before is missed

The text of an event is made once, when it is published, and what several readers at one place take is put together once. It must not know
HTTP.
"""

from __future__ import annotations

import asyncio
import itertools
import secrets
from collections import Counter, OrderedDict
from dataclasses import dataclass
from typing import Final

from goop2.protocols.event_ids import place_of
from goop2.rendezvous.limits import ANNOUNCEMENTS_KEPT, PHASES, TAKEN_AT_ONCE

EVERYBODY: Final[frozenset[str]] = frozenset()
"""What a reader asks for that names no peers."""


@dataclass(frozen=True, slots=True)
class Announcement:
    """The newest announcement of one peer."""

    number: int
    json: bytes
    frame: bytes
    """As it stands in a stream of events. JSON has no line breaks, so one data line is enough."""


class Announcements:
    """The newest announcement of every peer, in the order of their arrival."""

    def __init__(self, kept: int = ANNOUNCEMENTS_KEPT) -> None:
        self.start = secrets.token_hex(4)
        self._start = self.start.encode()
        self.last = 0
        """Number of the newest."""
        self.stopped = False
        self.numbers = itertools.count()
        self._kept = kept
        self._newest: OrderedDict[str, Announcement] = OrderedDict()
        self._forgotten = 0
        """Number of the newest that was dropped for room: whoever has not heard it has missed something."""
        self._readers: set[AnnouncementReader] = set()
        self._of_everybody: set[AnnouncementReader] = set()
        self._of_some: dict[str, set[AnnouncementReader]] = {}
        """Peer → the readers that have asked for it and not for everybody."""
        self._put_together_for = -1, -1
        self._put_together = -1, b""
        """Events after a place, as of a number, and the number of the last of them: readers that are woken together take the same."""
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
        # Out and in again, so that the order is that of the numbers: `_after` reads from the end.
        self._newest.pop(key, None)
        self._newest[key] = Announcement(self.last, json, self.frame(self.last, json))
        if len(self._newest) > self._kept:
            # Only this counts as missed: one that was replaced by a newer one of the same peer is of no use to anybody.
            self._forgotten = self._newest.popitem(last=False)[1].number
        for reader in self._of_everybody:
            reader.news.set()
        for reader in self._of_some.get(key, ()):
            reader.news.set()

    def frame(self, number: int, json: bytes) -> bytes:
        """Return an announcement as an event."""
        return b"id: %s-%d\ndata: %s\n\n" % (self._start, number, json)

    def drop(self, key: str) -> None:
        """Remove the announcement of a peer that has expired, so that later readers do not get it."""
        self._newest.pop(key, None)
        self._put_together_for = -1, -1

    def read(self, network: str, last_id: str = "", peers: frozenset[str] = EVERYBODY) -> AnnouncementReader:
        """Return a reader from now on, or from after the event `last_id`, of everybody or of some peers; close it."""
        reader = AnnouncementReader(self, network, place_of(last_id, self.start, self.last), peers)
        self._readers.add(reader)
        for peer in peers:
            self._of_some.setdefault(peer, set()).add(reader)
        if peers is EVERYBODY:
            self._of_everybody.add(reader)
        self._networks[network] += 1
        return reader

    def stop(self) -> None:
        """End every reader: no further announcement comes."""
        self.stopped = True
        for reader in self._readers:
            reader.news.set()

    def _of_peers(self, peers: frozenset[str], place: int) -> list[Announcement]:
        """Return the announcements of these peers with a number above `place`, oldest first."""
        known = self._newest
        found = [known[peer] for peer in peers if peer in known and known[peer].number > place]
        return sorted(found, key=lambda each: each.number)

    def _events_after(self, place: int) -> tuple[int, bytes]:
        """Return what `_after` would as events, and the number of the last; put together once for all readers at one place."""
        # A thousand readers at one place get one text, put together once.
        if (place, self.last) != self._put_together_for:
            taken = self._after(place)
            self._put_together_for = place, self.last
            self._put_together = taken[-1].number if taken else self.last, b"".join([each.frame for each in taken])
        return self._put_together

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
            self._of_everybody.discard(reader)
            for peer in reader.peers:
                self._of_some[peer].discard(reader)
                if not self._of_some[peer]:
                    del self._of_some[peer]
            self._networks[reader.network] -= 1
            if not self._networks[reader.network]:
                del self._networks[reader.network]


class AnnouncementReader:
    """A reader of announcements. `news` is set when `take` may return something."""

    def __init__(self, announcements: Announcements, network: str, place: int, peers: frozenset[str] = EVERYBODY) -> None:
        self.network = network
        self.phase = next(announcements.numbers) % PHASES
        """Which group of readers it is woken with."""
        self.peers = peers
        """Those it has asked for; EVERYBODY: all."""
        self.news = asyncio.Event()
        self.news.set()
        self._announcements = announcements
        self._place = place

    @property
    def ended(self) -> bool:
        """Return whether no further announcement will come."""
        return self._announcements.stopped

    @property
    def place(self) -> int:
        """Return the number of the newest announcement that it has taken or skipped."""
        return self._place

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
        some = self.peers is not EVERYBODY
        taken = self._announcements._of_peers(self.peers, self._place) if some else self._announcements._after(self._place)
        self._place = taken[-1].number if taken and not some else self._announcements.last
        if self._place >= self._announcements.last:
            self.news.clear()
        return taken

    def take_events(self) -> bytes:
        """Return what `take` would, as the text of events."""
        if self.peers is not EVERYBODY:
            return b"".join([each.frame for each in self.take()])
        self._place, events = self._announcements._events_after(self._place)
        if self._place >= self._announcements.last:
            self.news.clear()
        return events

    def close(self) -> None:
        """Stop reading announcements. Idempotent."""
        self._announcements._close(self)
