"""go-libp2p and this peer, both directions, over what network.md describes."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from tests.interop.peers import ask, build_go_peer, serving
from tests.p2p.hosts import connect, loopback_host, until
from tests.p2p.test_serving import Pair, pair

from goop2.p2p.address import parse
from goop2.p2p.calling import Calling
from goop2.p2p.discovery.opening import open_discovery
from goop2.p2p.guest import Guest, open_guest
from goop2.p2p.protocols.data import Success
from goop2.p2p.protocols.presence import Presence

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="session")
def go(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_go_peer(tmp_path_factory.mktemp("go"))


@pytest_asyncio.fixture
async def guest() -> AsyncIterator[Guest]:
    opened = open_guest()
    async with opened as running:
        yield running


@pytest_asyncio.fixture
async def served(guest: Guest, tmp_path: Path) -> AsyncIterator[Pair]:
    """This peer with a site and scripts; what it is asked comes from go."""
    opened = pair(guest, tmp_path)
    async with opened as running:
        yield running


async def test_we_read_a_go_peers_label(go: Path, guest: Guest) -> None:
    async with serving(go) as other, loopback_host(guest) as host:
        address = parse(other.address)
        await host.connect(address.peer, [address])
        assert await Calling(host).label(address.peer) == "Gopher"


async def test_we_read_a_go_peers_site(go: Path, guest: Guest) -> None:
    async with serving(go) as other, loopback_host(guest) as host:
        address = parse(other.address)
        await host.connect(address.peer, [address])
        async with Calling(host).file(address.peer, "/") as answer:
            assert (answer.mime, b"".join([piece async for piece in answer.pieces])) == ("text/html; charset=utf-8", b"<p>Go!")


async def test_we_call_a_go_peers_function_and_it_knows_who_we_are(go: Path, guest: Guest) -> None:
    async with serving(go) as other, loopback_host(guest) as host:
        address = parse(other.address)
        await host.connect(address.peer, [address])
        answer = await Calling(host).call(address.peer, "score", b'{"a":1}')
        assert isinstance(answer, Success)
        assert json.loads(answer.json) == {"you": host.peer_id, "asked": "score"}
        assert json.loads(await other.line()) == {"op": "lua-call", "function": "score", "params": {"a": 1}, "sender": host.peer_id}


async def test_a_go_peer_takes_our_message(go: Path, guest: Guest) -> None:
    async with serving(go) as other, loopback_host(guest) as host:
        address = parse(other.address)
        await host.connect(address.peer, [address])
        id_ = await Calling(host).chat(address.peer, "hi", 7)
        sent = {"type": "msg", "id": id_, "seq": 1, "topic": "chat", "payload": {"content": "hi", "timestamp": 7}, "sender": host.peer_id}
        assert json.loads(await other.line()) == sent


async def test_a_go_peer_reads_our_label(go: Path, served: Pair) -> None:
    assert await ask(go, "content", served.callee.addresses[0]) == "Alice\n"


async def test_a_go_peer_reads_our_site(go: Path, served: Pair) -> None:
    assert await ask(go, "site", served.callee.addresses[0], "GET /") == "OK text/html; charset=utf-8 14\n<h1>Alice</h1>"
    assert await ask(go, "site", served.callee.addresses[0], "GET /lua/hello.lua") == "ERR not found\n"


async def test_a_go_peer_calls_our_function(go: Path, served: Pair) -> None:
    answer = json.loads(await ask(go, "data", served.callee.addresses[0], '{"op":"lua-call","function":"whoami","params":{"a":1}}'))
    assert answer["ok"] is True
    assert answer["data"]["id"].startswith("12D3Koo")
    assert answer["data"]["params"] == {"a": 1}


async def test_a_go_peers_command_is_acknowledged_and_answered_by_a_message_back(go: Path, served: Pair) -> None:
    message = '{"type":"msg","id":"8b4c","seq":3,"topic":"chat","payload":{"content":"!hello Gopher"}}'
    ack, reply = (await ask(go, "mq", served.callee.addresses[0], message)).splitlines()
    assert json.loads(ack) == {"type": "ack", "id": "8b4c", "seq": 3}
    assert json.loads(reply)["payload"]["content"].startswith("Hello Gopher from 12D3Koo")
    assert [received.id for received in served.received] == ["8b4c"]


async def test_both_sides_let_go_when_they_are_done(go: Path, served: Pair) -> None:
    await ask(go, "content", served.callee.addresses[0])
    await until(lambda: len(served.callee.peers()) == 1)
    await connect(served.caller, served.callee)


async def test_a_go_peers_signs_are_believed_and_ours_and_our_goodbye_reach_it(go: Path, guest: Guest, tmp_path: Path) -> None:
    async with loopback_host(guest) as host:
        async with open_discovery(guest, host, tmp_path, lambda: Presence("online", "", "Alice"), near_by=False) as discovery:
            going = asyncio.create_task(ask(go, "presence", host.addresses[0], "6"))
            await until(lambda: any(peer.label == "Gopher" for peer in discovery.roster.peers()))
            found, addresses = discovery.roster.peers()[0], list(host.addresses)
            assert (found.proved, len(found.addresses)) == (True, 1)
            for _ in range(5):
                discovery.changed()
                await asyncio.sleep(0.3)
        heard = [json.loads(line) for line in (await going).splitlines()]
    assert {each["author"] for each in heard} == {host.peer_id}
    said = [each["said"] for each in heard]
    assert {each["peerId"] for each in said} == {host.peer_id}
    assert {each["content"] for each in said} == {"Alice"}
    assert said[-1]["type"] == "offline"
    assert said[0]["addrs"] == addresses


NETWORK = """set -e
ip link set lo up
ip link add v0 type veth peer name v1
ip addr add 10.9.9.1/24 dev v0
ip link set v0 up
ip link set v1 up
ip route add 224.0.0.0/4 dev v0
exec "$@"
"""


def test_go_libp2ps_own_mdns_service_and_ours_find_each_other(go: Path) -> None:
    if subprocess.run(["unshare", "-n", "sh", "-c", NETWORK, "sh", "true"], capture_output=True, check=False).returncode:
        pytest.skip("go-libp2p interop by mDNS: no network of its own can be made here")
    arguments = ["unshare", "-n", "sh", "-c", NETWORK, "sh", sys.executable, "-m", "tests.interop.near_by", str(go)]
    ended = subprocess.run(arguments, capture_output=True, text=True, timeout=60, check=False, cwd=ROOT)
    assert ended.returncode == 0, ended.stderr
    seen = json.loads(ended.stdout)
    assert seen["we_found"] == [parse(seen["go"]).peer]
    assert {parse(address).peer for address in seen["go_found"]} == {seen["ours"]}
    assert {parse(address).transport.split("/")[2] for address in seen["go_found"]} == {"10.9.9.1"}
