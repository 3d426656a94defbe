"""`/api/mq/…`: messages between pages of two peers, and what a page of a visited site may hear and send of them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio
from tests.net.hosts import LOOPBACK, connect
from tests.web.served import Answer, Served, served

from goop2.app import join
from goop2.peers.network import PeerNetwork
from goop2.web.http.peer_host import host_label

pytestmark = pytest.mark.asyncio(loop_scope="module")

STRANGER = "12D3KooWSCufgHzV4fCwRijfH2k3abrpAJxTKxEvN1FDuRXA2U9x"
INVITE = {"channel_id": "rt-12345678"}


@dataclass
class Side:
    """One of two peers that are connected."""

    served: Served
    network: PeerNetwork

    @property
    def id(self) -> str:
        return self.served.peer.identity.peer_id

    def visited(self, host: Side) -> str:
        """Host of the other's site as this peer's owner sees it."""
        return f"{host_label(host.id)}.localhost:{self.served.port}"

    async def post(self, path: str, host: str = "", **body: object) -> Answer:
        return await self.served.ask(
            f"/api/mq/{path}", host=host, method="POST", body=json.dumps(body).encode(), sec_fetch_site="same-origin"
        )

    @asynccontextmanager
    async def hears(self, host: str = "") -> AsyncIterator[asyncio.StreamReader]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.served.port)
        writer.write(f"GET /api/mq/events HTTP/1.1\r\nHost: {host or self.served.site}\r\nSec-Fetch-Site: same-origin\r\n\r\n".encode())
        assert await event(reader) == ("connected", {})
        yield reader
        writer.close()


async def event(reader: asyncio.StreamReader) -> tuple[str, Any]:
    """The next event of a stream."""
    kind = ""
    async with asyncio.timeout(10):
        while line := (await reader.readline()).decode().strip("\r\n"):
            kind = line.removeprefix("event: ") if line.startswith("event: ") else kind
            if line.startswith("data: "):
                return kind, json.loads(line.removeprefix("data: "))
        return await event(reader)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def two(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[Side, Side]]:
    async with AsyncExitStack() as stack:
        sides = []
        for name in ("ann", "bob"):
            up = await stack.enter_async_context(served(tmp_path_factory.mktemp(name)))
            network = await stack.enter_async_context(join(up.peer, 0, listen_on=LOOPBACK, near_by=False))
            up.web.remote.attach(network)
            stack.callback(up.web.remote.detach)
            sides.append(Side(up, network))
        await connect(sides[0].network.host, sides[1].network.host)
        yield sides[0], sides[1]


async def test_a_message_comes_to_pages_of_both_sites_and_its_sender_learns_that_it_was_shown(two: tuple[Side, Side]) -> None:
    ann, bob = two
    async with bob.hears() as own, bob.hears(bob.visited(ann)) as visiting, ann.hears() as sender:
        sent = (await ann.post("send", peer_id=bob.id, topic="realtime:invite", payload=INVITE, msg_id="m1")).json
        assert sent == {"msg_id": "m1", "status": "delivered"}
        message = {"type": "msg", "id": "m1", "seq": 0, "topic": "realtime:invite", "payload": INVITE}
        for reader in (own, visiting):
            assert await event(reader) == ("message", {"type": "message", "msg": message, "from": ann.id})
        assert (await bob.post("ack", bob.visited(ann), msg_id="m1", from_peer_id=ann.id)).json == {"status": "ok"}
        assert await event(sender) == ("message", {"type": "delivered", "msg_id": "m1"})


async def test_a_visited_page_hears_only_its_host_and_narrow_topics(two: tuple[Side, Side]) -> None:
    ann, bob = two
    elsewhere = f"{host_label(STRANGER)}.localhost:{bob.served.port}"
    async with bob.hears(bob.visited(ann)) as visiting, bob.hears(elsewhere) as other, bob.hears() as own:
        for topic in ("game.move", "realtime:rt-1"):
            assert (await ann.post("send", peer_id=bob.id, topic=topic, payload=1)).status == 200
        assert [(await event(own))[1]["msg"]["topic"] for _ in range(2)] == ["game.move", "realtime:rt-1"]
        assert (await event(visiting))[1]["msg"]["topic"] == "realtime:rt-1"
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await other.readuntil(b"event: message")


@pytest.mark.parametrize("topic", ["chat", "chat.broadcast", "mq.ack", "identity", "identity.response", "group.invite", "group:x:msg"])
async def test_nobody_sends_under_the_topics_of_the_program(two: tuple[Side, Side], topic: str) -> None:
    ann, bob = two
    answer = await ann.post("send", peer_id=bob.id, topic=topic, payload={})
    assert (answer.status, answer.json["code"]) == (403, "forbidden")


async def test_a_visited_page_writes_to_its_host_alone_and_under_narrow_topics(two: tuple[Side, Side]) -> None:
    ann, bob = two
    page = ann.visited(bob)
    assert (await ann.post("send", page, peer_id=bob.id, topic="realtime:rt-1", payload={})).status == 200
    for to, topic in ((STRANGER, "realtime:x"), (bob.id, "game"), (bob.id, "chat"), (ann.id, "realtime:x")):
        assert (await ann.post("send", page, peer_id=to, topic=topic, payload={})).status == 403
    assert (await ann.post("ack", page, msg_id="x", from_peer_id=STRANGER)).status == 403


async def test_what_cannot_be_sent_is_said(two: tuple[Side, Side]) -> None:
    ann, bob = two
    assert (await ann.post("send", peer_id=STRANGER, topic="realtime:x", payload={})).status == 504
    assert (await ann.post("send", peer_id=bob.id, topic="", payload={})).status == 400
    assert (await ann.post("send", peer_id=bob.id, topic="x" * 300)).status == 400
    assert (await ann.post("send", peer_id=bob.id, topic="x", msg_id="x" * 200)).status == 400
    assert (await ann.post("send", peer_id=bob.id)).status == 400
    assert (await ann.served.ask("/api/mq/send")).status == 405


async def test_a_visitor_without_a_peer_gets_nothing_of_messages(two: tuple[Side, Side]) -> None:
    ann, bob = two
    for path in ("send", "ack"):
        assert (
            await ann.post(path, ann.served.visitor("eve"), peer_id=bob.id, topic="realtime:x", msg_id="", from_peer_id="")
        ).status == 403
    assert (await ann.served.ask("/api/mq/events", host=ann.served.visitor("eve"))).status == 403
