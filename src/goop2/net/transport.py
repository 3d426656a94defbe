"""Transports, which carry the raw bytes of a connection: a socket, or a stream of another connection (a circuit through a relay).

    SocketTransport   the loop watches the socket. Incoming bytes are read and handled in one callback, which wakes only the task that waits
                      for their content. What is written in one turn of the loop goes out in one packet
    StreamTransport   a stream to a relay that the relay joined with a stream of the peer; two tasks read and write it

A transport must not know encryption, frames or streams. It serves one receiver at a time: first the handshake, then the muxer.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable
from typing import Protocol

from goop2.net.limits import SOCKET_READ_BYTES
from goop2.net.stream import Stream


class Receiver(Protocol):
    """The receiver and the source of a transport's bytes."""

    def receive(self, data: bytes) -> None:
        """Handle received bytes. Any exception ends the connection."""

    def outgoing(self) -> bytes:
        """Return all bytes to send now, and remove them."""

    def sent(self) -> None:
        """Note that the last bytes of `outgoing` were passed to the system."""

    def lost(self) -> None:
        """Note that nothing comes and nothing can be sent any more; called once, also after `end`."""


class Transport(Protocol):
    """A connection's transport, from its first byte to its last."""

    def attach(self, receiver: Receiver) -> None:
        """Serve this receiver from now on, in place of another; the caller hands over bytes that came for that one."""

    def wake(self) -> None:
        """Send the collected bytes soon."""

    def finish(self) -> bool:
        """Announce that no more is sent; return whether the other side is told, and so will end the connection too."""

    def end(self) -> None:
        """Stop sending, and close the socket."""


class SocketTransport:
    """A transport over a connected socket, which it owns from now on; `socket` does not block."""

    def __init__(self, socket: socket.socket) -> None:
        socket.setblocking(False)
        self._socket = socket
        self._loop = asyncio.get_running_loop()
        self._receiver: Receiver | None = None
        self._unsent = memoryview(b"")
        self._due = self._waits = self._finished = self._ended = False
        """Whether it will send soon, or as soon as the system takes more; whether no more is sent; whether the socket is closed."""

    def attach(self, receiver: Receiver) -> None:
        """Serve this receiver from now on (as `Transport.attach`)."""
        first, self._receiver = self._receiver is None, receiver
        if self._ended:
            self._loop.call_soon(receiver.lost)
        elif first:
            self._loop.add_reader(self._socket, self._readable)

    def wake(self) -> None:
        """Send what has gathered (as `Transport.wake`)."""
        if not (self._due or self._waits or self._finished or self._ended):
            self._due = True
            # Not at once: frames that are posted later in this turn of the loop go out in the same packet.
            self._loop.call_soon(self._send)

    def finish(self) -> bool:
        """End this direction (as `Transport.finish`). Incoming bytes are still read: the system drops our last bytes when a socket is
        closed with unread ones.
        """
        if self._ended:
            return False
        self._finished = True
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)
        return True

    def end(self) -> None:
        """Close the socket (as `Transport.end`)."""
        if self._ended:
            return
        self._ended = True
        # Before the close: the loop would go on watching a number that the next socket may get.
        self._loop.remove_reader(self._socket)
        self._loop.remove_writer(self._socket)
        self._socket.close()
        # Told last: a receiver that tries to send from `lost` finds the transport ended.
        if self._receiver is not None:
            self._receiver.lost()

    def _readable(self) -> None:
        assert self._receiver is not None
        try:
            data = self._socket.recv(SOCKET_READ_BYTES)
            if not data:
                raise EOFError
            self._receiver.receive(data)
        except (BlockingIOError, InterruptedError):
            pass
        except Exception:
            # Whatever a stranger's bytes lead to (they need not even decrypt): the end of this connection, and of no other.
            self.end()

    def _send(self) -> None:
        self._due = False
        if self._ended or self._receiver is None:
            return
        try:
            while self._unsent or self._more(self._receiver):
                # A partly sent batch is finished before the next is encrypted, so what is on the wire keeps its order.
                self._unsent = self._unsent[self._socket.send(self._unsent) :]
                if not self._unsent:
                    self._receiver.sent()
        except BlockingIOError:
            self._wait(True)
        except OSError:
            self.end()
        else:
            if self._waits:
                self._wait(False)

    def _more(self, receiver: Receiver) -> bool:
        """Return whether there is more to send; a batch is encrypted when the last one was passed to the system."""
        batch = receiver.outgoing()
        self._unsent = memoryview(batch)
        return bool(batch)

    def _wait(self, until_there_is_room: bool) -> None:
        if until_there_is_room is not self._waits and not self._ended:
            self._waits = until_there_is_room
            if self._waits:
                self._loop.add_writer(self._socket, self._send)
            else:
                self._loop.remove_writer(self._socket)


class StreamTransport:
    """A transport over a stream, which it owns from now on. `early`: bytes already read that belong to the connection."""

    def __init__(self, stream: Stream, early: bytes = b"") -> None:
        self._stream = stream
        self._early = early
        self._receiver: Receiver | None = None
        self._to_send = asyncio.Event()
        self._tasks: tuple[asyncio.Task[None], ...] = ()
        self._ended = False

    def attach(self, receiver: Receiver) -> None:
        """Serve this receiver from now on (as `Transport.attach`)."""
        first, self._receiver = self._receiver is None, receiver
        if self._ended:
            asyncio.get_running_loop().call_soon(receiver.lost)
        elif first:
            self._tasks = (asyncio.create_task(self._carry(self._read)), asyncio.create_task(self._carry(self._write)))

    def wake(self) -> None:
        """Send what has gathered (as `Transport.wake`)."""
        self._to_send.set()

    def finish(self) -> bool:
        """End this direction (as `Transport.finish`): a circuit carries that to the other side."""
        if self._ended:
            return False
        self._stream.muxed.close_now()
        return True

    def end(self) -> None:
        """Reset the stream (as `Transport.end`)."""
        if self._ended:
            return
        self._ended = True
        for task in self._tasks:
            task.cancel()
        self._stream.reset()
        if self._receiver is not None:
            self._receiver.lost()

    async def _carry(self, direction: Callable[[], Awaitable[None]]) -> None:
        # Whatever a stranger's bytes lead to: the end of this connection, and of no other.
        with contextlib.suppress(Exception):
            await direction()
        self.end()

    async def _read(self) -> None:
        piece = self._early or await self._stream.read(None)
        while piece and self._receiver is not None:
            self._receiver.receive(piece)
            piece = await self._stream.read(None)

    async def _write(self) -> None:
        while True:
            await self._to_send.wait()
            self._to_send.clear()
            while self._receiver is not None and (batch := self._receiver.outgoing()):
                await self._stream.write(batch)
                self._receiver.sent()
