"""Who asks whom who they are, how often, and whose word counts."""

from __future__ import annotations

import asyncio
import base64
import json

import pytest
from nacl.public import PrivateKey

from goop2.net.faults import UnreachableError
from goop2.peers.key_exchange import ASK_AGAIN_SECONDS, IN_FLIGHT_MAX, KeyExchange
from goop2.peers.payload_crypto import KeyRing
from goop2.protocols.topics import IDENTITY, IDENTITY_RESPONSE, IdentityPayload

KEY = base64.b64encode(bytes(PrivateKey.generate().public_key)).decode()


class Sent:
    """What is sent, each held back until it may go."""

    def __init__(self) -> None:
        self.all: list[tuple[str, str, bytes]] = []
        self.may_go = asyncio.Event()
        self.may_go.set()
        self.now = 1000.0
        self.key_ring = KeyRing(bytes(PrivateKey.generate()), "ours", lambda: self.now)
        self.key_exchange = KeyExchange(self, self.key_ring, lambda: IdentityPayload("me", "Me", public_key="ours"), lambda: self.now)

    async def __call__(self, peer: str, topic: str, payload: bytes) -> None:
        self.all.append((peer, topic, payload))
        await self.may_go.wait()


@pytest.fixture
def sent() -> Sent:
    return Sent()


async def let_go() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_a_peer_is_asked_once_a_minute_at_most(sent: Sent) -> None:
    for _ in range(3):
        sent.key_exchange.ask("bob")
        await let_go()
    assert sent.all == [("bob", IDENTITY, b"{}")]
    sent.now += ASK_AGAIN_SECONDS
    sent.key_exchange.ask("bob")
    await let_go()
    assert len(sent.all) == 2


async def test_who_asks_without_end_is_answered_one_at_a_time(sent: Sent) -> None:
    sent.may_go.clear()
    for _ in range(100):
        sent.key_exchange.answer("mallory")
    await let_go()
    assert len(sent.all) == 1
    assert sent.all[0][1] == IDENTITY_RESPONSE
    said = {"peerID": "me", "content": "Me", "email": "", "avatarHash": "", "publicKey": "ours", "encryptionSupported": False}
    assert json.loads(sent.all[0][2]) == said
    sent.may_go.set()
    await let_go()
    sent.key_exchange.answer("mallory")
    await let_go()
    assert len(sent.all) == 2


async def test_a_thousand_who_ask_at_once_are_held_to_the_bound(sent: Sent) -> None:
    sent.may_go.clear()
    for number in range(1000):
        sent.key_exchange.answer(f"peer{number}")
    await let_go()
    assert len(sent.all) == IN_FLIGHT_MAX
    await sent.key_exchange.close()


async def test_a_peer_is_believed_about_itself_alone(sent: Sent) -> None:
    sent.key_exchange.heard("mallory", IdentityPayload("bob", public_key=KEY, encryption_supported=True))
    assert sent.key_ring.box("bob") is None
    assert sent.key_ring.box("mallory") is None
    sent.key_exchange.heard("bob", IdentityPayload("bob", public_key=KEY, encryption_supported=True))
    assert sent.key_ring.box("bob") is not None


async def test_a_peer_that_cannot_be_asked_is_nobodys_error() -> None:
    async def send(_peer: str, _topic: str, _payload: bytes) -> None:
        raise UnreachableError("gone")

    key_exchange = KeyExchange(send, KeyRing(), lambda: IdentityPayload(), lambda: 0.0)
    key_exchange.ask("bob")
    await let_go()
    await key_exchange.close()
