"""How a peer is connected, as commands and pages get it."""

from __future__ import annotations

from goop2.net.host import Connected
from goop2.peers.ways import way_of


def test_a_direct_connection_has_an_address_and_a_relayed_one_its_relay() -> None:
    assert way_of(Connected("them", "192.0.2.7:4001", "", 0.00123)) == {
        "way": "direct",
        "address": "192.0.2.7:4001",
        "relay": "",
        "latency_ms": 1.23,
    }
    assert way_of(Connected("them", "", "relay", None)) == {"way": "relayed", "address": "", "relay": "relay", "latency_ms": None}


def test_who_is_not_connected_has_none() -> None:
    assert way_of(None) == {"way": "", "address": "", "relay": "", "latency_ms": None}
