"""A host alone, its connections and streams, with go-libp2p and js-libp2p on the other side: who dials, who asks, and what each says of
itself."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from tests.interop.others import Other, OtherRefusedError, go_peer, js_peer, py_peer, running
from tests.net.hosts import LOOPBACK, loopback_host, new_identity, read_all, until

from goop2.net.address import PeerAddress, parse
from goop2.net.faults import ProtocolNotSupportedError, UnreachableError, WrongPeerError
from goop2.net.host import Host
from goop2.net.limits import MEGABYTE_BYTES
from goop2.net.ping import PING, ping
from goop2.net.stream import Stream
from goop2.protocols.identify import IDENTIFY, PUSH

pytestmark = pytest.mark.asyncio(loop_scope="module")

ECHO, GIVE, TAKE = "/test/echo", "/test/give", "/test/take"
LARGE = bytes(range(256)) * 4096 * 3
LONG_NAME = "/test/" + "x" * 200


async def echo(stream: Stream) -> None:
    """Gives back what comes, as it comes: the programs do not end their side."""
    while piece := await stream.read():
        await stream.write(piece)


async def take(stream: Stream) -> None:
    """Says how much it was, when it has had so much."""
    size = 0
    while size < len(LARGE) and (piece := await stream.read()):
        size += len(piece)
    await stream.finish(b"%d" % size)


async def give(stream: Stream) -> None:
    """Answers the first bytes by a large file."""
    await stream.read()
    await stream.finish(LARGE)


@pytest.fixture(scope="module", params=[go_peer, js_peer, py_peer], ids=["go-libp2p", "js-libp2p", "py-libp2p"])
def command(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    made: list[str] = request.param(tmp_path_factory.mktemp("other"))
    return made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def other(command: list[str]) -> AsyncIterator[Other]:
    async with running(command) as started:
        yield started


async def dial(host: Host, other: Other) -> None:
    """js-libp2p takes five connections a second of an address, and closes what comes beyond."""
    for _ in range(5):
        with contextlib.suppress(UnreachableError):
            return await host.connect(other.id, [parse(other.address)])
        await asyncio.sleep(1.1)  # its count of a second begins anew
    pytest.fail("it lets nobody in")


@pytest_asyncio.fixture(loop_scope="module", params=["we dial", "we are dialled"])
async def host(request: pytest.FixtureRequest, other: Other) -> AsyncIterator[Host]:
    async with loopback_host() as opened:
        await opened.serve(ECHO, echo)
        await opened.serve(LONG_NAME, echo)
        await opened.serve(GIVE, give)
        await opened.serve(TAKE, take)
        if request.param == "we dial":
            await dial(opened, other)
        else:
            await other.connect(opened.addresses[0])
        await until(lambda: bool(opened.connections()))
        yield opened


async def test_each_side_has_the_others_proved_id(host: Host, other: Other) -> None:
    assert [connection.peer for connection in host.connections()] == [other.id]


async def test_they_ask_us(host: Host, other: Other) -> None:
    assert await other.ask(host.peer_id, ECHO, b"hello", 5) == b"hello"
    assert await other.ask(host.peer_id, LONG_NAME, b"hello", 5) == b"hello"
    assert await other.ask(host.peer_id, GIVE, b"x") == LARGE
    assert await other.ask(host.peer_id, TAKE, LARGE) == b"%d" % len(LARGE)


async def test_we_ask_them(host: Host, other: Other) -> None:
    await other.answer(GIVE, LARGE)
    async with await host.open(other.id, GIVE) as stream:
        await stream.finish(b"give\n")
        assert await read_all(stream) == LARGE
    assert (await other.came(GIVE))[1] == b"give\n"


async def test_a_second_question_waits_for_no_agreement(host: Host, other: Other) -> None:
    await other.answer(GIVE, b"short")
    for _ in range(3):
        async with await host.open(other.id, GIVE) as stream:
            await stream.finish(b"give\n")
            assert await read_all(stream) == b"short"
    assert host.connections(other.id)[0].pool.speaks(GIVE)


async def test_what_one_does_not_speak_is_said_on_both_sides(host: Host, other: Other) -> None:
    with pytest.raises(ProtocolNotSupportedError):
        await host.open(other.id, "/test/none")
    with pytest.raises(OtherRefusedError):
        await other.ask(host.peer_id, "/test/none", b"hello")


async def test_they_say_what_they_are_and_where_they_see_us(host: Host, other: Other) -> None:
    (connection,) = host.connections(other.id)
    await asyncio.wait_for(connection.identify_done.wait(), 20)
    assert connection.identified is not None
    assert IDENTIFY in connection.identified.protocols
    assert any(address.startswith("/ip4/127.0.0.1/tcp/") for address in connection.identified.listens_at)
    assert host.observed_addresses() == (f"/ip4/{LOOPBACK}/tcp/{host.port}",)
    assert host.supports(other.id, IDENTIFY)
    assert host.supports(other.id, "/test/none") is False


async def test_what_changes_is_pushed_there(host: Host, other: Other) -> None:
    (connection,) = host.connections(other.id)
    await asyncio.wait_for(connection.identify_done.wait(), 20)
    if not host.supports(other.id, PUSH):
        pytest.skip("it wants no push")
    new = f"/test/{host.peer_id}"
    await other.answer(new, b"")
    await until(lambda: host.supports(other.id, new) is True)


async def test_a_ping_comes_back(host: Host, other: Other) -> None:
    await asyncio.wait_for(host.connections(other.id)[0].identify_done.wait(), 20)
    if host.supports(other.id, PING) is False:
        pytest.skip("this program answers no ping")
    assert 0 < await ping(host, host.connections(other.id)[0]) < 5


async def test_many_streams_at_once(host: Host, other: Other) -> None:
    content = bytes(MEGABYTE_BYTES)
    answers = await asyncio.gather(*(other.ask(host.peer_id, ECHO, content[: 50_000 + number], 50_000 + number) for number in range(20)))
    assert [len(answer) for answer in answers] == [50_000 + number for number in range(20)]


async def test_another_peer_than_the_one_wanted_is_said(other: Other) -> None:
    wanted = new_identity().peer_id
    async with loopback_host() as opened:
        with pytest.raises(WrongPeerError, match=other.id):
            await opened.connect(wanted, [PeerAddress(wanted, parse(other.address).transport)])


async def test_after_a_goodbye_they_can_be_dialled_again(host: Host, other: Other) -> None:
    await host.disconnect(other.id)
    assert host.connections() == ()
    await dial(host, other)
    await other.answer(GIVE, b"again")
    async with await host.open(other.id, GIVE) as stream:
        await stream.finish(b"give\n")
        assert await read_all(stream) == b"again"
