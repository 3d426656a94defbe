"""Who asks is dialled back, at its own address; nobody is made to dial a third."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from tests.net.hosts import connect, loopback_host
from tests.net.test_reachability import NOBODY, own_address
from tests.net.test_relay import three

from goop2.net import dial_back
from goop2.net.delimited import next_message
from goop2.net.dial_back import DialBack, open_dial_back
from goop2.net.host import Host
from goop2.protocols import autonat, peer_ids


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dial_back, "DIAL_BACK_SECONDS", 0.5)
    monkeypatch.setattr(dial_back, "PROBE_SECONDS", 0.5)


@pytest_asyncio.fixture
async def two() -> AsyncIterator[tuple[Host, Host]]:
    """A client that is connected to a server."""
    opened = loopback_host()
    async with opened as client, loopback_host() as server:
        await open_dial_back(server)
        await connect(client, server)
        yield client, server


async def dial_requested(client: Host, server: Host, *addresses: str) -> autonat.DialResponse:
    async with await client.open(server.peer_id, autonat.DIAL_REQUEST) as stream:
        await stream.write(autonat.dial_request(addresses, 1))
        answer = autonat.read_dial_response(await next_message(stream, autonat.reader()))
    assert isinstance(answer, autonat.DialResponse)
    return answer


@pytest.mark.parametrize(
    "address",
    [
        "/ip4/127.0.0.2/tcp/4001",
        "/ip4/192.0.2.7/tcp/4001",
        "/ip6/::1/tcp/1",
        "/dns4/localhost/tcp/1",
        "/ip4/127.0.0.1/tcp/0",
        "/ip4/127.0.0.1",
    ],
)
async def test_a_server_dials_nobody_but_who_asks(two: tuple[Host, Host], address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    client, server = two
    dialled: list[str] = []
    monkeypatch.setattr(DialBack, "_dial_back", lambda _server, _peer, _request, address: dialled.append(address))
    assert (await dial_requested(client, server, address)).status == autonat.REFUSED
    async with await client.open(server.peer_id, autonat.VERSION_1) as stream:
        await stream.write(autonat.v1_dial(peer_ids.to_bytes(client.peer_id), [address]))
        assert autonat.read_v1_response(await next_message(stream, autonat.reader()))[0] == autonat.V1_DIAL_REFUSED
    assert dialled == []


async def test_a_server_dials_the_first_address_that_is_the_askers(two: tuple[Host, Host]) -> None:
    client, server = two
    answer = await dial_requested(client, server, "/ip4/192.0.2.7/tcp/1", own_address(client))
    assert answer == autonat.DialResponse(autonat.OK, 1, autonat.DIAL_BACK_ERROR), "nobody there takes nonces"


async def test_version_1_is_served_too_and_to_nobody_in_anothers_name(two: tuple[Host, Host]) -> None:
    client, server = two
    for peer, expected in ((client.peer_id, autonat.V1_OK), (server.peer_id, autonat.V1_BAD_REQUEST)):
        async with await client.open(server.peer_id, autonat.VERSION_1) as stream:
            await stream.write(autonat.v1_dial(peer_ids.to_bytes(peer), [own_address(client)]))
            assert autonat.read_v1_response(await next_message(stream, autonat.reader()))[0] == expected


async def test_a_port_that_refuses_takes_as_long_as_one_that_drops(two: tuple[Host, Host]) -> None:
    client, server = two
    began = asyncio.get_running_loop().time()
    assert await dial_requested(client, server, NOBODY) == autonat.DialResponse(autonat.OK, 0, autonat.DIAL_ERROR)
    assert asyncio.get_running_loop().time() - began >= 0.45


async def test_dials_are_metered_by_network_and_one_at_a_time_for_a_peer(two: tuple[Host, Host], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dial_back, "DIAL_BACKS_PER_MINUTE_AND_NETWORK", 3)
    client, server = two
    await open_dial_back(server)  # in the place of the first
    answers = await asyncio.gather(*(dial_requested(client, server, NOBODY) for _ in range(3)))
    assert sorted(each.status for each in answers) == [autonat.REJECTED, autonat.REJECTED, autonat.OK]
    for _ in range(2):
        assert (await dial_requested(client, server, NOBODY)).status == autonat.OK
    assert (await dial_requested(client, server, NOBODY)).status == autonat.REJECTED


async def test_who_comes_through_a_relay_is_not_dialled() -> None:

    async with three() as parts:
        await open_dial_back(parts.callee)
        await parts.meet()
        answer = await dial_requested(parts.caller, parts.callee, own_address(parts.caller))
        assert answer.status == autonat.REFUSED
