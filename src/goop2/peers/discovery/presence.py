"""Giving signs of this peer, and taking those of others: `goop.presence.v1`.

This peer says that it is here at once, every HEARTBEAT_SECONDS, and when something about it changes; at a clean end it says goodbye. What
others say over gossip is signed: only the author is believed, about itself alone. How a sign travels is not this file's business.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

import msgspec
import structlog

from goop2.net.address import CIRCUIT, PeerAddress, parse, peer_id
from goop2.net.faults import AddressError
from goop2.net.limits import CLOSE_SECONDS
from goop2.peers.discovery.roster import HEARTBEAT_SECONDS, Roster
from goop2.protocols.errors import RemoteProtocolError
from goop2.protocols.presence import Presence, read

Send = Callable[[Presence], Awaitable[None]]
"""One way a sign travels. May raise; the others go on."""
Found = Callable[[Sequence[PeerAddress]], object]

_MILLISECONDS = 1000
_log: structlog.typing.FilteringBoundLogger = structlog.get_logger("goop2.net")


class Announcer:
    """The signs this peer gives; made by `open_announcer`."""

    def __init__(self, says: Callable[[], Presence], ways: Sequence[Send]) -> None:
        self._says = says
        self._ways = ways
        self._changed = asyncio.Event()
        self._last_ts = 0

    def changed(self) -> None:
        """What this peer says of itself is different now: tell it at once."""
        self._changed.set()

    async def _give(self) -> None:
        kind = "online"
        while True:
            try:
                await self.give(kind)
            except Exception as error:  # the next one must not miss for it
                _log.debug("no sign was given", why=repr(error))
            kind = "update"
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), HEARTBEAT_SECONDS)
                self._changed.clear()

    async def give(self, kind: str, ways: Sequence[Send] | None = None) -> None:
        """One sign, every way at once or these; a way that takes longer than a heartbeat misses it."""
        # Two signs of one millisecond, or a clock set back, would look like a replay.
        self._last_ts = max(self._last_ts + 1, int(time.time() * _MILLISECONDS))
        said = msgspec.structs.replace(self._says(), type=kind, ts=self._last_ts)
        await asyncio.gather(*(self._one_way(way, said) for way in (self._ways if ways is None else ways)))

    async def _one_way(self, way: Send, said: Presence) -> None:
        try:
            async with asyncio.timeout(HEARTBEAT_SECONDS):
                await way(said)
        except Exception as error:
            _log.debug("a sign did not get out", why=repr(error))


@contextlib.asynccontextmanager
async def open_announcer(says: Callable[[], Presence], ways: Sequence[Send]) -> AsyncIterator[Announcer]:
    """Say that this peer is here until the block is left, then goodbye. `says` gives what is true now, its type and time left out."""
    announcer = Announcer(says, ways)
    giving = asyncio.create_task(announcer._give())
    try:
        yield announcer
    finally:
        giving.cancel()
        await asyncio.gather(giving, return_exceptions=True)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_SECONDS):
                await announcer.give("offline")


class PresenceListener:
    """What others say, told to a roster; `found` is called with the addresses of whoever is believed."""

    def __init__(self, roster: Roster, found: Found) -> None:
        self._roster = roster
        self._found = found

    def gossip(self, author: str, payload: bytes) -> bool:
        """A message with a proved author. Whether it is worth handing on: well-formed, about the author, and no replay."""
        try:
            said = read(payload)
        except RemoteProtocolError:
            return False
        if said.peer_id != author:
            return False
        if said.type == "punch":
            return True
        if not self._roster.signed(author, said):
            return False
        if said.type != "offline":
            self._found(addresses_of(said))
        return True

    def rendezvous(self, payload: bytes) -> None:
        """A message nobody vouches for."""
        try:
            said = read(payload)
            peer_id(said.peer_id)
        except (RemoteProtocolError, AddressError):
            return
        if self._roster.hearsay(said):
            self._found(addresses_of(said))


def addresses_of(said: Presence) -> list[PeerAddress]:
    """Return where the peer says it is, with or without its id at the end; another peer's address and whatever is none are left out."""
    found = []
    for text in said.addrs:
        with contextlib.suppress(AddressError):
            whole = "/p2p/" in text and not text.endswith(CIRCUIT)
            address = parse(text if whole else f"{text}/p2p/{said.peer_id}")
            if address.peer == said.peer_id:
                found.append(address)
    return found
