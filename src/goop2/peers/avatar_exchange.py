"""Pictures over the network: send this peer's to whoever asks, and ask others for theirs when they say that it is another one.

A hash counts only when the peer itself has told it, signed or on its own connection. Its picture is asked for once for each hash, over a
connection that is there already; a page that shows the peer may make a new one. After a failure nobody is asked again within
AGAIN_SECONDS. At most IN_FLIGHT_MAX pictures come at a time.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from goop2.folder.threads import FolderHangsError
from goop2.net.faults import NetworkError
from goop2.net.limits import FORGETTING_AT_KEYS
from goop2.peers.discovery.roster import RosterEntry
from goop2.peers.payload_crypto import KeyRing
from goop2.protocols import avatar
from goop2.services.avatars import Avatars

if TYPE_CHECKING:
    from goop2.net.host import Host
    from goop2.net.stream import Stream
    from goop2.peers.client import PeerClient

AGAIN_SECONDS: Final = 60.0
"""After a failure, for instance because its key was not known yet."""
IN_FLIGHT_MAX: Final = 4
"""Megabytes that come at a time at most, for a thousand peers that are met at once."""
WAITING_MAX: Final = 256
"""Pictures that wait for their turn; the next is asked for when its peer is heard of again."""


class AvatarExchange:
    """Serves and asks for pictures."""

    def __init__(self, avatars: Avatars, client: PeerClient, key_ring: KeyRing, host: Host, clock: Callable[[], float]) -> None:
        self._avatars = avatars
        self._client = client
        self._key_ring = key_ring
        self._host = host
        self._clock = clock
        self._asked: OrderedDict[tuple[str, str], float] = OrderedDict()
        """Peer and hash → when it was asked for."""
        self._under_way: dict[str, asyncio.Task[None]] = {}
        self._places = asyncio.Semaphore(IN_FLIGHT_MAX)

    async def attach(self) -> None:
        """Send the picture of this peer to whoever asks this host."""
        await self._host.serve(avatar.PROTOCOL, self.answer)

    async def answer(self, stream: Stream) -> None:
        """Send the picture of this peer over `stream`, encrypted when the other one can decrypt it."""
        own = self._avatars.own
        content = own.content if own else b""
        await stream.finish(avatar.answer(content, self._key_ring.box(stream.peer) if content else None))

    def heard(self, entry: RosterEntry) -> None:
        """Note what a peer says of itself, and ask for its picture if that is new and the peer is connected."""
        if not entry.proved:
            return
        # An entry with nothing but the id stands for a connection: the peer has not said yet whether it has a picture.
        if entry.avatar_hash or entry.label != entry.id:
            self._avatars.told(entry.id, entry.avatar_hash)
        if entry.avatar_hash and self._host.is_connected(entry.id):
            self._start(entry.id)

    def connected(self, peer: str) -> None:
        """Ask a peer for its picture, if it told of one that is not here: there is a new connection to it."""
        if self._avatars.hash_of(peer):
            self._start(peer)

    async def fetch(self, peer: str) -> None:
        """Ask a peer for its picture, unless it is here or was asked for just now; return when it is here, or will not be."""
        task = self._start(peer)
        if task is not None:
            await asyncio.wait((task,))

    async def close(self) -> None:
        """End the requests for pictures that are under way, and wait until they are gone."""
        tasks = tuple(self._under_way.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _start(self, peer: str) -> asyncio.Task[None] | None:
        if (task := self._under_way.get(peer)) is not None:
            return task
        wanted, now = (peer, self._avatars.hash_of(peer)), self._clock()
        if len(self._under_way) >= WAITING_MAX or now - self._asked.get(wanted, -AGAIN_SECONDS) < AGAIN_SECONDS:
            return None
        self._asked[wanted] = now
        self._asked.move_to_end(wanted)
        if len(self._asked) > FORGETTING_AT_KEYS:
            self._asked.popitem(last=False)
        task = self._under_way[peer] = asyncio.create_task(self._fetch(*wanted))
        task.add_done_callback(lambda _task: self._under_way.pop(peer, None))
        return task

    async def _fetch(self, peer: str, hash_: str) -> None:
        with contextlib.suppress(NetworkError, FolderHangsError):
            # Another peer may have the same picture, and an earlier start may have fetched it.
            if await self._avatars.has(hash_):
                return
            async with self._places:
                await self._avatars.keep(peer, await self._client.avatar(peer))
