"""Multiaddrs, text and bytes; the bytes are those other implementations write."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goop2.protocols import multiaddr
from goop2.protocols.multiaddr import NAME_MAX_CHARS, PARTS_MAX, MultiaddrError
from goop2.protocols.peer_ids import to_bytes as id_bytes

PEER = "12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN"
ID = id_bytes(PEER).hex()


@pytest.mark.parametrize(
    ("text", "data"),
    [
        ("/ip4/192.0.2.7/tcp/4001", "04c0000207060fa1"),
        ("/ip6/2001:db8::7/tcp/80", "2920010db8000000000000000000000007060050"),
        ("/dns4/a.example/tcp/1", "3609612e6578616d706c65060001"),
        ("/dns/a/tcp/1", "350161060001"),
        ("/dns6/a/tcp/1", "370161060001"),
        (f"/p2p/{PEER}", f"a50326{ID}"),
        (f"/ip4/127.0.0.1/tcp/1/p2p/{PEER}/p2p-circuit/p2p/{PEER}", f"047f000001060001a50326{ID}a202a50326{ID}"),
    ],
)
def test_text_and_bytes_are_those_of_the_table(text: str, data: str) -> None:
    assert multiaddr.to_bytes(text).hex() == data
    assert multiaddr.from_bytes(bytes.fromhex(data)) == text


@pytest.mark.parametrize(
    ("text", "spelling"), [("/ip4/1.2.3.4/tcp/0080/", "/ip4/1.2.3.4/tcp/80"), ("/ip6/2001:DB8:0::7/tcp/1", "/ip6/2001:db8::7/tcp/1")]
)
def test_an_address_has_one_spelling(text: str, spelling: str) -> None:
    assert multiaddr.join(multiaddr.parse(text)) == spelling


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/",
        "ip4/1.2.3.4",
        "/ip4",
        "/ip4/",
        "/ip4/1.2.3.400",
        "/ip4/1.2.3.4/tcp",
        "/ip4/1.2.3.4/tcp/65536",
        "/ip4/1.2.3.4/tcp/00000000001",
        "/ip4/1.2.3.4/tcp/-1",
        "/ip4/1.2.3.4/tcp/²",
        "/ip6/fe80::1%eth0/tcp/1",
        "/ip6/1.2.3.4/tcp/1",
        "/udp/1",
        "/dns4//tcp/1",
        "/dns4/a b/tcp/1",
        f"/dns4/{'x' * (NAME_MAX_CHARS + 1)}/tcp/1",
        "/p2p/12D3Koo",
        "/p2p-circuit" * (PARTS_MAX + 1),
        "/ip4/1.2.3.4" * 200,
    ],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(MultiaddrError):
        multiaddr.to_bytes(text)


@pytest.mark.parametrize(
    "data",
    [
        "",
        "04c00002",
        "060f",
        "3600060001",
        "360a61",
        "36ffffffffffffffffff01",
        "a50326",
        "a50300",
        "9102",
        "cc03",
        "ff",
        "a202" * (PARTS_MAX + 1),
        "3602c3a8" + "3601ff",
    ],
)
def test_bytes_that_are_no_address_of_ours_are_refused(data: str) -> None:
    with pytest.raises(MultiaddrError):
        multiaddr.from_bytes(bytes.fromhex(data))


@given(st.binary(max_size=100))
def test_any_bytes_are_an_address_or_refused_and_come_back(data: bytes) -> None:
    try:
        text = multiaddr.from_bytes(data)
    except MultiaddrError:
        return
    assert multiaddr.from_bytes(multiaddr.to_bytes(text)) == text
