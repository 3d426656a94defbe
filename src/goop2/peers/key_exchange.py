"""Who are you, and who am I: `identity` and `identity.response` over mq, by which peers learn each other's keys from each other.

A connection proves who answers, so what a peer says of itself there is its own word. Bounded: one question or answer to a peer at a time,
IN_FLIGHT_MAX in all, and a peer is asked again after ASK_AGAIN_SECONDS at the earliest.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Final

import msgspec

from goop2.net.faults import NetworkError
from goop2.net.limits import FORGETTING_AT_KEYS
from goop2.peers.payload_crypto import KeyRing
from goop2.protocols import topics
from goop2.protocols.topics import IdentityPayload

ASK_AGAIN_SECONDS: Final = 60.0
"""Soon enough for a peer whose key is new; a peer that has none is not bothered for it more often."""
IN_FLIGHT_MAX: Final = 64

Send = Callable[[str, str, bytes], Awaitable[object]]
"""(peer, topic, payload); raises `NetworkError`."""


class KeyExchange:
    """Asks and answers. `says` gives what this peer says of itself now."""

    def __init__(self, send: Send, key_ring: KeyRing, says: Callable[[], IdentityPayload], clock: Callable[[], float]) -> None:
        self._send = send
        self._key_ring = key_ring
        self._says = says
        self._clock = clock
        self.email_for: Callable[[str], str] | None = None
        """The e-mail address a peer may have; None: what `says` gives."""
        self._asked: OrderedDict[str, float] = OrderedDict()
        self._under_way: dict[tuple[str, str], asyncio.Task[None]] = {}

    def ask(self, peer: str) -> None:
        """Ask a peer who it is, soon, unless it was asked just now."""
        now = self._clock()
        if peer in self._asked and now - self._asked[peer] < ASK_AGAIN_SECONDS:
            return
        self._asked[peer] = now
        self._asked.move_to_end(peer)
        if len(self._asked) > FORGETTING_AT_KEYS:
            self._asked.popitem(last=False)
        self._soon(peer, topics.IDENTITY, b"{}")

    def answer(self, peer: str) -> None:
        """Send our identity to a peer that has asked."""
        said = self._says()
        if self.email_for is not None:
            said = msgspec.structs.replace(said, email=self.email_for(peer))
        self._soon(peer, topics.IDENTITY_RESPONSE, msgspec.json.encode(said))

    def heard(self, peer: str, said: IdentityPayload) -> None:
        """A peer's answer, or what it says unasked. About anybody but itself it is not believed."""
        if said.peer_id in ("", peer):
            self._key_ring.learn(peer, said.public_key, supported=said.encryption_supported)

    async def close(self) -> None:
        """End the exchanges under way, and send nothing more."""
        tasks = tuple(self._under_way.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _soon(self, peer: str, topic: str, payload: bytes) -> None:
        key = (peer, topic)
        if key in self._under_way or len(self._under_way) >= IN_FLIGHT_MAX:
            return
        self._under_way[key] = task = asyncio.create_task(self._say(peer, topic, payload))
        task.add_done_callback(lambda _task: self._under_way.pop(key, None))

    async def _say(self, peer: str, topic: str, payload: bytes) -> None:
        with contextlib.suppress(NetworkError):  # it is asked again when there is reason to
            await self._send(peer, topic, payload)
