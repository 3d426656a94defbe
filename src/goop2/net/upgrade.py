"""Turn raw bytes into a connection: multistream-select, Noise, multistream-select, Yamux, within HANDSHAKE_SECONDS.

It is the same for connections that are dialled and accepted, over a socket and through a relay.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from goop2.folder.identity import Identity
from goop2.net import negotiation
from goop2.net.admission import Admission
from goop2.net.connection import Connection
from goop2.net.connections import ConnectionTable
from goop2.net.limits import HANDSHAKE_SECONDS, READ_MAX_BYTES
from goop2.net.muxer import Carrier, MuxedStream, Muxer
from goop2.net.noise_handshake import PROTOCOL as NOISE
from goop2.net.noise_handshake import HandshakeKeys, SecureHandshake
from goop2.net.notification import Notification
from goop2.net.packets import Packets
from goop2.net.transport import Transport
from goop2.protocols.errors import RemoteProtocolError

YAMUX: Final = "/yamux/1.0.0"
AHEAD_MAX_BYTES: Final = 256 * 1024
"""What the other side may send before we have agreed on everything: a first window, which it may use at once behind its last word."""


@dataclass(frozen=True, slots=True)
class Upgrade:
    """What is known of a connection before its handshake."""

    opened_by_us: bool
    expected: str = ""
    """The peer it must be, "" for any."""
    remote: str = ""
    origin: str = ""
    is_relayed: bool = False
    from_listening_port: bool = True


class Upgrader:
    """Makes the connections of a host. `accept` gets each stream that the other sides open."""

    def __init__(
        self, identity: Identity, admission: Admission, accept: Callable[[MuxedStream], object], connections: ConnectionTable
    ) -> None:
        self._keys = HandshakeKeys(identity)
        self._admission = admission
        self._accept = accept
        self._connections = connections

    async def upgrade(self, transport: Transport, about: Upgrade) -> Connection:
        """Return a connection over this transport. The transport is ended when that fails, and when the connection ends.

        Raises `RemoteProtocolError`, `OtherPeerError` and `SimultaneousOpenError` among them, `AdmissionError`, `EOFError` and
        `TimeoutError`.
        """
        pipe = Pipe(transport)
        try:
            transport.attach(pipe)
            async with asyncio.timeout(HANDSHAKE_SECONDS):
                await self._agree(pipe, NOISE, about)
                peer, packets = await self._secure(pipe, about)
                pipe.encrypt(packets)
                # The muxer is agreed on inside the encryption, so that nobody on the way can change the choice.
                await self._agree(pipe, YAMUX, about)
            return self._connection(transport, pipe, peer, packets, about)
        except BaseException:
            transport.end()
            raise

    async def _agree(self, pipe: Pipe, protocol: str, about: Upgrade) -> None:
        if not about.opened_by_us:
            _protocol, unsent = await negotiation.accept(pipe, (protocol,))
            await pipe.write(unsent)
        elif await negotiation.choose(pipe, (protocol,)) is None:
            raise RemoteProtocolError(f"the other side does not speak {protocol}")

    async def _secure(self, pipe: Pipe, about: Upgrade) -> tuple[str, Packets]:
        handshake = SecureHandshake(self._keys, is_initiator=about.opened_by_us, expected=about.expected)
        await pipe.write(handshake.begin())
        while not handshake.is_done:
            await pipe.write(handshake.receive(await pipe.read(READ_MAX_BYTES)))
        return handshake.peer, handshake.packets()

    def _connection(self, transport: Transport, pipe: Pipe, peer: str, packets: Packets, about: Upgrade) -> Connection:
        if pipe.is_lost:
            raise EOFError
        if about.opened_by_us:
            self._connections.make_room()

        def muxer_over(carrier: Carrier) -> Muxer:
            return Muxer(
                peer,
                carrier,
                self._admission,
                opened_by_us=about.opened_by_us,
                origin=about.origin,
                accept=self._accept,
                ended=lambda: self._end(connection),
            )

        secured = _Secured(transport, packets, pipe.outgoing(), muxer_over)
        muxer = secured.muxer
        connection = Connection(muxer, remote=about.remote, is_relayed=about.is_relayed, from_listening_port=about.from_listening_port)
        # Before the connection is announced: whoever is told of it may open a stream at once.
        transport.attach(secured)
        self._connections.add(connection)
        # The other side may have opened streams right behind its last message of the handshake; these bytes are here already.
        muxer.receive(pipe.rest())
        transport.wake()
        return connection

    def _end(self, connection: Connection) -> None:
        connection.closed.set()
        connection.identify_done.set()
        self._connections.remove(connection)


class Pipe:
    """A transport on which protocols can be agreed on, plain at first and then encrypted."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._buffer = bytearray()
        self._outgoing = b""
        self._packets: Packets | None = None
        self._changed = Notification()
        self._failure: RemoteProtocolError | None = None
        self.is_lost = False

    @property
    def waiting(self) -> bytearray:
        """Return the bytes that have come and are not read yet; do not change them."""
        return self._buffer

    async def read(self, size: int) -> bytes:
        """Return the next bytes, at most so many. Raises `EOFError` when no more come."""
        while not self._buffer:
            if self._failure is not None:
                raise self._failure
            if self.is_lost:
                raise EOFError("the other side ended the connection during the handshake")
            await self._changed.wait()
        return self._take(size)

    async def write(self, data: bytes) -> None:
        """Send this soon; a peer that reads nothing gets no more than the handshake's messages."""
        if data:
            self._outgoing += self._packets.send(data) if self._packets else data
            self._transport.wake()

    def encrypt(self, packets: Packets) -> None:
        """Encrypt what is written from now on, and decrypt what comes."""
        # Bytes behind the last handshake message are encrypted already, though they came with plain ones.
        ahead = self._take(len(self._buffer))
        self._packets = packets
        self.receive(ahead)

    def rest(self) -> bytes:
        """Return the received bytes that nobody has read here; they are handed over once."""
        return self._take(len(self._buffer))

    def receive(self, data: bytes) -> None:
        """Take what came (as `Receiver.receive`)."""
        try:
            for content in (data,) if self._packets is None else self._packets.receive(data):
                self._buffer += content
            if len(self._buffer) > AHEAD_MAX_BYTES:
                raise RemoteProtocolError(f"more than {AHEAD_MAX_BYTES} bytes before the end of the handshake")
        except RemoteProtocolError as error:
            self._failure = error
            raise
        self._changed.notify()

    def outgoing(self) -> bytes:
        """Return all the bytes to send now, and take them (as `Receiver.outgoing`)."""
        batch, self._outgoing = self._outgoing, b""
        return batch

    def sent(self) -> None:
        """Do nothing: nothing here waits for it (as `Receiver.sent`)."""

    def lost(self) -> None:
        """Note that nothing comes any more (as `Receiver.lost`)."""
        self.is_lost = True
        self._changed.notify()

    def _take(self, size: int) -> bytes:
        piece = bytes(self._buffer[:size])
        del self._buffer[:size]
        return piece


class _Secured:
    """Between a transport and a muxer: encrypts outgoing bytes, decrypts incoming ones."""

    def __init__(self, transport: Transport, packets: Packets, first: bytes, muxer_over: Callable[[Carrier], Muxer]) -> None:
        self._packets = packets
        self._first = first
        """What the handshake had still to say, as it goes over the wire."""
        self.wake = transport.wake
        self.finish = transport.finish
        self.end = transport.end
        self.muxer = muxer_over(self)

    def receive(self, data: bytes) -> None:
        """Take what came (as `Receiver.receive`)."""
        receive = self.muxer.receive
        for content in self._packets.receive(data):
            receive(content)

    def outgoing(self) -> bytes:
        """Return all the bytes to send now, and take them (as `Receiver.outgoing`)."""
        batch = self.muxer.outgoing()
        encrypted = self._packets.send(batch) if batch else b""
        if self._first:  # once
            encrypted, self._first = self._first + encrypted, b""
        return encrypted

    def sent(self) -> None:
        """The last of them is with the system (as `Receiver.sent`)."""
        self.muxer.sent()

    def lost(self) -> None:
        """The transport has ended (as `Receiver.lost`)."""
        self.muxer.lost()
