"""Key exchange: peers ask each other who they are, by `identity` and `identity.response` over mq, or by protocols/keys.py between our
peers.

A connection proves who answers, so the answer is trusted about its sender. A peer that knows our key encrypts everything for us, its
answers here too, and without its key we can read none of it. So (network.md, "Payload keys"):

    identity.response    contains our key only for a peer whose key we know
    a key new to us      is answered with ours at once
    encryptionSupported  is false for a peer that encrypts for us with a key nobody has told us: its next answer may then come plain

It is bounded: one request or answer to a peer at a time, IN_FLIGHT_MAX in total. A peer whose answer brought nothing new is asked again
after ASK_AGAIN_SECONDS at the earliest.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Final, Protocol

import msgspec

from goop2.net.faults import NetworkError, ProtocolNotSupportedError
from goop2.net.limits import FORGETTING_AT_KEYS
from goop2.peers.payload_crypto import KeyRing
from goop2.protocols import keys, topics
from goop2.protocols.errors import LocalProtocolError
from goop2.protocols.topics import IdentityPayload

if TYPE_CHECKING:
    from goop2.net.host import Host
    from goop2.net.stream import Stream

ASK_AGAIN_SECONDS: Final = 60.0
"""Soon enough for a peer whose key is new; a peer that has none is not bothered for it more often."""
UNREADABLE: Final = "unreadable"
"""In the place of a topic: the question to a peer that encrypts for us with a key we do not know, beside one that may be under way."""
IN_FLIGHT_MAX: Final = 64
"""Exchanges at a time: a crowd that comes at once is answered, and a flood of ids costs no more than this many tasks."""


class IdentityClient(Protocol):
    """The part of `PeerClient` that the key exchange uses. Both methods raise `NetworkError`."""

    async def send(self, peer: str, topic: str, payload: bytes) -> object:
        """Send `payload`, JSON text, as a message of `topic`."""

    async def exchange_identities(self, peer: str, own: IdentityPayload) -> IdentityPayload:
        """Send our identity to a peer of ours; return its identity."""


class KeyExchange:
    """Asks for keys and answers. `identity_for` returns this peer's identity for another peer, without a key."""

    def __init__(
        self, client: IdentityClient, key_ring: KeyRing, identity_for: Callable[[str], IdentityPayload], clock: Callable[[], float]
    ) -> None:
        self._client = client
        self._key_ring = key_ring
        self._identity_for = identity_for
        self._clock = clock
        self._asked: OrderedDict[tuple[str, bool], float] = OrderedDict()
        """Peer and whether what it encrypts can be read → when it was asked last."""
        self._questions: set[str] = set()
        """Peers that were asked over mq and have not answered yet."""
        self._told: dict[str, IdentityPayload] = {}
        """What the answers under way say."""
        self._under_way: dict[tuple[str, str], asyncio.Task[None]] = {}
        self._unsubscribe = key_ring.subscribe(self.ask)

    async def attach(self, host: Host) -> None:
        """Answer peers of ours that ask this host for its key; do nothing when there is none."""
        if self._key_ring.public_key:
            await host.serve(keys.PROTOCOL, self._answer_stream)

    def ask(self, peer: str) -> None:
        """Ask a peer for its identity soon, unless it was asked just now."""
        now = self._clock()
        # That nothing of it can be read is a reason of its own: an answer to an earlier question was lost by that.
        question = (peer, self._key_ring.reads(peer))
        if question in self._asked and now - self._asked[question] < ASK_AGAIN_SECONDS:
            return
        self._asked[question] = now
        self._asked.move_to_end(question)
        if len(self._asked) > FORGETTING_AT_KEYS:
            self._asked.popitem(last=False)
        self._soon(peer, topics.IDENTITY if question[1] else UNREADABLE, self._ask)

    def asked(self, peer: str) -> None:
        """Answer a peer that asks for our identity, and ask for its key if that is not known."""
        self.answer(peer)
        if not self._key_ring.knows(peer):
            self._key_ring.want(peer)

    def answer(self, peer: str) -> None:
        """Send our identity to a peer, with our key when we know the peer's."""
        self._soon(peer, topics.IDENTITY_RESPONSE, self._respond)

    def heard(self, peer: str, identity: IdentityPayload) -> None:
        """Take the identity of a peer, and answer a new key with ours. It counts only for that peer itself.

        A peer that could not read what we encrypt may have lost our key: then its answer to our question is answered too.
        """
        was_asked = peer in self._questions
        self._questions.discard(peer)
        if self._learn(peer, identity) or (was_asked and self._key_ring.is_aside(peer)):
            self.answer(peer)

    async def close(self) -> None:
        """End the exchanges under way, and send nothing more."""
        self._unsubscribe()
        tasks = tuple(self._under_way.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _learn(self, peer: str, identity: IdentityPayload) -> bool:
        """Return whether the identity brought a key that is new to us."""
        if identity.peer_id not in ("", peer):
            return False
        is_new = self._key_ring.learn(peer, identity.public_key, supported=identity.encryption_supported)
        if is_new:
            # The question was worth it. Should this key turn out to be wrong, the peer is asked again at once.
            self._asked.pop((peer, True), None)
        return is_new

    def _identity(self, peer: str, *, with_key: bool) -> IdentityPayload:
        own = self._key_ring.public_key
        return msgspec.structs.replace(
            self._identity_for(peer), public_key=own if with_key else "", encryption_supported=bool(own) and self._key_ring.reads(peer)
        )

    def _soon(self, peer: str, topic: str, work: Callable[[str], Awaitable[None]]) -> None:
        key = (peer, topic)
        if key in self._under_way or len(self._under_way) >= IN_FLIGHT_MAX:
            return
        self._under_way[key] = task = asyncio.create_task(self._try(peer, work))
        task.add_done_callback(partial(self._over, peer, topic))

    def _over(self, peer: str, topic: str, task: asyncio.Task[None]) -> None:
        self._under_way.pop((peer, topic), None)
        said = self._told.pop(peer, None) if topic == topics.IDENTITY_RESPONSE else None
        # Its key may have come while the answer without ours was on its way, and nobody else would tell it ours.
        if said is not None and not task.cancelled() and said != self._identity_now(peer):
            self.answer(peer)

    async def _try(self, peer: str, work: Callable[[str], Awaitable[None]]) -> None:
        with contextlib.suppress(NetworkError, LocalProtocolError):  # it is asked again when there is reason to
            await work(peer)

    async def _ask(self, peer: str) -> None:
        if self._key_ring.public_key:
            with contextlib.suppress(ProtocolNotSupportedError):
                self._learn(peer, await self._client.exchange_identities(peer, self._identity(peer, with_key=True)))
                return
        if not self._key_ring.reads(peer):
            # It would encrypt its answer too. This tells it that we cannot read that, and nothing else.
            await self._respond(peer)
        self._questions.add(peer)
        if len(self._questions) > FORGETTING_AT_KEYS:
            self._questions.pop()
        await self._client.send(peer, topics.IDENTITY, b"{}")

    async def _respond(self, peer: str) -> None:
        said = self._told[peer] = self._identity_now(peer)
        await self._client.send(peer, topics.IDENTITY_RESPONSE, msgspec.json.encode(said))

    def _identity_now(self, peer: str) -> IdentityPayload:
        return self._identity(peer, with_key=self._key_ring.knows(peer))

    async def _answer_stream(self, stream: Stream) -> None:
        self._learn(stream.peer, keys.identity(await stream.line(keys.reader())))
        await stream.finish(keys.message(self._identity(stream.peer, with_key=True)))
