"""Messages about a hole: as the specification writes them, byte by byte, and whatever else comes."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.protocols.nearly import nearly

from goop2.protocols import dcutr, multiaddr, protobuf
from goop2.protocols.errors import RemoteProtocolError

ADDRESS = "/ip4/192.0.2.7/tcp/4001"
ADDRESS_BYTES = b"\x04\xc0\x00\x02\x07\x06\x0f\xa1"
QUIC = b"\x04\xc0\x00\x02\x07\x91\x02\x0f\xa1\xcd\x03"


def whole(sent: bytes) -> bytes:
    (message,) = dcutr.reader().receive(sent)
    return message


def test_messages_are_what_the_specification_says() -> None:
    assert dcutr.connect([ADDRESS]) == b"\x0c\x08\x64\x12\x08" + ADDRESS_BYTES
    assert dcutr.sync() == b"\x03\x08\xac\x02"


def test_both_sides_read_what_the_other_writes() -> None:
    addresses = (ADDRESS, "/ip6/2001:db8::1/tcp/1", "/dns4/example.org/tcp/4001")
    assert dcutr.read_connect(whole(dcutr.connect(addresses))) == addresses
    assert dcutr.read_connect(whole(dcutr.connect([]))) == ()
    dcutr.read_sync(whole(dcutr.sync()))


def test_addresses_nobody_here_can_dial_and_repeats_are_skipped() -> None:
    message = protobuf.number(1, 100) + b"".join(protobuf.content(2, each) for each in (QUIC, ADDRESS_BYTES, b"", b"\xff", ADDRESS_BYTES))
    assert dcutr.read_connect(message) == (ADDRESS,)


def test_an_id_behind_an_address_is_left_out_and_a_way_through_a_relay_stays() -> None:
    """js-libp2p writes ids behind its addresses."""
    peer = "/p2p/12D3KooWQYhTNQdmr3ArTeUHRYzFg94BKyTkoWBDWez9kSCVe2Xo"
    circuit = f"{ADDRESS}{peer}/p2p-circuit{peer}"
    message = protobuf.number(1, 100) + b"".join(protobuf.content(2, multiaddr.to_bytes(each)) for each in (ADDRESS + peer, circuit))
    assert dcutr.read_connect(message) == (ADDRESS, circuit)


def test_no_more_addresses_are_read_and_written_than_may_be() -> None:
    many = [f"/ip4/192.0.2.7/tcp/{port}" for port in range(1, 100)]
    assert dcutr.read_connect(whole(dcutr.connect(many))) == tuple(many[: dcutr.ADDRESSES_MAX])
    message = protobuf.number(1, 100) + b"".join(protobuf.content(2, multiaddr.to_bytes(each)) for each in many)
    assert len(dcutr.read_connect(message)) == dcutr.ADDRESSES_MAX


@pytest.mark.parametrize(
    "message",
    [b"", b"\x08\xac\x02", b"\x08\x00", b"\x12\x00", b"\x08", b"\x0b\x08\x64"],
    ids=["empty", "SYNC", "0", "no type", "cut", "group"],
)
def test_what_is_no_connect_is_said_so(message: bytes) -> None:
    with pytest.raises(RemoteProtocolError, match="a message about a hole"):
        dcutr.read_connect(message)


def test_what_is_no_sync_is_said_so() -> None:
    with pytest.raises(RemoteProtocolError, match=r"of type 100, expected is SYNC \(300\)"):
        dcutr.read_sync(whole(dcutr.connect([ADDRESS])))


def test_a_message_that_is_too_long_is_refused_before_it_comes() -> None:
    with pytest.raises(RemoteProtocolError, match="has 4097 bytes; the most is 4096"):
        dcutr.reader().receive(b"\x81\x20")


RIGHT = tuple(whole(each) for each in (dcutr.connect([ADDRESS, "/ip6/2001:db8::1/tcp/1"]), dcutr.connect([]), dcutr.sync()))


@given(st.binary(max_size=300) | nearly(RIGHT))
def test_any_bytes_are_a_message_or_a_fault(sent: bytes) -> None:
    """Invariant: any bytes give addresses that can be written again, within the bound, or `RemoteProtocolError`, and nothing else."""
    try:
        found = dcutr.read_connect(sent)
    except RemoteProtocolError:
        found = ()
    assert len(found) <= dcutr.ADDRESSES_MAX
    assert all(multiaddr.from_bytes(multiaddr.to_bytes(address)) == address for address in found)
    with contextlib.suppress(RemoteProtocolError):
        dcutr.read_sync(sent)


@given(st.lists(st.binary(max_size=60), max_size=40))
def test_any_addresses_in_a_connect_are_read_or_skipped(encoded: list[bytes]) -> None:
    """Invariant: a CONNECT is read whatever its addresses are."""
    message = protobuf.number(1, 100) + b"".join(protobuf.content(2, each) for each in encoded)
    assert len(dcutr.read_connect(message)) <= dcutr.ADDRESSES_MAX
