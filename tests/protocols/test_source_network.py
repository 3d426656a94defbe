"""The network of an address, by which limits count."""

from __future__ import annotations

import pytest

from goop2.protocols.source_network import is_network, network_of


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:DB8:1:2::1", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
        ("/p2p-circuit/12D3KooW", "/p2p-circuit/12D3KooW"),
    ],
)
def test_an_address_counts_as_its_network(address: str, network: str) -> None:
    assert network_of(address) == network


def test_a_relay_and_nothing_are_no_network() -> None:
    assert is_network("192.0.2.7")
    assert is_network("2001:db8::/64")
    assert not is_network("/p2p-circuit/12D3KooW")
    assert not is_network("")
