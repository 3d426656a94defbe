"""Who asks whom who they are, how often, and whose word counts."""

from __future__ import annotations

import asyncio
import base64
import json

import pytest
from nacl.public import PrivateKey

from goop2.net.faults import ProtocolNotSupportedError, UnreachableError
from goop2.peers.key_exchange import ASK_AGAIN_SECONDS, IN_FLIGHT_MAX, KeyExchange
from goop2.peers.payload_crypto import KeyRing
from goop2.protocols import keys
from goop2.protocols.topics import IDENTITY, IDENTITY_RESPONSE, IdentityPayload

KEY = base64.b64encode(bytes(PrivateKey.generate().public_key)).decode()


class Sent:
    """What is sent, each held back until it may go."""

    def __init__(self) -> None:
        self.all: list[tuple[str, str, bytes]] = []
        self.may_go = asyncio.Event()
        self.may_go.set()
        self.now = 1000.0
        self.of_ours: dict[str, IdentityPayload] = {}
        """Peers that run this program, and what each says of itself."""
        self.key_ring = KeyRing(bytes(PrivateKey.generate()), "ours", lambda: self.now)
        self.key_exchange = KeyExchange(self, self.key_ring, lambda _peer: IdentityPayload("me", "Me"), lambda: self.now)

    async def send(self, peer: str, topic: str, payload: bytes) -> None:
        self.all.append((peer, topic, payload))
        await self.may_go.wait()

    async def exchange_identities(self, peer: str, own: IdentityPayload) -> IdentityPayload:
        if peer not in self.of_ours:
            raise ProtocolNotSupportedError
        self.all.append((peer, keys.PROTOCOL, json.dumps({"publicKey": own.public_key}).encode()))
        return self.of_ours[peer]


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
    said = {"peerID": "me", "content": "Me", "email": "", "avatarHash": "", "publicKey": "", "encryptionSupported": True}
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
    class Gone(Sent):
        async def send(self, _peer: str, _topic: str, _payload: bytes) -> None:
            raise UnreachableError("gone")

    key_exchange = Gone().key_exchange
    key_exchange.ask("bob")
    await let_go()
    await key_exchange.close()


# What network.md says of payload keys: a Go peer that learns our key before we know its own can say nothing to us any more.


async def test_who_asks_is_told_our_key_only_when_we_know_its_own(sent: Sent) -> None:
    sent.key_exchange.answer("bob")
    await let_go()
    assert json.loads(sent.all[-1][2])["publicKey"] == ""
    assert json.loads(sent.all[-1][2])["encryptionSupported"] is True
    sent.key_ring.learn("bob", KEY, supported=True)
    sent.key_exchange.answer("bob")
    await let_go()
    assert json.loads(sent.all[-1][2])["publicKey"] == "ours"


async def test_a_hint_is_not_knowing_a_key(sent: Sent) -> None:
    sent.key_ring._hint = lambda _peer: KEY
    sent.key_exchange.answer("bob")
    await let_go()
    assert json.loads(sent.all[-1][2])["publicKey"] == ""


async def test_a_key_new_to_us_is_answered_with_ours_unasked_and_one_we_know_with_nothing(sent: Sent) -> None:
    for _ in range(2):
        sent.key_exchange.heard("bob", IdentityPayload("bob", public_key=KEY, encryption_supported=True))
        await let_go()
    assert [(peer, topic) for peer, topic, _ in sent.all] == [("bob", IDENTITY_RESPONSE)]
    assert json.loads(sent.all[0][2])["publicKey"] == "ours"


@pytest.mark.parametrize("key", ["", "nonsense"])
async def test_an_answer_without_a_key_tells_nobody_ours(sent: Sent, key: str) -> None:
    sent.key_exchange.heard("bob", IdentityPayload("bob", public_key=key, encryption_supported=True))
    await let_go()
    assert sent.all == []


async def test_a_peer_that_asks_is_asked_for_its_key_while_that_is_unknown(sent: Sent) -> None:
    sent.key_exchange.asked("bob")
    await let_go()
    assert [topic for _, topic, _ in sent.all] == [IDENTITY_RESPONSE, IDENTITY]
    sent.key_ring.learn("ann", KEY, supported=True)
    sent.key_exchange.asked("ann")
    await let_go()
    assert [topic for peer, topic, _ in sent.all if peer == "ann"] == [IDENTITY_RESPONSE]


async def test_a_peer_of_ours_is_told_our_key_at_once(sent: Sent) -> None:
    sent.of_ours["bob"] = IdentityPayload("bob", public_key=KEY, encryption_supported=True)
    sent.key_ring.want("bob")
    await let_go()
    assert [(topic, json.loads(payload)) for _, topic, payload in sent.all] == [(keys.PROTOCOL, {"publicKey": "ours"})]
    assert sent.key_ring.box("bob") is not None


async def test_a_peer_without_keys_asks_by_the_protocol_of_everybody(sent: Sent) -> None:
    sent.of_ours["bob"] = IdentityPayload("bob", public_key=KEY, encryption_supported=True)
    plain = KeyExchange(sent, KeyRing(), lambda _peer: IdentityPayload("me"), lambda: 0.0)
    plain.ask("bob")
    await let_go()
    assert [topic for _, topic, _ in sent.all] == [IDENTITY]


async def test_a_peer_whose_key_turns_out_to_be_wrong_is_asked_again_at_once(sent: Sent) -> None:
    sent.of_ours["bob"] = IdentityPayload("bob", public_key=KEY, encryption_supported=True)
    sent.key_ring.want("bob")
    await let_go()
    for _ in range(2):
        sent.key_ring.learn("bob", base64.b64encode(bytes(PrivateKey.generate().public_key)).decode(), supported=True)
        sent.key_ring.refused("bob")
        await let_go()
        assert sent.key_ring.box("bob") is not None
