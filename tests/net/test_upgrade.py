"""Bad words at every step of a connection's beginning: each ends in time, costs a bounded amount, is logged once and disturbs nobody."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import structlog
from structlog.testing import capture_logs
from tests.net.hosts import LOOPBACK, asked, connect, echo, loopback_host, new_identity, until

from goop2.net import frames
from goop2.net.address import PeerAddress
from goop2.net.faults import UnreachableError
from goop2.net.host import Host
from goop2.net.negotiation import message, proposal
from goop2.net.noise import Cipher
from goop2.net.noise_handshake import MESSAGE_MAX_BYTES, HandshakeKeys, SecureHandshake
from goop2.net.packets import Packets
from goop2.net.transport import Receiver
from goop2.net.upgrade import AHEAD_MAX_BYTES, YAMUX, Pipe
from goop2.protocols.errors import RemoteProtocolError
from goop2.protocols.protobuf import content

SHORT_SECONDS = 1.5
"""In the place of HANDSHAKE_SECONDS; every step before must be made within it, on a busy machine too."""


class Raw:
    """Somebody who says what he likes, on a TCP connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.packets: Packets

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def noise(self, *, is_initiator: bool = True, keys: HandshakeKeys | None = None) -> str:
        """A whole handshake; the id on the other side."""
        handshake = SecureHandshake(keys or HandshakeKeys(new_identity()), is_initiator=is_initiator)
        await self.send(handshake.begin())
        while not handshake.is_done:
            await self.send(handshake.receive(await self.some()))
        self.packets = handshake.packets()
        return handshake.peer

    async def some(self) -> bytes:
        data = await self.reader.read(65536)
        assert data, "it was closed"
        return data

    async def exactly(self, data: bytes) -> None:
        assert await self.reader.readexactly(len(data)) == data

    async def is_closed(self) -> bool:
        """Whether it is, within some seconds."""
        async with asyncio.timeout(5):
            try:
                while await self.reader.read(65536):
                    pass
            except ConnectionError:
                pass
        return True


async def agree_on_noise(raw: Raw) -> None:
    await raw.send(proposal("/noise"))
    await raw.exactly(proposal("/noise"))


async def secure(raw: Raw) -> None:
    await agree_on_noise(raw)
    await raw.noise()


async def agree_on_yamux(raw: Raw) -> None:
    await secure(raw)
    await raw.send(raw.packets.send(proposal(YAMUX)))


STEPS: dict[str, Callable[[Raw], Awaitable[None]]] = {
    "nothing": lambda raw: raw.send(b""),
    "agreement": lambda raw: raw.send(proposal("/noise")[:5]),
    "half of a first message": lambda raw: _then(agree_on_noise, raw, b"\x00\x20" + bytes(10)),
    "half of the encryption": lambda raw: _then(agree_on_noise, raw, b"\x00\x20" + bytes(range(1, 33))),
    "half of the agreement on a muxer": lambda raw: _then_sealed(secure, raw, proposal(YAMUX)[:5]),
}


async def _then(step: Callable[[Raw], Awaitable[None]], raw: Raw, data: bytes) -> None:
    await step(raw)
    await raw.send(data)


async def _then_sealed(step: Callable[[Raw], Awaitable[None]], raw: Raw, data: bytes) -> None:
    await step(raw)
    await raw.send(raw.packets.send(data))


@pytest.fixture
async def callee() -> AsyncIterator[Host]:
    async with loopback_host() as opened:
        await opened.serve("/test/echo", echo)
        yield opened


async def dialled(callee: Host) -> Raw:
    return Raw(*await asyncio.open_connection(LOOPBACK, callee.port))


async def others_are_served(callee: Host) -> None:
    async with loopback_host() as honest:
        await connect(honest, callee)
        assert await asked(honest, callee, b"hello") == b"hello"


@pytest.mark.parametrize("step", STEPS)
async def test_who_stops_at_a_step_is_sent_away_in_time_and_logged_once(callee: Host, step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("goop2.net.upgrade.HANDSHAKE_SECONDS", SHORT_SECONDS)
    _log_again(callee)
    with capture_logs() as logs:
        raw = await dialled(callee)
        await STEPS[step](raw)
        assert await raw.is_closed()
        await until(lambda: len(callee.admission._connections) == 0)
        raw.writer.close()
    assert len(logs) == 1
    assert logs[0]["why"] == "a connection from 127.0.0.1: TimeoutError"
    assert callee.peers() == ()
    await others_are_served(callee)


DRIPS: dict[str, Callable[[Raw], bytes]] = {
    "nothing": lambda raw: proposal("/noise"),
    "agreement": lambda raw: proposal("/noise")[5:],
    "half of a first message": lambda raw: bytes(range(1, 22)),
    "half of the encryption": lambda raw: b"\x00\x80" + bytes(100),
    "half of the agreement on a muxer": lambda raw: b"".join(raw.packets.send(bytes([byte])) for byte in proposal(YAMUX)[5:]),
}
"""What would come next at each step, and comes a byte at a time: it never comes to an end in time."""


@pytest.mark.parametrize("step", STEPS)
async def test_who_says_a_byte_at_a_time_has_no_more_time_than_who_says_nothing(
    callee: Host, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("goop2.net.upgrade.HANDSHAKE_SECONDS", SHORT_SECONDS)
    _log_again(callee)
    with capture_logs() as logs:
        raw = await dialled(callee)
        await STEPS[step](raw)
        dripping = asyncio.create_task(_drip(raw, DRIPS[step](raw)))
        assert await raw.is_closed()
        await until(lambda: len(callee.admission._connections) == 0)
        dripping.cancel()
        await asyncio.gather(dripping, return_exceptions=True)
        raw.writer.close()
    assert [log["why"] for log in logs] == ["a connection from 127.0.0.1: TimeoutError"]
    await others_are_served(callee)


async def _drip(raw: Raw, data: bytes) -> None:
    for byte in data:
        await asyncio.sleep(SHORT_SECONDS / 8)  # the drip that is tried
        await raw.send(bytes([byte]))


@pytest.mark.parametrize("step", STEPS)
async def test_who_ends_its_side_at_a_step_is_let_go_at_once_and_logged_once(callee: Host, step: str) -> None:
    _log_again(callee)
    with capture_logs() as logs:
        raw = await dialled(callee)
        await STEPS[step](raw)
        raw.writer.write_eof()
        assert await raw.is_closed()
        await until(lambda: len(callee.admission._connections) == 0)
        raw.writer.close()
    assert [log["why"] for log in logs] == ["a connection from 127.0.0.1: the other side ended the connection during the handshake"]
    await others_are_served(callee)


def _log_again(_callee: Host) -> None:
    """Loggers of modules are made before the capture, and hold the processors of that time unless they are not cached."""
    structlog.configure(cache_logger_on_first_use=False)


BAD: dict[str, tuple[Callable[[Raw], Awaitable[None]], str]] = {
    "HTTP": (lambda raw: raw.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"), "instead of"),
    "a name without end": (lambda raw: raw.send(message("/multistream/1.0.0") + b"\xff\x7f" + bytes(100)), "a protocol's name of"),
    "another security": (lambda raw: raw.send(proposal("/tls/1.0.0") + message("/tls/1.0.1") * 15), "protocols asked for"),
    "an oversized first message": (
        lambda raw: _then(agree_on_noise, raw, (MESSAGE_MAX_BYTES + 1).to_bytes(2)),
        "has 8193 bytes; the most is 8192",
    ),
    "a first message that is too short": (lambda raw: _then(agree_on_noise, raw, b"\x00\x05hello"), "too few"),
    "a key of low order": (lambda raw: _then(agree_on_noise, raw, b"\x00\x20" + bytes(32)), "not one that can be used"),
    "a third message that is garbage": (lambda raw: _garbage_third(raw), "cannot be decrypted"),
    "a replayed third message": (lambda raw: _replayed(raw), "cannot be decrypted"),
    "a signature of another key": (lambda raw: _forged(raw), "signature in a handshake is not of its key"),
    "garbage behind the handshake": (lambda raw: _then(secure, raw, b"\x00\x20" + bytes(32)), "cannot be decrypted"),
    "another muxer": (lambda raw: _then_sealed(secure, raw, proposal("/mplex/6.7.0") + message("/mplex") * 15), "protocols asked for"),
}


async def _garbage_third(raw: Raw) -> None:
    await agree_on_noise(raw)
    await raw.send(SecureHandshake(HandshakeKeys(new_identity()), is_initiator=True).begin())
    await raw.some()
    await raw.send(b"\x00\x80" + bytes(128))


_RECORDED: list[bytes] = []
_KEYS = HandshakeKeys(new_identity())


async def _replayed(raw: Raw) -> None:
    """The bytes of a handshake that succeeded before, again."""
    await agree_on_noise(raw)
    if not _RECORDED:
        handshake = SecureHandshake(_KEYS, is_initiator=True)
        other = SecureHandshake(HandshakeKeys(new_identity()), is_initiator=False)
        _RECORDED.append(handshake.begin())
        _RECORDED.append(handshake.receive(other.receive(_RECORDED[0])))
    for each in _RECORDED:
        await raw.send(each)
        await asyncio.sleep(0.02)  # so that each arrives as a packet of its own


async def _forged(raw: Raw) -> None:
    keys = HandshakeKeys(new_identity())
    keys.payload = content(1, keys.payload[2:38]) + content(2, bytes(64))
    await agree_on_noise(raw)
    await raw.noise(keys=keys)


@pytest.mark.parametrize("what", BAD)
async def test_bad_words_end_the_connection_at_once_in_one_line_and_disturb_nobody(callee: Host, what: str) -> None:
    _log_again(callee)
    act, why = BAD[what]
    with capture_logs() as logs:
        raw = await dialled(callee)
        await act(raw)
        assert await raw.is_closed()
        raw.writer.close()
        await until(lambda: len(callee.admission._connections) == 0)
    assert len(logs) == 1, logs
    assert why in logs[0]["why"]
    assert callee.peers() == ()
    assert callee.admission.memory.held == 0
    await others_are_served(callee)


async def test_a_whole_handshake_by_hand_is_let_in(callee: Host) -> None:
    """So that it is the words above that are refused, and not the hand that says them."""
    raw = await dialled(callee)
    await agree_on_yamux(raw)
    await until(lambda: len(callee.peers()) == 1)
    await raw.send(raw.packets.send(frames.write(frames.GO_AWAY, 0, 0)))
    await until(lambda: callee.peers() == ())
    raw.writer.close()


@pytest.mark.parametrize(
    "says", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", proposal("/noise"), proposal("/noise") + b"\x20\x01" + bytes(100)]
)
async def test_a_dial_to_whoever_stops_or_lies_is_given_up_in_time(says: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("goop2.net.upgrade.HANDSHAKE_SECONDS", SHORT_SECONDS)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(says)
        await reader.read()
        writer.close()

    wanted = new_identity().peer_id
    async with loopback_host() as caller, await asyncio.start_server(answer, LOOPBACK, 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with asyncio.timeout(5):
            with pytest.raises(UnreachableError):
                await caller.connect(wanted, [PeerAddress(wanted, f"/ip4/{LOOPBACK}/tcp/{port}")])
        assert caller.peers() == ()


WANTED = new_identity()
Answering = Callable[[Raw], Awaitable[None]]


async def _agrees(raw: Raw) -> None:
    await raw.exactly(proposal("/noise"))
    await raw.send(proposal("/noise"))


async def _answers(raw: Raw, keys: HandshakeKeys, cut: slice, then: bytes = b"") -> None:
    """The second message, or a piece of it."""
    await _agrees(raw)
    handshake = SecureHandshake(keys, is_initiator=False)
    await raw.send(handshake.receive(await raw.some())[cut] + then)


async def _encrypts(raw: Raw, says: bytes) -> None:
    """A whole handshake, and then this."""
    await _agrees(raw)
    await raw.noise(is_initiator=False, keys=HandshakeKeys(WANTED))
    await raw.send(raw.packets.send(says) if says else b"\x00\x20" + bytes(32))


def _signed_by_another() -> HandshakeKeys:
    keys = HandshakeKeys(WANTED)
    keys.payload = content(1, keys.payload[2:38]) + content(2, bytes(64))
    return keys


LIARS: dict[str, tuple[Answering, str]] = {
    "half of the second message": (lambda raw: _answers(raw, HandshakeKeys(WANTED), slice(50)), "TimeoutError"),
    "a second message of garbage": (
        lambda raw: _answers(raw, HandshakeKeys(WANTED), slice(0), b"\x00\x80" + bytes(range(128))),
        "decrypted",
    ),
    "a second message too long": (lambda raw: _answers(raw, HandshakeKeys(WANTED), slice(0), b"\xff\xff"), "the most is 8192"),
    "a wrong signature": (lambda raw: _answers(raw, _signed_by_another(), slice(None)), "signature in a handshake is not of its key"),
    "garbage behind the handshake": (lambda raw: _encrypts(raw, b""), "cannot be decrypted"),
    "no muxer": (lambda raw: _encrypts(raw, proposal("/multistream/1.0.0")[:20] + message("na")), "does not speak /yamux/1.0.0"),
    "half of the agreement on a muxer": (lambda raw: _encrypts(raw, proposal(YAMUX)[:9]), "TimeoutError"),
}
"""What somebody does who was dialled, and why that is the end."""


@pytest.mark.parametrize("what", LIARS)
async def test_whatever_somebody_does_who_was_dialled_is_one_line_and_leaves_nothing(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("goop2.net.upgrade.HANDSHAKE_SECONDS", SHORT_SECONDS)
    act, why = LIARS[what]
    closed: list[bool] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        raw = Raw(reader, writer)
        await act(raw)
        closed.append(await raw.is_closed())
        writer.close()

    async with loopback_host() as caller, await asyncio.start_server(answer, LOOPBACK, 0) as server:
        _log_again(caller)
        port = server.sockets[0].getsockname()[1]
        with capture_logs() as logs:
            async with asyncio.timeout(5):
                with pytest.raises(UnreachableError):
                    await caller.connect(WANTED.peer_id, [PeerAddress(WANTED.peer_id, f"/ip4/{LOOPBACK}/tcp/{port}")])
            await until(lambda: closed == [True])
        told = [log for log in logs if log["event"] == "a dial failed"]
        assert len(told) == 1, logs
        assert why in told[0]["why"]
        assert caller.peers() == ()
        assert caller.admission.memory.held == 0


async def test_two_that_dial_each_other_at_the_same_moment_meet() -> None:
    """From listening port to listening port that is one connection, whose two ends both take themselves for the dialling one."""
    async with loopback_host() as one, loopback_host() as two:
        for host in (one, two):
            await host.serve("/test/echo", echo)
        for _ in range(10):
            await asyncio.gather(connect(one, two), connect(two, one))
            assert await asked(one, two, b"hello") == b"hello"
            assert await asked(two, one, b"hello") == b"hello"
            await one.disconnect(two.peer_id)
            await until(lambda: not (one.peers() or two.peers()))


async def test_a_simultaneous_open_is_seen_and_dialled_again_from_another_port(callee: Host) -> None:
    """The other end says what a dialling one says."""
    listening = socket.create_server((LOOPBACK, 0))
    listening.setblocking(False)
    loop = asyncio.get_running_loop()

    async def mirror() -> None:
        for _ in range(2):
            accepted, _address = await loop.sock_accept(listening)
            ports.append(_address[1])
            await loop.sock_sendall(accepted, proposal("/noise"))
            handshake = SecureHandshake(HandshakeKeys(new_identity()), is_initiator=True)
            await loop.sock_sendall(accepted, handshake.begin())
            held.append(accepted)

    ports: list[int] = []
    held: list[socket.socket] = []
    mirroring = asyncio.create_task(mirror())
    wanted = new_identity().peer_id
    with pytest.raises(UnreachableError):
        await callee.connect(wanted, [PeerAddress(wanted, f"/ip4/{LOOPBACK}/tcp/{listening.getsockname()[1]}")])
    await mirroring
    assert ports[0] == callee.port
    assert ports[1] != callee.port
    for each in (*held, listening):
        each.close()


class Silent:
    """A transport that carries nothing."""

    def attach(self, receiver: Receiver) -> None: ...

    def wake(self) -> None: ...

    def finish(self) -> bool:
        return False

    def end(self) -> None: ...


async def test_no_more_is_held_before_the_end_of_a_handshake_than_the_bound() -> None:
    pipe = Pipe(Silent())
    pipe.receive(bytes(AHEAD_MAX_BYTES))
    with pytest.raises(RemoteProtocolError, match=f"more than {AHEAD_MAX_BYTES} bytes before the end of the handshake"):
        pipe.receive(b"x")


async def test_who_reads_is_told_why_the_other_side_was_not_understood() -> None:
    pipe = Pipe(Silent())
    pipe.encrypt(Packets(Cipher(bytes(32)), Cipher(bytes(32))))
    reading = asyncio.create_task(pipe.read(10))
    await asyncio.sleep(0)
    with pytest.raises(RemoteProtocolError):
        pipe.receive(b"\x00\x14" + bytes(20))
    pipe.lost()
    with pytest.raises(RemoteProtocolError, match="cannot be decrypted"):
        await reading
