"""Presence (`goop.presence.v1`): announce this peer, and read the announcements of others.

    online    once, at the start
    update    every HEARTBEAT_SECONDS, and when something about this peer changes. A Go peer answers each `online` with a probe, a database
              write and a request for our avatar, so it is sent once
    offline   at a clean end

Announcements over gossip are signed; each is accepted only about its author. This module must not know how an announcement travels.
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
"""One way an announcement travels. It may raise; the other ways go on."""
Found = Callable[[Sequence[PeerAddress]], object]
"""Takes the addresses of a peer that is believed."""

_MILLISECONDS = 1000
_log: structlog.typing.FilteringBoundLogger = structlog.get_logger("goop2.net")


class Announcer:
    """Announces this peer. Made by `open_announcer`.

    `says` gives what is true now, its type and time left out; `changed` is set by whoever has changed that.
    """

    def __init__(self, says: Callable[[], Presence], ways: Sequence[Send], changed: asyncio.Event) -> None:
        self.changed = changed
        self._says = says
        self._ways = ways
        self._last_ts = 0

    async def run(self) -> None:
        """Announce this peer at once, at every change and with every heartbeat, until cancelled."""
        kind = "online"
        while True:
            try:
                await self.give(kind)
            except Exception as error:  # the next announcement must still be made
                _log.debug("no announcement was made", why=repr(error))
            kind = "update"
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(HEARTBEAT_SECONDS):
                    await self.changed.wait()
                self.changed.clear()

    async def give(self, kind: str, ways: Sequence[Send] | None = None) -> None:
        """Send one announcement of a kind, over all ways at once or over `ways`. A way that takes longer than a heartbeat misses it."""
        # Two announcements of one millisecond, or a clock set back, would look like a replay.
        self._last_ts = max(self._last_ts + 1, int(time.time() * _MILLISECONDS))
        said = msgspec.structs.replace(self._says(), type=kind, ts=self._last_ts)
        await asyncio.gather(*(self._one_way(way, said) for way in (self._ways if ways is None else ways)))

    async def _one_way(self, way: Send, said: Presence) -> None:
        try:
            async with asyncio.timeout(HEARTBEAT_SECONDS):
                await way(said)
        except Exception as error:
            _log.debug("an announcement was not sent", why=repr(error))


@contextlib.asynccontextmanager
async def open_announcer(says: Callable[[], Presence], ways: Sequence[Send], changed: asyncio.Event) -> AsyncIterator[Announcer]:
    """Announce this peer until the block is left, then announce that it is offline. Parameters: `Announcer`."""
    announcer = Announcer(says, ways, changed)
    giving = asyncio.create_task(announcer.run())
    try:
        yield announcer
    finally:
        giving.cancel()
        await asyncio.gather(giving, return_exceptions=True)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_SECONDS):
                # After the heartbeat has ended, or an `update` could follow and bring the peer back.
                await announcer.give("offline")


class PresenceListener:
    """Reads the announcements of others into a roster; `found` is called with the addresses of trusted ones."""

    def __init__(self, roster: Roster, found: Found) -> None:
        self._roster = roster
        self._found = found

    def gossip(self, author: str, payload: bytes) -> bool:
        """Take a message whose author is proved; return whether to forward it: it is well-formed, about the author, and no replay."""
        try:
            said = read(payload)
        except RemoteProtocolError:
            return False
        if said.peer_id != author:
            return False
        # Forwarded for peers of other implementations, and not used here: DCUtR does this.
        if said.type == "punch":
            return True
        if not self._roster.signed(author, said):
            return False
        if said.type != "offline":
            self._found(addresses_of(said))
        return True

    def rendezvous(self, payload: bytes) -> None:
        """Take a message whose author is not proved."""
        try:
            said = read(payload)
            # A rendezvous server may name anything as a peer; an invalid id would stay in the roster.
            peer_id(said.peer_id)
        except (RemoteProtocolError, AddressError):
            return
        if self._roster.hearsay(said):
            self._found(addresses_of(said))


def addresses_of(said: Presence) -> list[PeerAddress]:
    """Return where the peer says it is, with or without its id at the end; addresses of other peers and malformed ones are left out."""
    found = []
    for text in said.addrs:
        with contextlib.suppress(AddressError):
            whole = "/p2p/" in text and not text.endswith(CIRCUIT)
            address = parse(text if whole else f"{text}/p2p/{said.peer_id}")
            if address.peer == said.peer_id:
                found.append(address)
    return found
