"""The host: who may connect and how, exchanges, failures. What a stranger cannot take is test_host_limits.py."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.net.hosts import LOOPBACK, asked, connect, echo, loopback_host, new_identity, read_all, two_hosts, until

from goop2.net import dialling
from goop2.net.address import PeerAddress, parse
from goop2.net.connection import Connection
from goop2.net.faults import AddressError, PortInUseError, ProtocolNotSupportedError, StreamBrokenError, UnreachableError
from goop2.net.host import Host
from goop2.net.limits import MEGABYTE_BYTES, HostLimits
from goop2.net.negotiation import message, proposal
from goop2.net.stream import Stream

ECHO = "/test/echo"


async def never(stream: Stream) -> None:
    """Reads nothing and answers nothing."""
    await asyncio.sleep(60)  # until it is cancelled


# Exchanges.


async def test_an_exchange_there_and_back() -> None:
    async with two_hosts() as (caller, callee):
        await callee.serve(ECHO, echo)
        assert await asked(caller, callee, b"hello") == b"hello"


async def test_both_sides_know_who_the_other_is_and_ids_are_identity_keys() -> None:
    async with two_hosts() as (caller, callee):
        callers: list[str] = []

        async def handler(stream: Stream) -> None:
            callers.append(stream.peer)
            await stream.finish()

        await callee.serve(ECHO, handler)
        await asked(caller, callee, b"")
        assert callers == [caller.peer_id]
        assert [peer.peer for peer in caller.peers()] == [callee.peer_id]
        assert caller.peers()[0].address == f"{LOOPBACK}:{callee.port}"


async def test_a_megabyte_and_more_arrives_whole() -> None:
    data = bytes(range(256)) * 4096 * 5
    async with two_hosts() as (caller, callee):

        async def handler(stream: Stream) -> None:
            await stream.finish(data)

        await callee.serve(ECHO, handler)
        assert await asked(caller, callee, b"") == data


async def test_the_first_protocol_the_peer_speaks_is_taken() -> None:
    async with two_hosts() as (caller, callee):
        await callee.serve(ECHO, echo)
        async with await caller.open(callee.peer_id, "/test/newer", ECHO) as stream:
            assert stream.protocol == ECHO


async def test_a_protocol_the_peer_does_not_speak_is_said() -> None:
    async with two_hosts() as (caller, callee):
        with pytest.raises(ProtocolNotSupportedError, match=f"{callee.peer_id} does not speak /test/none"):
            await caller.open(callee.peer_id, "/test/none")


async def test_a_handler_that_fails_resets_its_stream_and_nothing_else() -> None:
    async with two_hosts() as (caller, callee):

        async def handler(stream: Stream) -> None:
            raise ValueError("a bug")

        await callee.serve("/test/bug", handler)
        await callee.serve(ECHO, echo)
        # The reset may come with the answer that the protocol is spoken.
        with pytest.raises(StreamBrokenError):
            async with await caller.open(callee.peer_id, "/test/bug") as stream:
                await read_all(stream)
        assert await asked(caller, callee, b"still there") == b"still there"


async def test_a_block_that_fails_resets_the_stream_so_that_the_other_side_knows() -> None:
    ended: list[type[Exception]] = []

    async def handler(stream: Stream) -> None:
        try:
            await read_all(stream)
        except StreamBrokenError as broken:
            ended.append(type(broken))
            raise

    async def fail(caller: Host, callee: Host) -> None:
        async with await caller.open(callee.peer_id, ECHO) as stream:
            await stream.write(b"half a")
            raise ValueError

    async with two_hosts() as (caller, callee):
        await callee.serve(ECHO, handler)
        with pytest.raises(ValueError):  # noqa: PT011
            await fail(caller, callee)
        await until(lambda: ended == [StreamBrokenError])


async def test_cancelling_an_exchange_leaves_the_connection_alive() -> None:
    async with two_hosts() as (caller, callee):
        await callee.serve("/test/never", never)
        await callee.serve(ECHO, echo)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asked(caller, callee, b"", "/test/never"), 0.2)
        assert await asked(caller, callee, b"hello") == b"hello"


# Who may connect.


async def answers(callee: Host, *said: bytes) -> bytes:
    """What a host answers to somebody who says this on a connection, until it closes it or has nothing more to say."""
    reader, writer = await asyncio.open_connection(LOOPBACK, callee.port)
    answer = b""
    try:
        for each in said:
            writer.write(each)
            await asyncio.sleep(0.05)  # so that each arrives as a packet of its own
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.3):
                while piece := await reader.read(1000):
                    answer += piece
    finally:
        writer.close()
    return answer


@pytest.mark.parametrize("security", ["/plaintext/2.0.0", "/tls/1.0.0", "/secio/1.0.0"])
async def test_a_dial_with_another_security_or_none_is_refused(security: str) -> None:
    async with loopback_host() as callee:
        assert await answers(callee, proposal(security)) == message("/multistream/1.0.0") + message("na")
        assert callee.peers() == ()


async def test_a_dial_that_asks_for_noise_next_is_taken() -> None:
    async with loopback_host() as callee:
        assert (await answers(callee, proposal("/tls/1.0.0"), message("/noise"))).endswith(message("na") + message("/noise"))


async def test_a_host_that_only_knows_another_muxer_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    async with loopback_host() as caller, loopback_host() as callee:
        await _upgraded_with(monkeypatch, "/mplex/6.7.0", caller, callee)
        assert callee.peers() == caller.peers() == ()


async def _upgraded_with(monkeypatch: pytest.MonkeyPatch, muxer: str, caller: Host, callee: Host) -> None:
    """The caller asks for this muxer, and the callee for what it always does."""
    agree = caller._upgrader._agree

    async def other(pipe: Any, protocol: str, about: Any) -> None:
        await agree(pipe, muxer if protocol == "/yamux/1.0.0" else protocol, about)

    monkeypatch.setattr(caller._upgrader, "_agree", other)
    with pytest.raises(UnreachableError):
        await connect(caller, callee)


async def test_another_peer_at_the_address_is_not_taken_for_the_one_we_want() -> None:
    async with loopback_host() as caller, loopback_host() as other:
        wanted = new_identity().peer_id
        with pytest.raises(UnreachableError, match=f"{wanted} cannot be reached at /ip4/127.0.0.1/tcp/{other.port}"):
            await caller.connect(wanted, [PeerAddress(wanted, parse(other.addresses[0]).transport)])
        assert caller.peers() == ()


@pytest.mark.parametrize("says", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", None], ids=["nothing", "nonsense", "another id"])
async def test_a_dial_that_fails_leaves_no_socket(monkeypatch: pytest.MonkeyPatch, says: bytes | None) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(says or b"")
        await reader.read()
        writer.close()

    monkeypatch.setattr(dialling, "DIAL_SECONDS", 0.3)
    wanted = new_identity().peer_id
    async with loopback_host() as caller, loopback_host() as other, await asyncio.start_server(answer, LOOPBACK, 0) as server:
        port = other.port if says is None else server.sockets[0].getsockname()[1]
        before = sockets()
        # A socket that is left is closed by Python some time later; its warning fails this test too.
        for _ in range(3):
            with pytest.raises(UnreachableError):
                await caller.connect(wanted, [PeerAddress(wanted, f"/ip4/{LOOPBACK}/tcp/{port}")])
        await until(lambda: sockets() <= before)


def sockets() -> int:
    """How many are open in this process, both ends of a connection among them."""
    open_now = [str(each.readlink()) for each in Path("/proc/self/fd").iterdir() if each.is_symlink()]
    return sum(each.startswith("socket:") for each in open_now)


async def test_what_is_no_peer_id_is_refused_before_anything_is_dialled() -> None:
    async with loopback_host() as caller:
        with pytest.raises(AddressError):
            await caller.open("nobody", ECHO)


# Ports and reconnecting.


async def test_a_port_another_peer_has_is_not_shared() -> None:
    async with loopback_host() as first:
        with pytest.raises(PortInUseError, match=f"port {first.port} is taken or not allowed: set p2p.listen_port"):
            async with loopback_host(port=first.port):
                pass


async def test_a_port_is_had_again_at_once_when_its_last_program_had_visitors() -> None:
    with socket.create_server((LOOPBACK, 0)) as last:
        port = last.getsockname()[1]
        with socket.create_connection((LOOPBACK, port)) as visitor:
            # Whoever ends first keeps the connection for a minute, in the system.
            last.accept()[0].close()
            visitor.recv(1)
    async with loopback_host(port=port) as again:
        assert again.port == port


async def test_who_waits_for_a_dial_has_its_outcome(monkeypatch: pytest.MonkeyPatch) -> None:
    dials: list[Sequence[str]] = []
    may_end = asyncio.Event()

    async def run(_search: object, transports: Sequence[str]) -> None:
        dials.append(transports)
        await may_end.wait()

    monkeypatch.setattr(dialling.Dialling, "run", run)
    nobody = new_identity().peer_id
    somewhere, elsewhere = (PeerAddress(nobody, f"/ip4/192.0.2.{number}/tcp/1") for number in (1, 2))
    async with loopback_host() as caller:
        same = [asyncio.create_task(caller.connect(nobody, [somewhere])) for _ in range(5)]
        await until(lambda: len(dials) == 1)
        more = asyncio.create_task(caller.connect(nobody, [elsewhere]))
        await asyncio.sleep(0)
        may_end.set()
        outcomes = await asyncio.gather(*same, more, return_exceptions=True)
    assert all(isinstance(each, UnreachableError) for each in outcomes)
    assert dials == [(somewhere.transport,), (elsewhere.transport, somewhere.transport)]


async def test_a_peer_that_comes_back_is_reached_at_once_though_dials_failed() -> None:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port = probe.getsockname()[1]
    async with loopback_host() as caller, loopback_host() as callee:
        away = [PeerAddress(callee.peer_id, f"/ip4/{LOOPBACK}/tcp/{port}")]
        for _ in range(2):
            with pytest.raises(UnreachableError):
                await caller.connect(callee.peer_id, away)
        await connect(caller, callee)
        assert [peer.peer for peer in caller.peers()] == [callee.peer_id]


async def test_an_answer_that_came_whole_can_be_read_when_who_gave_it_is_gone() -> None:
    async with loopback_host() as caller:
        async with loopback_host() as callee:
            await callee.serve("/test/echo", echo)
            await connect(caller, callee)
            stream = await caller.open(callee.peer_id, "/test/echo")
            await stream.finish(b"last words")
            await until(lambda: stream.muxed.read_ended)
        await until(lambda: not caller.peers())
        async with stream:
            assert await read_all(stream) == b"last words"


async def test_a_closed_host_is_gone_from_the_others_peers_and_says_so() -> None:
    async with loopback_host() as caller:
        async with loopback_host() as callee:
            await callee.serve(ECHO, echo)
            await connect(caller, callee)
        await until(lambda: caller.peers() == ())
        with pytest.raises(UnreachableError):
            await caller.open(callee.peer_id, ECHO)


# Its end, and the process.


def test_nothing_of_the_network_is_loaded_before_a_host_is_opened() -> None:
    code = "import sys, goop2.app, goop2.net, goop2.protocols.mq; print(sorted({'goop2.net.host', 'zeroconf'} & set(sys.modules)))"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True)
    assert ended.stdout.strip() == "[]"


async def test_a_connection_we_end_is_ended_though_the_other_side_takes_no_notice() -> None:
    async with two_hosts() as (caller, callee):
        (connection,) = callee.connections()
        deaf = _socket_of(connection)
        asyncio.get_running_loop().remove_reader(deaf)
        await caller.disconnect(callee.peer_id)
        await until(lambda: _is_over(deaf.fileno()))


def _socket_of(connection: Connection) -> socket.socket:
    secured: Any = connection.muxer._carrier
    found: socket.socket = secured.end.__self__._socket
    return found


def _is_over(fd: int) -> bool:
    with socket.socket(fileno=os.dup(fd)) as copy:
        copy.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while copy.recv(65536):
                pass
            return True
    return False


async def _talk(stream: Stream) -> None:
    with contextlib.suppress(StreamBrokenError):
        while True:
            await stream.write(bytes(60_000))
            await asyncio.sleep(0)


async def _heard_of_who_closes(size: int) -> bytes:
    """An answer of so many bytes, by a host that closes as soon as it has handed it over, to one that talks to it all the while."""

    async def last_words(stream: Stream) -> None:
        await stream.finish(bytes(size))

    async def take(stream: Stream) -> None:
        while await stream.read():
            pass

    async with loopback_host() as caller:
        async with loopback_host(HostLimits(bytes_per_minute_and_peer=1000 * MEGABYTE_BYTES)) as callee:
            await callee.serve(ECHO, last_words)
            await callee.serve("/test/take", take)
            await connect(caller, callee)
            talks = asyncio.create_task(_talk(await caller.open(callee.peer_id, "/test/take")))
            stream = await caller.open(callee.peer_id, ECHO)
            heard = asyncio.create_task(read_all(stream))
            (connection,) = callee.connections()
            streams = connection.muxer.streams
            number = stream.muxed.stream_id
            await until(lambda: number in streams)
            await until(lambda: number not in streams or streams[number].write_ended)
        await talks
        return await heard


async def test_the_last_words_before_a_host_closes_are_heard_by_who_is_still_talking() -> None:
    """What nobody has read when a socket is closed makes the system take back what was sent last."""
    for _ in range(12):
        assert len(await _heard_of_who_closes(2 * MEGABYTE_BYTES)) == 2 * MEGABYTE_BYTES
