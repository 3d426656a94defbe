"""The gate alone: a stranger's address and name, the owner's list, and what this machine is itself."""

from __future__ import annotations

import ipaddress
from pathlib import Path

import pytest

from goop2.scripting.invocation import Caller
from goop2.services.http_client.addresses import IPAddress
from goop2.services.http_client.egress_policy import Gate, system_route
from goop2.services.http_client.errors import BlockedError, OutboundError
from goop2.services.http_client.resolver import SocketAddress

CALLER = Caller("someone")
PUBLIC, PUBLIC_6, PRIVATE = "93.184.216.34", "2606:2800:220:1::1", "192.168.1.7"
OWN_PUBLIC = "93.184.216.99"
NAMES = {
    "one.example": [PUBLIC],
    "both.example": [PUBLIC, PUBLIC_6],
    "inside.example": [PRIVATE],
    "mixed.example": [PUBLIC, PRIVATE],
    "none.example": [],
    "odd.example": ["fe80::1%eth0"],
    "nonsense.example": ["not an address"],
}


class Names:
    """A resolver that counts what it is asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, name: str, port: int) -> list[SocketAddress]:
        self.asked.append(name)
        if name not in NAMES:
            raise OSError("no such name")
        return [(address, port) for address in NAMES[name]]


def routed(address: IPAddress) -> IPAddress | None:
    """Speak to ourselves from the address that is asked for, to all others from one of our own."""
    own = ipaddress.ip_address(OWN_PUBLIC)
    return own if address == own else ipaddress.ip_address("10.0.0.2")


@pytest.fixture
def names() -> Names:
    return Names()


def gate(names: Names, *allow: tuple[str, int]) -> Gate:
    return Gate(allow, names, routed)


@pytest.mark.parametrize("host", [PUBLIC, PUBLIC_6])
async def test_a_public_address_is_connected_to_without_a_look_up(names: Names, host: str) -> None:
    assert await gate(names).addresses(host, 443, CALLER, allowed=False) == [(host, 443)]
    assert names.asked == []


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "10.1.2.3",
        PRIVATE,
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "255.255.255.255",
        "::1",
        "::",
        "fd00::1",
        "fe80::1",
        "::ffff:127.0.0.1",
        "64:ff9b::10.0.0.1",
        "2002:7f00:1::",
    ],
)
async def test_an_address_that_is_not_public_is_refused_by_name(names: Names, host: str) -> None:
    with pytest.raises(BlockedError, match=r"^blocked: .+ is an? .+|the unspecified"):
        await gate(names).addresses(host, 80, CALLER, allowed=False)


async def test_all_addresses_of_a_name_are_given_and_it_is_asked_once(names: Names) -> None:
    assert await gate(names).addresses("both.example", 8080, CALLER, allowed=False) == [(PUBLIC, 8080), (PUBLIC_6, 8080)]
    assert names.asked == ["both.example"]


@pytest.mark.parametrize("host", ["inside.example", "mixed.example", "odd.example", "nonsense.example"])
async def test_a_name_with_one_address_that_is_not_public_is_refused(names: Names, host: str) -> None:
    with pytest.raises(BlockedError):
        await gate(names).addresses(host, 80, CALLER, allowed=False)


@pytest.mark.parametrize("host", ["none.example", "unknown.example"])
@pytest.mark.parametrize("allowed", [False, True])
async def test_a_name_without_an_address_is_no_host_whoever_allows_it(names: Names, host: str, allowed: bool) -> None:
    with pytest.raises(OutboundError, match=rf"^there is no host {host}$"):
        await gate(names).addresses(host, 80, CALLER, allowed=allowed)


async def test_this_machine_is_refused_by_its_public_address_too(names: Names) -> None:
    with pytest.raises(BlockedError, match=OWN_PUBLIC):
        await gate(names).addresses(OWN_PUBLIC, 80, CALLER, allowed=False)


async def test_where_there_is_no_way_an_address_is_judged_by_itself(names: Names) -> None:
    cut_off = Gate((), names, lambda _address: None)
    assert await cut_off.addresses(PUBLIC, 80, CALLER, allowed=False) == [(PUBLIC, 80)]
    with pytest.raises(BlockedError):
        await cut_off.addresses(PRIVATE, 80, CALLER, allowed=False)


@pytest.mark.parametrize(("host", "found"), [(PRIVATE, PRIVATE), ("127.0.0.1", "127.0.0.1"), ("inside.example", PRIVATE)])
async def test_what_the_owner_allows_is_connected_to_wherever_it_is(names: Names, host: str, found: str) -> None:
    assert await gate(names).addresses(host, 80, CALLER, allowed=True) == [(found, 80)]


def test_the_owners_list_is_of_hosts_with_their_port_and_nothing_near_them(names: Names) -> None:
    listed = gate(names, ("NAS.Example", 8080), (PRIVATE, 80), ("fd00::0001", 443))
    assert listed.allows("nas.example", 8080)
    assert listed.allows(PRIVATE, 80)
    assert listed.allows("fd00::1", 443)
    assert not any(
        listed.allows(host, port)
        for host, port in [("nas.example", 80), ("a.nas.example", 8080), ("example", 8080), ("192.168.1.8", 80), (PRIVATE, 8080)]
    )


def test_a_line_of_the_list_that_no_request_can_mean_allows_nothing(names: Names) -> None:
    listed = gate(names, ("a host", 80), (PRIVATE, 80))
    assert listed.allows(PRIVATE, 80)
    assert not listed.allows("a host", 80)


def test_the_system_says_from_which_address_it_would_speak_to_another() -> None:
    loopback = ipaddress.ip_address("127.0.0.1")
    assert system_route(loopback) == loopback


def test_it_says_so_for_ipv6_too() -> None:
    loopback = ipaddress.ip_address("::1")
    if not Path("/proc/net/if_inet6").exists():
        pytest.skip("this machine has no IPv6")
    assert system_route(loopback) == loopback
