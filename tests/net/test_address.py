"""Addresses as people type them."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goop2.net.address import PeerAddress, parse, peer_id, typed_id
from goop2.net.faults import AddressError
from goop2.web.http.peer_host import host_label

PEER = "12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN"


@pytest.mark.parametrize("transport", ["/ip4/192.0.2.7/tcp/4001", "/ip6/2001:db8::7/tcp/4001", "/dns4/peer.example/tcp/4001"])
def test_an_address_names_a_peer_and_a_way_to_it(transport: str) -> None:
    assert parse(f" {transport}/p2p/{PEER}\n") == PeerAddress(PEER, transport)


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("/ip4/192.0.2.7/tcp/4001/", "/ip4/192.0.2.7/tcp/4001"),
        ("/ip4/192.0.2.7/tcp/04001", "/ip4/192.0.2.7/tcp/4001"),
        ("/ip6/2001:DB8:0::7/tcp/4001", "/ip6/2001:db8::7/tcp/4001"),
        (f"/ip4/192.0.2.9/tcp/4001/ipfs/{PEER}/p2p-circuit/", f"/ip4/192.0.2.9/tcp/4001/p2p/{PEER}/p2p-circuit"),
    ],
)
def test_a_way_has_one_spelling_however_it_is_typed(typed: str, kept: str) -> None:
    """Else a peer is remembered at two addresses that are one, and the mistyped one is what is told."""
    assert parse(f"{typed}/p2p/{PEER}") == PeerAddress(PEER, kept)


def test_an_address_may_lead_through_a_relay() -> None:
    through = f"/ip4/192.0.2.9/tcp/4001/p2p/{PEER}/p2p-circuit"
    assert parse(f"{through}/p2p/{PEER}") == PeerAddress(PEER, through)
    assert parse(f"{through}/p2p/{PEER}").is_circuit
    assert not parse(f"/ip4/192.0.2.7/tcp/4001/p2p/{PEER}").is_circuit


@pytest.mark.parametrize(
    "text",
    [
        "",
        "192.0.2.7:4001",
        "/ip4/192.0.2.7/tcp/4001",
        f"/p2p/{PEER}",
        f"/ip4/192.0.2.7/udp/4001/p2p/{PEER}",
        f"/ip4/192.0.2.700/tcp/4001/p2p/{PEER}",
        "/ip4/192.0.2.7/tcp/4001/p2p/12D3Koo",
        f"/ip4/192.0.2.7/tcp/4001/p2p/{PEER}/p2p-circuit",
        f"/ip4/192.0.2.7/tcp/4001/p2p-circuit/p2p/{PEER}",
        f"/p2p/{PEER}/p2p-circuit/p2p/{PEER}",
        f"/ip4/192.0.2.7/tcp/4001/p2p/12D3Koo/p2p-circuit/p2p/{PEER}",
        f"/ip4/192.0.2.7/tcp/4001/p2p/{PEER}/p2p-circuit/p2p/{PEER}/p2p-circuit/p2p/{PEER}",
        f"/unix/socket/p2p/{PEER}",
        f"/dns4/{'x' * 600}/tcp/1/p2p/{PEER}",
    ],
)
def test_what_is_no_address_is_refused_with_one_that_is(text: str) -> None:
    with pytest.raises(AddressError, match="is not the address of a peer; one looks like /ip4/"):
        parse(text)


@pytest.mark.parametrize("text", ["", "abc", "12D3Koo", PEER + "x", "QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N"])
def test_what_is_no_peer_id_is_refused(text: str) -> None:
    with pytest.raises(AddressError):
        peer_id(text)


@given(st.text(max_size=60) | st.builds(lambda text: f"/ip4/1.2.3.4/tcp/{text}/p2p/{PEER}", st.text(max_size=10)))
def test_any_text_is_an_address_or_refused(text: str) -> None:
    """Invariant: any text gives an address or NotAnAddress, and nothing else."""
    with contextlib.suppress(AddressError):
        assert parse(text).peer == PEER


BASE36 = host_label(PEER)


@pytest.mark.parametrize("text", [PEER, f" {PEER}/\n", f"/p2p/{PEER}", f"/ipfs/{PEER}/", BASE36, BASE36.upper(), f"/p2p/{BASE36}"])
def test_an_id_is_taken_in_every_form_people_copy(text: str) -> None:
    assert typed_id(text) == PEER


@pytest.mark.parametrize("end", [f"/ipfs/{PEER}", f"/p2p/{PEER}/", f"/ipfs/{BASE36}//"])
def test_an_address_is_taken_with_its_id_in_any_of_them(end: str) -> None:
    assert parse(f"/ip4/192.0.2.7/tcp/4001{end}") == PeerAddress(PEER, "/ip4/192.0.2.7/tcp/4001")


@pytest.mark.parametrize("text", [BASE36[:-1], BASE36[:-1] + "!", "k" + "z" * 61, "k" + "0" * 61, "k5" * 31])
def test_what_only_looks_like_an_id_of_the_address_bar_is_refused(text: str) -> None:
    with pytest.raises(AddressError):
        typed_id(text)


def test_what_comes_over_the_network_has_one_spelling() -> None:
    with pytest.raises(AddressError):
        peer_id(BASE36)
