"""Which key is believed, what is encrypted with it, and what a wrong one can and cannot do. Time is a number the tests turn."""

from __future__ import annotations

import base64

import pytest
from nacl.public import Box as NaClBox
from nacl.public import PrivateKey
from tests.clock import Clock

from goop2.net.limits import FORGETTING_AT_KEYS
from goop2.peers.payload_crypto import ASIDE_SECONDS, FAILURES_BEFORE_ASIDE, KeyRing
from goop2.protocols.encrypted_payload import DecryptionError
from goop2.protocols.errors import RemoteProtocolError

OWN, BOB, BOBS_NEW, MALLORY = (PrivateKey(bytes([number]) * 32) for number in (1, 2, 3, 4))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def asked() -> list[str]:
    return []


@pytest.fixture
def hints() -> dict[str, str]:
    """Peer → its key as a rendezvous names it."""
    return {}


@pytest.fixture
def key_ring(clock: Clock, asked: list[str], hints: dict[str, str]) -> KeyRing:
    made = KeyRing(bytes(OWN), text(OWN), clock, lambda peer: hints.get(peer, ""))
    made.subscribe(asked.append)
    return made


def text(key: PrivateKey) -> str:
    return base64.b64encode(bytes(key.public_key)).decode()


def sent(content: bytes, by: PrivateKey = BOB) -> bytes:
    return base64.b64encode(NaClBox(by, OWN.public_key).encrypt(content))


def test_a_peer_that_has_told_its_key_gets_what_only_it_can_open(key_ring: KeyRing) -> None:
    key_ring.learn("bob", text(BOB), supported=True)
    box = key_ring.box("bob")
    assert box is not None
    assert NaClBox(BOB, OWN.public_key).decrypt(base64.b64decode(box.seal(b"hi"))) == b"hi"


def test_a_peer_whose_key_is_not_known_gets_it_plain_and_is_asked(key_ring: KeyRing, asked: list[str]) -> None:
    assert key_ring.box("bob") is None
    assert asked == ["bob"]


def test_a_peer_that_has_a_key_and_does_not_offer_it_gets_it_plain(key_ring: KeyRing) -> None:
    key_ring.learn("bob", text(BOB), supported=False)
    assert key_ring.box("bob") is None


def test_without_keys_of_our_own_nothing_is_sealed_opened_or_asked(asked: list[str]) -> None:
    key_ring = KeyRing()
    key_ring.subscribe(asked.append)
    key_ring.learn("bob", text(BOB), supported=True)
    assert key_ring.box("bob") is None
    with pytest.raises(DecryptionError, match="has no key"):
        key_ring.open("bob", sent(b"hi"))
    assert asked == []


def test_what_somebody_else_says_is_bobs_key_seals_nothing_for_bob(key_ring: KeyRing, hints: dict[str, str]) -> None:
    hints["bob"] = text(MALLORY)
    assert key_ring.box("bob") is None


def test_a_hinted_key_opens_what_the_peer_itself_sends(key_ring: KeyRing, hints: dict[str, str]) -> None:
    hints["bob"] = text(BOB)
    content, box = key_ring.open("bob", sent(b"hi"))
    assert content == b"hi"
    assert NaClBox(BOB, OWN.public_key).decrypt(base64.b64decode(box.seal(b"back"))) == b"back"
    assert key_ring.box("bob") is None, "what opened once is still not the peer's word"


def test_a_lie_about_a_key_opens_nothing_and_has_the_peer_asked(key_ring: KeyRing, asked: list[str], hints: dict[str, str]) -> None:
    hints["bob"] = text(MALLORY)
    with pytest.raises(DecryptionError):
        key_ring.open("bob", sent(b"hi"))
    del hints["bob"]
    with pytest.raises(DecryptionError):
        key_ring.open("bob", sent(b"hi"))
    assert asked == ["bob", "bob"]


@pytest.mark.parametrize("key", ["", "nonsense", base64.b64encode(bytes(32)).decode(), base64.b64encode(b"\x01" + bytes(31)).decode()])
def test_what_is_no_key_does_not_take_the_place_of_one(key_ring: KeyRing, key: str) -> None:
    key_ring.learn("bob", text(BOB), supported=True)
    key_ring.learn("bob", key, supported=True)
    assert key_ring.open("bob", sent(b"hi"))[0] == b"hi"


def test_a_peer_that_refuses_is_written_to_plain_for_a_while(key_ring: KeyRing, clock: Clock, asked: list[str]) -> None:
    key_ring.learn("bob", text(BOB), supported=True)
    key_ring.refused("bob")
    assert key_ring.box("bob") is None
    assert asked == ["bob"]
    key_ring.learn("bob", text(BOB), supported=True)
    assert key_ring.box("bob") is None, "the same key again changes nothing"
    clock.now += ASIDE_SECONDS
    assert key_ring.box("bob") is not None


def test_a_new_key_ends_the_while_and_so_does_what_opens(key_ring: KeyRing) -> None:
    key_ring.learn("bob", text(BOB), supported=True)
    key_ring.refused("bob")
    key_ring.learn("bob", text(BOBS_NEW), supported=True)
    assert key_ring.box("bob") is not None
    key_ring.refused("bob")
    key_ring.open("bob", sent(b"hi", BOBS_NEW))
    assert key_ring.box("bob") is not None


def test_silence_after_what_is_sealed_is_a_refusal_only_when_it_comes_again_and_again(key_ring: KeyRing) -> None:
    key_ring.learn("bob", text(BOB), supported=True)
    for _ in range(FAILURES_BEFORE_ASIDE - 1):
        key_ring.failed("bob")
    key_ring.answered("bob")
    for _ in range(FAILURES_BEFORE_ASIDE - 1):
        key_ring.failed("bob")
        assert key_ring.box("bob") is not None
    key_ring.failed("bob")
    assert key_ring.box("bob") is None


def test_lines_and_payloads_keep_their_bounds_when_they_are_opened(key_ring: KeyRing) -> None:
    key_ring.learn("bob", text(BOB), supported=True)
    assert key_ring.line("bob", b"ENC:" + sent(b"x" * 10), "the request", 10)[0] == b"x" * 10
    assert key_ring.line("bob", b"x" * 10, "the request", 10) == (b"x" * 10, None)
    assert key_ring.payload("bob", b'{"enc":"%s"}' % sent(b"[1]"), 10) == b"[1]"
    assert key_ring.payload("bob", b"[1]", 10) == b"[1]"
    for too_long in (b"x" * 11, b"ENC:" + sent(b"x" * 11)):
        with pytest.raises(RemoteProtocolError, match="the request is longer than 10 bytes"):
            key_ring.line("bob", too_long, "the request", 10)
    with pytest.raises(RemoteProtocolError, match="longer than 10 bytes"):
        key_ring.payload("bob", b'{"enc":"%s"}' % sent(b"x" * 11), 10)


def test_a_group_member_without_a_key_may_mean_just_that_object(key_ring: KeyRing) -> None:
    payload = b'{"enc":"my own cipher"}'
    assert key_ring.payload("bob", payload, 100, free=True) == payload
    assert KeyRing().payload("bob", payload, 100, free=True) == payload
    with pytest.raises(DecryptionError):
        key_ring.payload("bob", payload, 100)
    key_ring.learn("bob", text(BOB), supported=True)
    with pytest.raises(DecryptionError):
        key_ring.payload("bob", payload, 100, free=True)
    assert key_ring.payload("bob", b'{"enc":"%s"}' % sent(b"[1]"), 10, free=True) == b"[1]"


def test_ten_thousand_peers_that_tell_keys_are_held_to_the_bound(key_ring: KeyRing) -> None:
    for number in range(FORGETTING_AT_KEYS + 100):
        key_ring.learn(f"peer{number}", text(BOB), supported=True)
    assert len(key_ring._keys) == FORGETTING_AT_KEYS
