"""What is public, at the edges of every range."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goop2.services.http_client.addresses import mapped_address, why_not_public, why_ours

RANGES = {
    "10.0.0.0/8": "private",
    "100.64.0.0/10": "carrier-grade NAT",
    "127.0.0.0/8": "loopback",
    "169.254.0.0/16": "link-local",
    "172.16.0.0/12": "private",
    "192.0.0.0/24": "reserved",
    "192.0.2.0/24": "documentation",
    "192.88.99.0/24": "6to4",
    "192.168.0.0/16": "private",
    "198.18.0.0/15": "benchmarking",
    "198.51.100.0/24": "documentation",
    "203.0.113.0/24": "documentation",
    "64:ff9b:1::/48": "NAT64",
    "2001::/32": "Teredo",
    "2001:db8::/32": "documentation",
    "2002::/16": "6to4",
    "3fff::/20": "documentation",
}
"""Ranges with something else on both sides."""

BEGINNINGS = {"fc00::/7": "private", "fe80::/10": "link-local", "fec0::/10": "private", "ff00::/8": "multicast", "224.0.0.0/4": "multicast"}
BOTH = RANGES | BEGINNINGS

PUBLIC_NEIGHBOURS = [
    *("9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.0", "169.253.255.255", "169.255.0.0"),
    *("172.15.255.255", "172.32.0.0", "191.255.255.255", "192.0.1.0", "192.0.3.0", "192.88.98.255", "192.88.100.0", "192.167.255.255"),
    *("192.169.0.0", "198.17.255.255", "198.20.0.0", "198.51.99.255", "198.51.101.0", "203.0.112.255", "203.0.114.0"),
    *(
        "1.0.0.0",
        "223.255.255.255",
        "2000::",
        "2001:200::",
        "2001:db7:ffff::",
        "2001:db9::",
        "2003::",
        "2001:ffff::",
        "3ffe::",
        "3fff:1000::",
    ),
    *(
        "::ffff:8.8.8.8",
        "::ffff:9.255.255.255",
        "64:ff9b::8.8.8.8",
        "64:ff9b::11.0.0.0",
        "2606:4700::5efd:808:808",
        "2606:4700::200:5eff:808:808",
    ),
]

NOT_PUBLIC = [
    *("0.0.0.0", "0.255.255.255", "255.255.255.255", "240.0.0.0", "239.255.255.255", "224.0.0.0"),
    *("::", "::1", "::2", "::7f00:1", "::8.8.8.8", "::255.255.255.255", "::fffe:0:0", "::1:0:0:0", "::ffff:0:8.8.8.8"),
    *("::ffff:0.0.0.0", "::ffff:255.255.255.255", "64:ff9b::", "64:ff9b::ffff:ffff", "64:ff9b::1:0:0", "64:ff9a:ffff::", "100::1"),
    *("1fff:ffff::", "4000::", "5f00::1", "2001:1ff:ffff::", "fbff::1", "fdff:ffff::", "febf:ffff::", "feff::1", "ffff::"),
    *("2606:4700::5efe:7f00:1", "2606:4700::5efe:808:808", "2606:4700::200:5efe:a00:1"),
]


@pytest.mark.parametrize(("network", "what"), BOTH.items())
def test_the_first_and_the_last_address_of_a_range_are_what_the_range_is(network: str, what: str) -> None:
    span = ip_network(network)
    assert what in why_not_public(span[0])
    assert what in why_not_public(span[-1])


@pytest.mark.parametrize("network", BOTH)
def test_no_neighbour_of_a_range_is_taken_for_it(network: str) -> None:
    first, last = ip_network(network)[0], ip_network(network)[-1]
    assert why_not_public(first - 1) != why_not_public(first)
    if network != "ff00::/8":  # the end of all addresses
        assert why_not_public(last + 1) != why_not_public(last)


@pytest.mark.parametrize("text", PUBLIC_NEIGHBOURS)
def test_what_lies_just_beside_is_public(text: str) -> None:
    assert why_not_public(ip_address(text)) == ""


@pytest.mark.parametrize("text", NOT_PUBLIC)
def test_what_is_none_of_the_internets_is_not_public(text: str) -> None:
    assert why_not_public(ip_address(text))


@pytest.mark.parametrize("carrier", ["::ffff:{}", "64:ff9b::{}"])
@pytest.mark.parametrize("network", [network for network in BOTH if "." in network])
def test_an_address_in_an_address_is_what_it_carries(carrier: str, network: str) -> None:
    for inner in (ip_network(network)[0], ip_network(network)[-1]):
        assert why_not_public(ip_address(carrier.format(inner))) == why_not_public(inner)


@given(st.ip_addresses())
def test_what_python_calls_special_is_never_public(address: object) -> None:
    special = ip_address(str(address))
    if special.is_private or special.is_loopback or special.is_link_local or special.is_multicast or special.is_reserved:
        carried = mapped_address(special)
        assert why_not_public(special) or (carried != special and carried.is_global) or special in ip_network("64:ff9b::/96")


def test_this_machines_own_address_is_ours() -> None:
    assert why_ours(ip_address("8.8.8.8"), ip_address("8.8.8.8")) == "this machine's own address"


def test_a_neighbour_in_ipv6_is_ours_up_to_the_edge_of_the_network() -> None:
    source = ip_address("2606:4700:1:2::5")
    assert why_ours(ip_address("2606:4700:1:2:ffff:ffff:ffff:ffff"), source)
    assert why_ours(ip_address("2606:4700:1:2::"), source)
    assert not why_ours(ip_address("2606:4700:1:3::"), source)
    assert not why_ours(ip_address("2606:4700:1:1:ffff:ffff:ffff:ffff"), source)


def test_an_ipv4_neighbour_is_a_stranger() -> None:
    assert not why_ours(ip_address("8.8.8.9"), ip_address("8.8.8.8"))
