"""The registry of a rendezvous server: which peers announced themselves, from which address, and what is forwarded. Pure: the clock is
passed in.

An announcement proves nothing, since anybody may post any peer's name. These rules keep a false one harmless:

    `offline`      is forwarded only when the peer's last announcement came from the same address, and from no other since
    an address     is forwarded beside those that others gave for the peer; the dial proves who is there
    "verified"     is removed: nobody here has verified anything
    the same       is forwarded again after UNCHANGED_SECONDS, and a change at once: whoever reads counts a peer as gone after twenty
    many names     use memory up to PEERS_MAX and PEERS_BYTES_MAX. Then new ones are refused until some expire, so that those who are here
                   stay, and the list does not change with every announcement. One address has at most twenty, because of
                   PUBLISHED_PER_MINUTE
    another server on a bus (bus.py) speaks like one address, and its peers have room of their own; a peer that comes here itself has room
                   here
"""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterable
from typing import Final

import msgspec

from goop2.net.address import peer_id
from goop2.net.admission import TokenBucket
from goop2.protocols.presence import Presence, write
from goop2.rendezvous.limits import PEERS_BYTES_MAX, PEERS_MAX, PUBLISHED_PER_MINUTE, SILENT_SECONDS, SOURCES_MAX, UNCHANGED_SECONDS


class AnnouncementRateError(Exception):
    """The address has published all it may for now."""


class RegistryFullError(Exception):
    """The registry is full; a place is free when another peer falls silent."""


HERE: Final = ""
"""Home of the peers that announce themselves at this server; other servers are homes by their keys."""


class _Room:
    """What the peers of one home take."""

    __slots__ = ("bytes", "peers")

    def __init__(self) -> None:
        self.peers = 0
        self.bytes = 0

    def has_room(self, peers: int, bytes_: int) -> bool:
        """Return whether so much more fits."""
        return self.peers + peers <= PEERS_MAX and self.bytes + bytes_ <= PEERS_BYTES_MAX


class _RegistryRecord:
    __slots__ = ("announced_here_at", "at", "handed_on_at", "home", "json", "said", "size", "sources")

    def __init__(self, said: Presence, at: float, home: str) -> None:
        self.home = home
        self.announced_here_at = -SILENT_SECONDS
        """When the peer, or somebody in its name, was at this server itself."""
        self.said = said
        self.json = b""
        self.at = at
        self.handed_on_at = at
        self.sources: OrderedDict[str, float] = OrderedDict()
        """Address → when it last spoke for the peer."""
        self.size = 0


class Registry:
    """The peers that announced themselves. `clock` gives seconds and never goes back; `dropped` is called with each removed peer."""

    def __init__(self, clock: Callable[[], float], dropped: Callable[[str], object] = str) -> None:
        self._clock = clock
        self._dropped = dropped
        self._entries: OrderedDict[str, _RegistryRecord] = OrderedDict()
        """The longest silent first."""
        self._published = TokenBucket(PUBLISHED_PER_MINUTE, clock)
        self._rooms: defaultdict[str, _Room] = defaultdict(_Room)

    def __len__(self) -> int:
        self.expire()
        return len(self._entries)

    def peers(self) -> list[Presence]:
        """Return the last announcement of each peer, by label."""
        self.expire()
        return sorted((entry.said for entry in self._entries.values()), key=lambda said: (said.label.lower(), said.peer_id))

    def admit(self, source: str) -> None:
        """Count an announcement from an address, valid or not. Raises `AnnouncementRateError`."""
        if not self._published.take(source):
            raise AnnouncementRateError

    def post(self, source: str, said: Presence, home: str = HERE) -> Presence | None:
        """Accept an announcement from an address, or from another server, its `home`; return what to publish, if anything. Raises
        `AddressError` for an invalid peer, and `RegistryFullError`.
        """
        peer_id(said.peer_id)
        self.expire()
        said = msgspec.structs.replace(said, verified=False)
        if said.type == "offline":
            return said if self._goodbye(source, said.peer_id) else None
        return said if said.type == "punch" or self._keep(source, said, home) else None

    def present(self, peers: Iterable[str] = ()) -> list[bytes]:
        """Return the last announcement of each of these peers that is here, or of everybody, as JSON."""
        self.expire()
        found = (self._entries.get(peer) for peer in peers) if peers else self._entries.values()
        return [entry.json for entry in found if entry is not None]

    def announced_here(self) -> list[bytes]:
        """Return the last announcement of each peer that is at this server itself, and not at another one alone, as JSON."""
        self.expire()
        limit = self._clock() - SILENT_SECONDS
        return [entry.json for entry in self._entries.values() if entry.announced_here_at > limit]

    def expire(self) -> None:
        """Remove the peers that were silent too long."""
        limit = self._clock() - SILENT_SECONDS
        while self._entries and next(iter(self._entries.values())).at <= limit:
            self._drop(next(iter(self._entries)))

    def _keep(self, source: str, said: Presence, home: str) -> bool:
        """Note an announcement; return whether it is handed on."""
        now = self._clock()
        known = self._entries.get(said.peer_id)
        entry = known or _RegistryRecord(said, now, home)
        handed_on = known is None or now - known.handed_on_at >= UNCHANGED_SECONDS or not _same(known.said, said)
        json = write(said)
        size = len(json)
        if known is None:
            if not self._rooms[home].has_room(1, size):
                raise RegistryFullError
            self._rooms[home].peers += 1
        elif not self._rooms[entry.home].has_room(0, size - entry.size):
            said, size, json = known.said, known.size, known.json  # whoever is here stays, with the text there was room for
        self._rooms[entry.home].bytes += size - entry.size
        entry.said, entry.json, entry.size, entry.at = said, json, size, now
        if handed_on:
            entry.handed_on_at = now
        if home == HERE:
            entry.announced_here_at = now
            self._settle_here(entry)
        entry.sources.pop(source, None)
        entry.sources[source] = now
        if len(entry.sources) > SOURCES_MAX:
            entry.sources.popitem(last=False)
        self._entries[said.peer_id] = entry
        self._entries.move_to_end(said.peer_id)
        return handed_on

    def _settle_here(self, entry: _RegistryRecord) -> None:
        """Have a peer of another server take room here, if there is some: the other server must not decide over its room."""
        if entry.home != HERE and self._rooms[HERE].has_room(1, entry.size):
            self._leave_room(entry)
            entry.home = HERE
            self._rooms[HERE].peers += 1
            self._rooms[HERE].bytes += entry.size

    def _leave_room(self, entry: _RegistryRecord) -> None:
        room = self._rooms[entry.home]
        room.peers -= 1
        room.bytes -= entry.size
        if not room.peers:
            del self._rooms[entry.home]

    def _goodbye(self, source: str, peer: str) -> bool:
        """Return whether the peer itself said that it is offline, as far as an address shows that."""
        entry = self._entries.get(peer)
        if entry is None:
            return False
        limit = self._clock() - SILENT_SECONDS
        if any(at > limit for other, at in entry.sources.items() if other != source):
            return False
        self._drop(peer)
        return True

    def _drop(self, peer: str) -> None:
        self._leave_room(self._entries.pop(peer))
        self._dropped(peer)


def _same(one: Presence, other: Presence) -> bool:
    """Return whether two announcements differ in their time alone."""
    return one == msgspec.structs.replace(other, ts=one.ts)
