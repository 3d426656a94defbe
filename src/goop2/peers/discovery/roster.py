"""The roster of peers that are online: announcements in, changes out. Pure: the clock is passed in, nothing is sent.

What is trusted about a peer:

    over gossip         the message is signed: accepted when its author is the peer it describes, dropped otherwise
    from a rendezvous   not trusted: it shows an unknown peer and where it may be, until its announcements stop. It never removes a peer
                        and never changes what the peer itself has said. A false address costs a dial, which proves the id
    a connection        proves that the peer is there

A payload key counts as a peer's own when the peer has sent it itself. One that a rendezvous server names is kept apart as a hint: it may
decrypt what the peer sends, which its connection proves, and nothing is ever encrypted with it (peers/payload_crypto.py).

A peer is offline OFFLINE_AFTER_SECONDS after its last announcement. A message older than the last one is a replay and is dropped.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from enum import Enum
from typing import Final, Literal

import msgspec

from goop2.protocols.presence import Presence, cut
from goop2.scripting.subscribers import Subscribers

OFFLINE_AFTER_SECONDS: Final = 20.0
"""Four heartbeats (network.md)."""
HEARTBEAT_SECONDS: Final = 5.0
PEERS_MAX: Final = 2048
"""Peers kept at a time. A stranger can invent peers without end: beyond the bound new ones are refused, so that those who are here do not
come and go with every announcement. A peer that has proved itself takes the place of one that has not."""
_TS_MEMORY_SECONDS: Final = 15.0
"""For so long after a peer's last announcement an older one is a replay. Later its clock may have been set back while it was away, and it
must not count as offline for that. Gossip itself drops what it has seen within two minutes."""


class DiscoverySource(Enum):
    """The way by which an announcement came."""

    ITSELF = "itself"
    """Signed by, or on a connection with, the peer."""
    HEARSAY = "hearsay"
    """Through somebody who proves nothing."""


class RosterEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A peer that is online. Its texts are untrusted."""

    id: str
    label: str
    email: str = ""
    active_template: str = ""
    avatar_hash: str = ""
    """The name of its picture (protocols/avatar.py), told by itself; "" when it has none."""
    public_key: str = ""
    """Told by itself; "" otherwise."""
    encryption_supported: bool = False
    hinted_key: str = ""
    """Told by somebody who proves nothing."""
    addresses: tuple[str, ...] = ()
    proved: bool = False
    """It said so itself."""
    told_email: str = ""
    """Told on its own connection: a peer need not say to everybody what it tells us."""


class RosterChange(msgspec.Struct, frozen=True):
    """One change of the roster, as its subscribers get it."""

    what: Literal["online", "update", "offline"]
    peer: RosterEntry


class _RosterRecord:
    def __init__(self, peer: RosterEntry, at: float, ts: int) -> None:
        self.peer = peer
        self.at = at
        self.ts = ts


class Roster:
    """The peers that are online, without this one. `clock` gives seconds and never goes back."""

    def __init__(self, self_id: str, clock: Callable[[], float]) -> None:
        self._self_id = self_id
        self._clock = clock
        self._entries: OrderedDict[str, _RosterRecord] = OrderedDict()
        """The longest silent first."""
        self._last_ts: OrderedDict[str, tuple[int, float]] = OrderedDict()
        """Peer → (newest `ts` it signed, when it came), also of those that are gone."""
        self._subscribers: Subscribers[RosterChange] = Subscribers()
        self._all_proved = False
        """Whether a search for an entry that has not proved itself found none, and none has come since."""

    def __len__(self) -> int:
        return len(self._entries)

    def peers(self) -> tuple[RosterEntry, ...]:
        """Return the peers that are online, by label, then id."""
        self.expire()
        return tuple(sorted((entry.peer for entry in self._entries.values()), key=lambda peer: (peer.label.lower(), peer.id)))

    def get(self, peer: str) -> RosterEntry | None:
        """Return the entry of a peer, or None."""
        entry = self._entries.get(peer)
        return entry.peer if entry else None

    def hinted_key(self, peer: str) -> str:
        """Return the key for payload encryption that a rendezvous names for a peer, base64; "" when none does."""
        entry = self._entries.get(peer)
        return entry.peer.hinted_key if entry else ""

    def subscribe(self, callback: Callable[[RosterChange], None]) -> Callable[[], None]:
        """Call `callback` with every change from now on; return the function that unsubscribes."""
        return self._subscribers.add(callback)

    def signed(self, author: str, said: Presence) -> bool:
        """Take a presence whose author is proved; return whether it was accepted."""
        if author != said.peer_id or author == self._self_id or said.type == "punch" or self._replayed(said):
            return False
        self._last_ts[author] = (said.ts, self._clock())
        self._last_ts.move_to_end(author)
        if len(self._last_ts) > PEERS_MAX:
            self._last_ts.popitem(last=False)
        if said.type == "offline":
            self._gone(author)
        else:
            self._here(said, DiscoverySource.ITSELF)
        return True

    def hearsay(self, said: Presence) -> bool:
        """Take a presence that proves nothing; return whether it changed or prolonged anything."""
        if said.peer_id == self._self_id or said.type not in ("online", "update"):
            return False
        entry = self._entries.get(said.peer_id)
        if entry is not None and entry.peer.proved:
            if said.public_key:
                entry.peer = msgspec.structs.replace(entry.peer, hinted_key=said.public_key)
            return False
        self._here(said, DiscoverySource.HEARSAY)
        return True

    def alive(self, peer: str) -> None:
        """Note that a connection or an answer proves that a peer is here; its label is not known from that."""
        entry = self._entries.get(peer)
        if entry is not None:
            entry.at = self._clock()
            self._entries.move_to_end(peer)
        elif peer != self._self_id:
            self._here(Presence("online", peer), DiscoverySource.ITSELF)

    def connected(self, peer: str) -> None:
        """Note that a connection has come up: the peer may have restarted with another clock."""
        # Its clock may have been set back; without this its new announcements would count as replays.
        self._last_ts.pop(peer, None)
        self.alive(peer)

    def introduced(self, peer: str, label: str, email: str = "", avatar_hash: str = "") -> None:
        """Take the label that a connected peer gives, and what else it says of itself. Its announcements count more."""
        self.alive(peer)
        entry = self._entries.get(peer)
        if entry is None:
            return
        entry.peer = msgspec.structs.replace(entry.peer, told_email=cut(email))
        known = entry.peer.proved and entry.peer.label != peer
        said = Presence(
            "online",
            peer,
            entry.peer.label if known else cut(label),
            active_template=entry.peer.active_template,
            avatar_hash=avatar_hash or entry.peer.avatar_hash,
            ts=entry.ts,
        )
        self._here(said, DiscoverySource.ITSELF)

    def expire(self) -> None:
        """Remove the peers that were silent too long."""
        limit = self._clock() - OFFLINE_AFTER_SECONDS
        while self._entries and next(iter(self._entries.values())).at <= limit:
            self._gone(next(iter(self._entries)))

    def _here(self, said: Presence, source: DiscoverySource) -> None:
        self.expire()
        known = self._entries.get(said.peer_id)
        if known is None and not self._make_room(source):
            return
        peer = _merged(said, known.peer if known else None, source)
        self._all_proved = self._all_proved and peer.proved
        self._entries[said.peer_id] = _RosterRecord(peer, self._clock(), said.ts)
        self._entries.move_to_end(said.peer_id)
        if known is None:
            self._subscribers.notify(RosterChange("online", peer))
        elif known.peer != peer:
            self._subscribers.notify(RosterChange("update", peer))

    def _gone(self, peer: str) -> None:
        entry = self._entries.pop(peer, None)
        if entry is not None:
            self._subscribers.notify(RosterChange("offline", entry.peer))

    def _make_room(self, source: DiscoverySource) -> bool:
        """Return whether there is room for a new peer."""
        if len(self._entries) < PEERS_MAX:
            return True
        # Where all have proved themselves, thousands who ask for a place are not searched for one each.
        if source is not DiscoverySource.ITSELF or self._all_proved:
            return False
        unproved = next((id_ for id_, entry in self._entries.items() if not entry.peer.proved), None)
        if unproved is None:
            self._all_proved = True
            return False
        self._gone(unproved)
        return True

    def _replayed(self, said: Presence) -> bool:
        ts, at = self._last_ts.get(said.peer_id, (said.ts, 0.0))
        return said.ts < ts and self._clock() - at < _TS_MEMORY_SECONDS


def _merged(said: Presence, known: RosterEntry | None, source: DiscoverySource) -> RosterEntry:
    """Return the old and the new announcement combined. If the new one has no key, the old key stays."""
    itself = source is DiscoverySource.ITSELF
    hinted = "" if itself else said.public_key
    public_key = said.public_key if itself else ""
    return RosterEntry(
        id=said.peer_id,
        label=said.label or (known.label if known else "") or said.peer_id,
        email=said.email or (known.told_email if known else ""),
        active_template=said.active_template,
        avatar_hash=said.avatar_hash if itself else "",
        public_key=public_key or (known.public_key if known else ""),
        encryption_supported=(itself and said.encryption_supported) or (known.encryption_supported if known and not public_key else False),
        hinted_key=hinted or (known.hinted_key if known else ""),
        addresses=said.addrs or (known.addresses if known else ()),
        proved=itself,
        told_email=known.told_email if known else "",
    )
