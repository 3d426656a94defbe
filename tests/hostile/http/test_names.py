"""Names that lead where no public name should, and resolvers that lie."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from tests.services.http_client.stage import ANOTHER, PUBLIC, PUBLIC_6, Stage, answering, client_tls, fetch

from goop2.services.http_client.client import Client, Dependencies
from goop2.services.http_client.errors import BlockedError, OutboundError

LEADS_TO = {
    "loopback": ("127.0.0.1", "127.0.0.1 is a loopback address"),
    "a private network": ("10.0.0.5", "10.0.0.5 is a private address"),
    "a home network": ("192.168.178.1", "192.168.178.1 is a private address"),
    "a metadata service": ("169.254.169.254", "169.254.169.254 is a link-local address"),
    "carrier-grade NAT": ("100.64.0.1", "100.64.0.1 is a carrier-grade NAT address"),
    "the unspecified address": ("0.0.0.0", "0.0.0.0 is the unspecified address"),
    "multicast": ("239.1.1.1", "239.1.1.1 is a multicast address"),
    "broadcast": ("255.255.255.255", "255.255.255.255 is a reserved address"),
    "IPv6 loopback": ("::1", "::1 is a loopback address"),
    "an IPv6 home network": ("fd12:3456:789a::1", "fd12:3456:789a::1 is a private address"),
    "IPv6 link-local": ("fe80::1", "fe80::1 is a link-local address"),
    "IPv6 link-local with a zone": ("fe80::1%1", "fe80::1%1 is a link-local address"),
    "loopback mapped": ("::ffff:127.0.0.1", "127.0.0.1 is a loopback address"),
    "a private network behind NAT64": ("64:ff9b::10.0.0.5", "10.0.0.5 is a private address"),
    "6to4": ("2002:a00:5::1", "2002:a00:5::1 is a 6to4 address"),
    "Teredo": ("2001:0:a00:5::1", "2001:0:a00:5::1 is a Teredo address"),
    "no address at all": ("evil.example", "evil.example is no address"),
    "an odd spelling": ("0x7f.1", "0x7f.1 is no address"),
    "nothing": ("", " is no address"),
}

URL = "http://evil.example/"


async def refused(stage: Stage, url: str = URL) -> str:
    with pytest.raises(BlockedError) as caught:
        await fetch(stage.client(), url)
    assert (stage.trap.connections, stage.sockets.dialled) == (0, [])
    return str(caught.value)


@pytest.mark.parametrize(("address", "why"), LEADS_TO.values(), ids=LEADS_TO)
async def test_a_name_that_leads_to(stage: Stage, address: str, why: str) -> None:
    stage.names["evil.example"] = [address]
    assert await refused(stage) == f"blocked: {why}"


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize(
    "addresses",
    [[PUBLIC, "10.0.0.5"], ["10.0.0.5", PUBLIC], [PUBLIC, PUBLIC_6, ANOTHER, "::1"], [PUBLIC] * 50 + ["127.0.0.1"]],
    ids=["private last", "private first", "private among several", "private after many"],
)
async def test_a_name_with_public_and_other_addresses_is_refused_whole(stage: Stage, addresses: list[str], scheme: str) -> None:
    await stage.house("good.example", answering())
    stage.names["evil.example"] = addresses
    assert (await refused(stage, f"{scheme}://evil.example/")).startswith("blocked: ")


async def test_a_name_that_answers_differently_the_second_time_is_not_asked_a_second_time(stage: Stage) -> None:
    house = await stage.house("evil.example", answering())

    def rebinding(name: str, port: int) -> list[tuple[str, int]]:
        first = not stage.asked
        stage.asked.append(name)
        return [(PUBLIC if first else "127.0.0.1", port)]

    client = Client(Dependencies(rebinding, stage.source.get, client_tls(), stage.sockets))
    assert (await fetch(client, URL)).body == b"hello"
    assert (stage.asked, house.connections, stage.trap.connections) == (["evil.example"], 1, 0)
    with pytest.raises(BlockedError, match=r"^blocked: 127.0.0.1 is a loopback address$"):
        await fetch(client, URL)
    assert stage.trap.connections == 0


async def test_the_address_that_was_checked_is_the_one_connected_to(stage: Stage) -> None:
    await stage.house("evil.example", answering())
    await fetch(stage.client(), URL)
    assert stage.sockets.dialled == [(PUBLIC, 80)]


async def test_a_name_without_an_address_is_said(stage: Stage) -> None:
    stage.names["evil.example"] = []
    with pytest.raises(OutboundError, match=r"^there is no host evil.example$"):
        await fetch(stage.client(), URL)


async def test_this_machines_own_public_address_is_refused(stage: Stage) -> None:
    await stage.house("evil.example", answering())
    stage.source[ip_address(PUBLIC)] = ip_address(PUBLIC)
    assert await refused(stage) == f"blocked: {PUBLIC} is this machine's own address"


async def test_a_neighbour_in_the_owners_ipv6_network_is_refused(stage: Stage) -> None:
    await stage.house("evil.example", answering(), address=PUBLIC_6)
    stage.source[ip_address(PUBLIC_6)] = ip_address(PUBLIC_6) + 1
    assert await refused(stage) == f"blocked: {PUBLIC_6} is an address in this machine's own network"


async def test_a_public_address_behind_nat64_is_public(stage: Stage) -> None:
    await stage.house("four.example", answering(), address="64:ff9b::808:808")
    assert (await fetch(stage.client(), "http://four.example/")).status == 200


# What the owner allows is exactly that, and nothing near it.

NOT_WHAT_IS_ALLOWED = {
    "another port": "http://192.168.1.5:8124/",
    "the scheme's port": "http://192.168.1.5/",
    "the neighbour": "http://192.168.1.6:8123/",
    "the same address in IPv6": "http://[::ffff:192.168.1.5]:8123/",
    "a name that leads there": "http://evil.example:8123/",
    "an odd spelling of it": "http://192.168.261:8123/",
    "a number that is it": "http://3232235781:8123/",
    "the allowed name on another port": "http://box.local:81/",
    "a name below the allowed one": "http://a.box.local:8123/",
    "a name above the allowed one": "http://local:8123/",
    "a user called like it": "http://box.local:8123@127.0.0.1/",
}
ALLOWED = (("192.168.1.5", 8123), ("box.local", 8123))


@pytest.mark.parametrize("url", NOT_WHAT_IS_ALLOWED.values(), ids=NOT_WHAT_IS_ALLOWED)
async def test_what_is_not_exactly_allowed_is_refused(stage: Stage, url: str) -> None:
    for name in ("evil.example", "box.local", "a.box.local", "local"):
        stage.names[name] = ["192.168.1.5"]
    with pytest.raises(BlockedError):
        await fetch(stage.client(*ALLOWED), url)
    assert stage.trap.connections == 0


@pytest.mark.parametrize("url", ["http://192.168.1.5:8123/", "http://box.local:8123/", "HTTP://BOX.local.:8123/x"])
async def test_what_is_allowed_is_reached(stage: Stage, url: str) -> None:
    box = await stage.house("box.local", answering(), port=8123, address="192.168.1.5")
    assert (await fetch(stage.client(*ALLOWED), url)).status == 200
    assert box.connections == 1


async def test_an_allowed_ipv6_address_is_reached_however_it_is_written(stage: Stage) -> None:
    await stage.house("", answering(), port=81, address="fd00::5")
    assert (await fetch(stage.client(("fd00:0::05", 81)), "http://[FD00:0:0::5]:81/")).status == 200
