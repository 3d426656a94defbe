"""Rendezvous servers joined by a real nats-server, with its keys, its certificate and its permissions."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
from structlog.testing import capture_logs
from tests.cluster.hub import Hub, until
from tests.net.hosts import SECONDS, new_identity
from tests.rendezvous.test_server import ANN, BOB, data_of, online

from goop2.cluster.keys import new_key, read_key
from goop2.cluster.nats_bus import connected_to
from goop2.config import Address
from goop2.protocols.presence import Presence, write
from goop2.rendezvous.bus_messages import BusHead, messages, subject
from goop2.rendezvous.server import open_rendezvous

CARL = new_identity().peer_id
ANYWHERE = Address("127.0.0.1", 0)


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    hub = Hub(tmp_path_factory.mktemp("hub"))
    for name in ("north", "south", "west", "liar"):
        hub.invite(name, "rendezvous")
    hub.start()
    try:
        yield hub
    finally:
        hub.stop()


@contextlib.asynccontextmanager
async def server(hub: Hub, name: str, relay: Address | None = None) -> AsyncIterator[httpx.AsyncClient]:
    """Serve, joined to the others by the hub."""
    async with (
        open_rendezvous(ANYWHERE, relay, bus=(hub.url, read_key(hub.keys[name]))) as url,
        httpx.AsyncClient(base_url=url, timeout=SECONDS) as client,
    ):
        yield client


async def shows(client: httpx.AsyncClient, text: str) -> str:
    """Wait until the page of a server shows a text; return the page."""
    end = asyncio.get_running_loop().time() + SECONDS
    while text not in (page := (await client.get("/")).text):
        assert asyncio.get_running_loop().time() < end, text
        await asyncio.sleep(0.02)
    return page


async def labels(client: httpx.AsyncClient, count: int) -> list[str]:
    """Return the labels of those who are here, once they are so many."""
    async with asyncio.timeout(SECONDS), client.stream("GET", "/events") as events:
        return sorted(str(said["content"]) for said in await data_of(events, count))


async def test_peers_hear_each_other_across_servers_and_again_after_the_bus_was_away(hub: Hub) -> None:
    async with server(hub, "north") as north, server(hub, "south", ANYWHERE) as south:
        await shows(north, "with 1 other server")
        await shows(south, "with 1 other server")
        async with north.stream("GET", f"/events?peers={ANN}") as events:
            await south.post("/publish", content=online(ANN, "Ann"))
            assert [said["content"] for said in await data_of(events, 1)] == ["Ann"]
        # The relay of one is found through the other, and at both it is listed.
        (listed,) = (await north.get("/relays")).json()["relays"]
        assert ((await north.get("/relay")).json(), listed["free"]) == (listed, 256)
        assert (await south.get("/relay")).json()["peer_id"] == listed["peer_id"]
        assert "256 free places" in (await north.get("/")).text
        # Without the bus each goes on alone, says so once, and tells what was missed when it is back.
        with capture_logs() as told:
            hub.stop()
            await until(lambda: sum("goes on alone, and joins the others again by itself" in each["event"] for each in told) == 2)
            await south.post("/publish", content=online(BOB, "Bob"))
            assert await labels(south, 2) == ["Ann", "Bob"]
            hub.start()
            assert await labels(north, 2) == ["Ann", "Bob"]
        assert sum("goes on alone" in each["event"] for each in told) == 2
        # Who comes later hears everybody at once.
        async with server(hub, "west") as west:
            assert await labels(west, 2) == ["Ann", "Bob"]


async def test_a_server_can_speak_in_its_own_name_alone_and_a_strange_key_in_none(hub: Hub) -> None:
    own = read_key(hub.keys["liar"])
    victim = read_key(hub.keys["south"]).public
    async with server(hub, "north") as north, connected_to(hub.url, own, "liar") as bus:

        def say(speaker: str, *said: Presence, asks: bool = False) -> None:
            for message in messages(BusHead("lies", "liar", asks), map(write, said)):
                bus.send(subject(speaker), message)

        answers: list[bytes] = []
        await bus.listen(subject("*", own.public), lambda _subject, content, _nobody: answers.append(content))
        while not answers:
            say(own.public, asks=True)
            await asyncio.sleep(0.05)
        await north.post("/publish", content=online(ANN, "Ann"))
        say(own.public, Presence("online", BOB, "Invented by itself"))
        await shows(north, "Invented by itself")
        say(victim, Presence("update", BOB, "In the name of another server"))
        say(victim, Presence("offline", BOB))
        say(own.public, Presence("offline", ANN), Presence("update", CARL, "The last word"))
        page = await shows(north, "The last word")
        assert ("Ann" in page, "Invented by itself" in page, "In the name" in page) == (True, True, False)
    with capture_logs() as told:
        async with (
            open_rendezvous(ANYWHERE, bus=(hub.url, new_key("stranger", own.certificate))) as url,
            httpx.AsyncClient(base_url=url) as alone,
        ):
            await until(lambda: any("does not know the key of this machine" in each["event"] for each in told))
            assert (await alone.post("/publish", content=online(ANN, "Ann"))).status_code == 204
    assert sum("does not know the key" in each["event"] for each in told) == 1
