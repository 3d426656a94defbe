"""Presence messages."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.protocols.nearly import nearly

from goop2.protocols.errors import LocalProtocolError, RemoteProtocolError
from goop2.protocols.presence import ADDRESSES_MAX, TEXT_MAX_CHARS, Presence, read, write

SENT = {
    "type": "online",
    "peerId": "12D",
    "content": "Alice",
    "email": "a@example.org",
    "addrs": ["/ip4/192.0.2.7/tcp/4001"],
    "publicKey": "k",
    "encryptionSupported": True,
    "ts": 1700000000000,
}
ALICE = Presence(
    "online",
    "12D",
    "Alice",
    "a@example.org",
    addrs=("/ip4/192.0.2.7/tcp/4001",),
    public_key="k",
    encryption_supported=True,
    ts=1700000000000,
)


def test_a_presence_is_read_and_written_with_the_keys_of_the_network() -> None:
    assert read(json.dumps(SENT).encode()) == ALICE
    assert json.loads(write(ALICE)) == SENT


def test_unset_keys_are_left_out() -> None:
    assert write(Presence("offline", "12D")) == b'{"type":"offline","peerId":"12D"}'


def test_null_is_unset_and_a_time_that_is_none_is_left_out() -> None:
    said = {"type": "online", "peerId": "12D", "content": None, "addrs": None, "publicKey": None, "encryptionSupported": None, "ts": None}
    assert read(json.dumps(said).encode()) == Presence("online", "12D")
    assert read(json.dumps(said | {"ts": 1700000000000.0}).encode()).ts == 1700000000000
    assert [read(json.dumps(said | {"ts": ts}).encode()).ts for ts in (-1, 10**22, 2**53, 2**53 + 1)] == [0, 0, 2**53, 0]


@pytest.mark.parametrize("payload", [b"", b"{}", b'{"type":"dance","peerId":"x"}', b'{"type":"online","peerId":7}', b"[" * 9000, b"\xff"])
def test_what_is_no_presence_is_a_fault(payload: bytes) -> None:
    with pytest.raises(RemoteProtocolError, match="the presence is invalid"):
        read(payload)


def test_a_presence_has_bounds() -> None:
    with pytest.raises(RemoteProtocolError, match="the most is 16384"):
        read(b" " * 16385)
    with pytest.raises(LocalProtocolError, match="the most is 16384"):
        write(Presence("online", "12D", "x" * 20000))
    said = read(json.dumps(SENT | {"content": "\x1b[2Jx" * 300, "addrs": ["/ip4/1.2.3.4/tcp/1"] * 100}).encode())
    assert "\x1b" not in said.label
    assert len(said.label) <= 256
    assert len(said.addrs) == ADDRESSES_MAX


def test_a_key_that_is_too_long_is_left_out_and_not_cut() -> None:
    assert read(json.dumps(SENT | {"publicKey": "k" * 257, "avatarHash": "h" * 256}).encode()).public_key == ""
    assert read(json.dumps(SENT | {"avatarHash": "h" * 256}).encode()).avatar_hash == "h" * 256


VALUES = st.none() | st.booleans() | st.integers() | st.text(max_size=20) | st.lists(st.text(max_size=5), max_size=3)


@given(
    st.binary(max_size=60)
    | st.dictionaries(st.sampled_from([*SENT, "target"]), VALUES).map(lambda said: json.dumps(said).encode())
    | nearly([json.dumps(SENT).encode()])
)
def test_any_payload_is_a_presence_or_a_fault(payload: bytes) -> None:
    """Invariant: any bytes give a presence within its bounds, or RemoteFault, and nothing else."""
    with contextlib.suppress(RemoteProtocolError):
        said = read(payload)
        assert said.label.isprintable()
        assert len(said.addrs) <= ADDRESSES_MAX
        assert all(len(text) <= TEXT_MAX_CHARS for text in (said.label, said.email, said.public_key, said.target, *said.addrs))
        assert read(write(said)) == said
