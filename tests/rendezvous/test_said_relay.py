"""What is said of a relay by another server: believed where it is dialled, and refused before that where it cannot be."""

from __future__ import annotations

import msgspec
import pytest
from tests.rendezvous.test_registry import a_peer

from goop2.rendezvous.said_relay import ListedRelay

RELAY = ListedRelay(
    peer_id=a_peer(9),
    addrs=(f"/ip4/192.0.2.9/tcp/4001/p2p/{a_peer(9)}",),
    cleanup_delay_sec=5,
    refresh_interval_sec=1200,
    reservation_sec=3600,
    circuit_sec=7200,
    circuit_bytes=1 << 28,
    free=7,
)


def test_a_relay_that_can_be_is_listed() -> None:
    assert RELAY.is_possible


@pytest.mark.parametrize(
    "relay",
    [
        msgspec.structs.replace(RELAY, addrs=()),
        msgspec.structs.replace(RELAY, addrs=(f"/ip4/192.0.2.9/tcp/4001/p2p/{a_peer(1)}",)),
        msgspec.structs.replace(RELAY, addrs=("x" * 300,)),
        msgspec.structs.replace(RELAY, addrs=("nowhere",)),
        msgspec.structs.replace(RELAY, free=-1),
        msgspec.structs.replace(RELAY, circuit_sec=0),
        msgspec.structs.replace(RELAY, circuit_bytes=2**60),
    ],
    ids=["nowhere", "another peer's", "long", "no address", "places", "seconds", "bytes"],
)
def test_a_relay_that_cannot_be_is_not(relay: ListedRelay) -> None:
    assert not relay.is_possible
