"""What carries a muxer's bytes: the system's socket itself where there is one, else a connection as the library secured it.

    SocketCarrier    the host loop watches the socket; a packet is read, decrypted and taken in one callback, and no task of either
                     loop is woken for it but the one that waits for its content. What gathered in a turn goes out in one packet.
    LibraryCarrier   a connection that lies on something else, as one through a relay does: two trio tasks read and write it

It knows nothing of frames and streams.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from socket import SHUT_WR
from typing import Any, Protocol

import trio
from libp2p.abc import ISecureConn

from goop2.net.limits import READ_MAX_BYTES
from goop2.net.news import Enter
from goop2.net.packets import Packets


class Cargo(Protocol):
    """Who the bytes are from and for."""

    def receive(self, data: bytes) -> None:
        """Take what came. Whatever it raises ends the connection."""

    def outgoing(self) -> bytes:
        """Return all the bytes to send now, and take them."""

    def sent(self, size: int) -> None:
        """So much of it is with the system."""


class Carrier(Protocol):
    """A connection's, from its first frame to its last."""

    async def run(self, cargo: Cargo) -> None:
        """Carry until the connection ends. In trio."""

    def wake(self) -> None:
        """There is something to send. From either loop."""

    def finish(self) -> bool:
        """Say that no more is sent; whether the other side is told of that, and so will end the connection too. From either loop."""

    def end(self) -> None:
        """Carry no more, and let the socket go. From either loop."""


class LibraryCarrier:
    """Over what the library reads and writes."""

    def __init__(self, secured: ISecureConn, enter: Enter) -> None:
        self._secured: Any = secured
        self._enter = enter
        self._to_send = trio.Event()

    def wake(self) -> None:
        """Send what has gathered (as `Carrier.wake`)."""
        if not self._to_send.is_set():
            self._enter(self._to_send.set)

    def finish(self) -> bool:
        """As Carrier: here there is no such word."""
        return False

    def end(self) -> None:
        """As Carrier: who closes what the library secured ends it."""

    async def run(self, cargo: Cargo) -> None:
        """Carry bytes until the connection ends (as `Carrier.run`)."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._write, cargo)
            while True:
                cargo.receive(await self._secured.read())

    async def _write(self, cargo: Cargo) -> None:
        while True:
            await self._to_send.wait()
            self._to_send = trio.Event()
            batch = cargo.outgoing()
            await self._secured.write(batch)
            cargo.sent(len(batch))


class Socket(Protocol):
    """One of the system's, open and not blocking, of whatever library."""

    def fileno(self) -> int: ...

    def shutdown(self, how: int) -> object: ...


class SocketCarrier:
    """Over a socket of the system. `early`: plain bytes that were read before the muxer was there."""

    def __init__(self, socket: Socket, packets: Packets, early: bytes, enter: Enter) -> None:
        self._socket = socket
        self._fd = -1
        """A copy of the socket's: its owner may close that at any time, and the number be another's then."""
        self._packets = packets
        self._early = early
        self._enter = enter
        self._cargo: Cargo
        self._loop: asyncio.AbstractEventLoop | None = None
        """While it carries."""
        self._over = trio.Event()
        self._unsent = memoryview(b"")
        self._batch_bytes = 0
        self._due = self._waits = False
        """Whether it will send soon, or as soon as the system takes more."""
        self._finished = False

    def wake(self) -> None:
        """Send what has gathered (as `Carrier.wake`)."""
        if self._loop is not None and not (self._due or self._waits or self._finished):
            self._due = True
            self._loop.call_soon(self._send)

    async def run(self, cargo: Cargo) -> None:
        """Carry bytes until the connection ends (as `Carrier.run`)."""
        self._cargo, self._fd = cargo, os.dup(self._socket.fileno())
        self._loop = asyncio.get_running_loop()
        try:
            self._loop.add_reader(self._fd, self._readable)
            if self._early:
                cargo.receive(self._early)
            self._take(b"")
            self.wake()
            await self._over.wait()
        finally:
            self._close()

    def finish(self) -> bool:
        """As Carrier. What comes meanwhile is read: the system takes back our last words when a socket is closed with something unread."""
        if self._loop is not None:
            self._finished = True
            with contextlib.suppress(OSError):
                self._socket.shutdown(SHUT_WR)
        return self._loop is not None

    def end(self) -> None:
        """Close the socket (as `Carrier.end`)."""
        self._close()
        self._enter(self._over.set)

    def _readable(self) -> None:
        try:
            data = os.read(self._fd, READ_MAX_BYTES)
            if not data:
                raise EOFError
            self._take(data)
        except (BlockingIOError, InterruptedError):
            pass
        except Exception:
            # Whatever a stranger's bytes lead to (they need not even decrypt): the end of this connection, and of no other.
            self.end()

    def _take(self, data: bytes) -> None:
        for content in self._packets.receive(data):
            self._cargo.receive(content)

    def _send(self) -> None:
        self._due = False
        if self._loop is None:
            return
        try:
            while self._unsent or self._more():
                self._unsent = self._unsent[os.write(self._fd, self._unsent) :]
                if not self._unsent:
                    self._cargo.sent(self._batch_bytes)
        except BlockingIOError:
            self._wait(True)
        except OSError:
            self.end()
        else:
            self._wait(False)

    def _more(self) -> bool:
        """Return whether there is; a batch is encrypted when the last one is with the system."""
        batch = self._cargo.outgoing()
        self._batch_bytes = len(batch)
        self._unsent = memoryview(self._packets.send(batch) if batch else b"")
        return bool(batch)

    def _wait(self, until_there_is_room: bool) -> None:
        if until_there_is_room is not self._waits and self._loop is not None:
            self._waits = until_there_is_room
            if self._waits:
                self._loop.add_writer(self._fd, self._send)
            else:
                self._loop.remove_writer(self._fd)

    def _close(self) -> None:
        if self._loop is not None:
            self._loop.remove_reader(self._fd)
            self._loop.remove_writer(self._fd)
            self._loop = None
            os.close(self._fd)
