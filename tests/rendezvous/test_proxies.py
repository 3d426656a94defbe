"""Behind a proxy that is named each client has its own limits; what others say in `X-Forwarded-For` changes nothing."""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit

import httpx
import pytest
from tests.net.hosts import SECONDS, new_identity
from tests.wire_socket import wire_socket

from goop2.config import Address, PresenceSettings
from goop2.protocols.presence import Presence, write
from goop2.rendezvous import http as module
from goop2.rendezvous.embedded import open_servers
from goop2.rendezvous.limits import PUBLISHED_PER_MINUTE
from goop2.rendezvous.server import open_rendezvous
from goop2.web.http.proxies import Proxies

HERE = Address("127.0.0.1", 0)
PROXY, ELSEWHERE = "127.0.0.1", "127.0.0.2"
"""Both reach a server on loopback."""
ANN = write(Presence("online", new_identity().peer_id, "Ann", ts=1))


def coming_from(address: str, url: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=url, timeout=SECONDS, transport=httpx.AsyncHTTPTransport(local_address=address))


async def used_up(client: httpx.AsyncClient, forwarded: str) -> None:
    for _ in range(5 * PUBLISHED_PER_MINUTE):
        if (await client.post("/publish", content=ANN, headers={"x-forwarded-for": forwarded})).status_code == 429:
            return
    raise AssertionError("no limit")


async def status(client: httpx.AsyncClient, forwarded: str) -> int:
    return (await client.post("/publish", content=ANN, headers={"x-forwarded-for": forwarded})).status_code


async def test_two_clients_behind_one_proxy_share_no_limit() -> None:
    async with open_rendezvous(HERE, proxies=Proxies([PROXY])) as url, coming_from(PROXY, url) as client:
        await used_up(client, "198.51.100.7")
        assert await status(client, "198.51.100.8") == 204
        assert await status(client, "198.51.100.8, 198.51.100.7") == 429, "the last one is the proxy's word"
        assert await status(client, "198.51.100.7, 198.51.100.8") == 204


async def test_a_header_from_elsewhere_changes_nothing() -> None:
    async with open_rendezvous(HERE, proxies=Proxies([PROXY])) as url, coming_from(ELSEWHERE, url) as client:
        await used_up(client, "198.51.100.7")
        assert await status(client, "198.51.100.8") == 429
    async with open_rendezvous(HERE) as url, coming_from(PROXY, url) as client:
        await used_up(client, "198.51.100.7")
        assert await status(client, "198.51.100.8") == 429, "without --proxy the header is ignored, from this machine too"


async def test_a_proxy_that_names_nobody_counts_itself() -> None:
    async with open_rendezvous(HERE, proxies=Proxies([PROXY])) as url, coming_from(PROXY, url) as client:
        await used_up(client, "unknown")
        assert await status(client, "") == 429
        assert await status(client, "198.51.100.8") == 204


async def test_readers_of_both_kinds_are_counted_by_client(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "READERS_PER_ADDRESS_MAX", 1)
    async with open_rendezvous(HERE, proxies=Proxies(["127.0.0.0/31"])) as url, coming_from(PROXY, url) as client:
        port = urlsplit(url).port or 0
        async with client.stream("GET", "/events", headers={"x-forwarded-for": "198.51.100.7"}) as first:
            assert first.status_code == 200
            assert (await client.get("/events", headers={"x-forwarded-for": "198.51.100.7"})).status_code == 503
            async with await wire_socket(port, x_forwarded_for="198.51.100.7") as refused:
                assert refused.status == 503
            async with await wire_socket(port, x_forwarded_for="198.51.100.8") as other:
                assert other.status == 101
            async with await wire_socket(port, source=ELSEWHERE, x_forwarded_for="198.51.100.9") as outside:
                assert outside.status == 101


async def test_connections_are_counted_by_client_and_not_by_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("goop2.rendezvous.server.OpenedProtocol.connections_per_address", 2)
    async with open_rendezvous(HERE, proxies=Proxies([PROXY])) as url:
        port = urlsplit(url).port or 0
        async with asyncio.TaskGroup() as group:
            opening = [group.create_task(wire_socket(port, x_forwarded_for=f"198.51.100.{number // 2}")) for number in range(8)]
        sockets = [each.result() for each in opening]
        assert [each.status for each in sockets] == [101] * 8
        async with await wire_socket(port, x_forwarded_for="198.51.100.3") as third, await wire_socket(port) as proxys_own:
            assert (third.status, proxys_own.status) == (503, 101)
        for each in sockets:
            async with each:
                pass


async def test_the_own_server_of_a_peer_believes_the_proxies_of_its_settings() -> None:
    settings = PresenceSettings(rendezvous_host=True, rendezvous_port=0)
    async with open_servers(settings, [PROXY]) as (url,), coming_from(PROXY, url) as client:
        await used_up(client, "198.51.100.7")
        assert await status(client, "198.51.100.8") == 204
