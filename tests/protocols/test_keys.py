"""The line by which two peers of ours tell each other their keys."""

from __future__ import annotations

import json

import pytest

from goop2.protocols import keys
from goop2.protocols.errors import LocalProtocolError, RemoteProtocolError
from goop2.protocols.topics import IdentityPayload

BOB = IdentityPayload("bob", "Bob", public_key="a key", encryption_supported=True)


def test_an_identity_is_read_as_it_was_written_a_byte_at_a_time() -> None:
    reader, line = keys.reader(), None
    for byte in keys.message(BOB):
        line = reader.receive(bytes((byte,)))
    assert line is not None
    assert keys.identity(line) == BOB


def test_an_unknown_key_disturbs_nobody_and_a_missing_one_is_empty() -> None:
    assert keys.identity(json.dumps({"peerID": "bob", "mood": [1]}).encode()) == IdentityPayload("bob")


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b"\xff", b'{"publicKey": ['])
def test_what_is_no_identity_is_refused(content: bytes) -> None:
    with pytest.raises(RemoteProtocolError, match="the identity is invalid"):
        keys.identity(content)


def test_an_identity_has_a_bound_both_ways() -> None:
    with pytest.raises(LocalProtocolError, match="the identity is"):
        keys.message(IdentityPayload(label="x" * keys.IDENTITY_MAX_BYTES))
    with pytest.raises(RemoteProtocolError, match="longer than 4096 bytes"):
        keys.reader().receive(b"x" * (keys.IDENTITY_MAX_BYTES + 1))
