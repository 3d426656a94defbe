"""Offers of calls, as far as they are read: to hang them up."""

from __future__ import annotations

import json

import pytest

from goop2.protocols import calls


@pytest.mark.parametrize("kind", ["type", "action"])
def test_an_offer_is_answered_in_its_own_words(kind: str) -> None:
    offer = calls.offer("call:abc", json.dumps({kind: "call-request", "channel_id": "abc", "sdp": {"x": [1]}}).encode())
    assert offer is not None
    assert (offer.id, json.loads(offer.hangup)) == ("abc", {kind: "call-hangup", "channel_id": "abc"})


def test_an_id_that_is_another_is_not_repeated() -> None:
    offer = calls.offer("call:abc", b'{"type":"call-request","channel_id":"other"}')
    assert offer is not None
    assert json.loads(offer.hangup) == {"type": "call-hangup"}


@pytest.mark.parametrize(
    ("topic", "payload"),
    [
        ("call:", b'{"type":"call-request"}'),
        ("calls:abc", b'{"type":"call-request"}'),
        (f"call:{'x' * 200}", b'{"type":"call-request"}'),
        ("call:abc", b'{"type":"call-hangup"}'),
        ("call:abc", b'{"type":["call-request"]}'),
        ("call:abc", b"null"),
        ("call:abc", b"\xff"),
    ],
)
def test_anything_else_is_no_offer(topic: str, payload: bytes) -> None:
    assert calls.offer(topic, payload) is None
