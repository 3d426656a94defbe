"""AutoNAT's messages: as the specification writes them, byte by byte, and whatever else comes."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goop2.protocols import autonat, multiaddr, protobuf
from goop2.protocols.autonat import DialDataRequest, DialRequest, DialResponse
from goop2.protocols.errors import RemoteProtocolError

PEER = b"\x00\x24\x08\x01\x12\x20" + bytes(range(32))
ADDRESS = "/ip4/192.0.2.7/tcp/4001"
ADDRESS_BYTES = b"\x04\xc0\x00\x02\x07\x06\x0f\xa1"
NONCE = 0x0102030405060708
QUIC = b"\x04\xc0\x00\x02\x07\x91\x02\x0f\xa1\xcd\x03"
READERS: list[Callable[[bytes], object]] = [
    autonat.read_dial_request,
    autonat.read_dial_response,
    autonat.read_dial_back,
    autonat.read_dial_back_response,
    autonat.read_v1_dial,
    autonat.read_v1_response,
]


def whole(sent: bytes) -> bytes:
    (message,) = autonat.reader().receive(sent)
    return message


def test_messages_of_version_2_are_what_the_specification_says() -> None:
    nonce = bytes(range(8, 0, -1))
    assert autonat.dial_request([ADDRESS], NONCE) == b"\x15\x0a\x13\x0a\x08" + ADDRESS_BYTES + b"\x11" + nonce
    assert autonat.dial_response(autonat.OK, 1, autonat.DIAL_ERROR) == b"\x09\x12\x07\x08\xc8\x01\x10\x01\x18\x64"
    assert autonat.dial_back(NONCE) == b"\x09\x09" + nonce


def test_messages_of_version_1_are_what_the_specification_says() -> None:
    assert autonat.v1_dial(PEER, [ADDRESS]) == (b"\x38\x08\x00\x12\x34\x0a\x32\x0a\x26" + PEER + b"\x12\x08" + ADDRESS_BYTES)
    assert autonat.v1_response(autonat.V1_DIAL_ERROR, "no") == b"\x0a\x08\x01\x1a\x06\x08\x64\x12\x02no"


def test_both_sides_read_what_the_other_writes() -> None:
    assert autonat.read_dial_request(whole(autonat.dial_request([ADDRESS], NONCE))) == DialRequest((ADDRESS,), NONCE)
    assert autonat.read_dial_response(whole(autonat.dial_response(autonat.REFUSED))) == DialResponse(autonat.REFUSED, 0, 0)
    assert autonat.read_dial_back(whole(autonat.dial_back(NONCE))) == NONCE
    autonat.read_dial_back_response(whole(autonat.dial_back_response()))
    assert autonat.read_v1_dial(whole(autonat.v1_dial(PEER, [ADDRESS]))) == (PEER, (ADDRESS,))
    assert autonat.read_v1_response(whole(autonat.v1_response(autonat.V1_OK, "", ADDRESS))) == (autonat.V1_OK, "", ADDRESS)


def test_what_protocol_buffers_leave_out_is_zero() -> None:
    assert autonat.read_dial_back(b"") == 0
    autonat.read_dial_back_response(b"")
    assert autonat.read_dial_response(b"\x12\x00") == DialResponse(autonat.INTERNAL_ERROR, 0, 0)


def test_a_server_that_wants_bytes_first_is_understood() -> None:
    assert autonat.read_dial_response(b"\x1a\x04\x10\xb0\xea\x01") == DialDataRequest(0, 30000)


def test_addresses_of_a_request_keep_their_place() -> None:
    inner = b"".join(protobuf.content(1, each) for each in (QUIC, ADDRESS_BYTES))
    assert autonat.read_dial_request(protobuf.content(1, inner)).addresses == ("", ADDRESS)


@pytest.mark.parametrize("read", [autonat.read_dial_request, autonat.read_dial_response, autonat.read_v1_dial, autonat.read_v1_response])
@pytest.mark.parametrize("message", [b"", b"\x08", b"\x22\x02hi", b"\x0b"], ids=["empty", "cut", "data", "group"])
def test_what_is_no_such_message_is_said_so(read: Callable[[bytes], object], message: bytes) -> None:
    with pytest.raises(RemoteProtocolError, match="an AutoNAT message"):
        read(message)


def test_a_nonce_of_another_kind_is_none() -> None:
    with pytest.raises(RemoteProtocolError):
        autonat.read_dial_back(b"\x08\x01")


@given(st.binary(max_size=300), st.sampled_from(READERS))
def test_any_bytes_are_a_message_or_a_fault(sent: bytes, read: Callable[[bytes], object]) -> None:
    """Invariant: any bytes give what a message says within its bounds, or `RemoteProtocolError`, and nothing else."""
    try:
        found = read(sent)
    except RemoteProtocolError:
        return
    if isinstance(found, DialRequest):
        assert len(found.addresses) <= autonat.ADDRESSES_MAX


@given(st.lists(st.binary(max_size=60), max_size=40), st.integers(0, 2**64 - 1))
def test_any_addresses_in_a_request_are_read_or_skipped(encoded: list[bytes], nonce: int) -> None:
    """Invariant: a request is read whatever its addresses are, and each stays in its place."""
    inner = b"".join(protobuf.content(1, each) for each in encoded) + b"\x11" + nonce.to_bytes(8, "little")
    found = autonat.read_dial_request(protobuf.content(1, inner))
    assert found.nonce == nonce
    assert len(found.addresses) == min(len(encoded), autonat.ADDRESSES_MAX)
    assert all(multiaddr.to_bytes(address) for address in found.addresses if address)
