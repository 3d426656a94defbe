"""One neighbour we send to: the stream we opened, opened again when it ends, and what waits to be written.

GossipSub uses a stream in one direction: each side writes on the one it has opened. What is written goes to the muxer at once while that
takes it, and no task wakes up for it. What waits is bounded: a neighbour that reads too slowly misses the newest, our own words last.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable
from typing import Final

from goop2.net.connection import Connection
from goop2.net.faults import NetworkError
from goop2.net.host import Host
from goop2.net.limits import GOSSIP_QUEUE_BYTES, RETRY_FIRST_SECONDS, RETRY_MAX_SECONDS, WRITE_SECONDS
from goop2.net.muxer import MuxedStreamError
from goop2.net.stream import Stream
from goop2.protocols.errors import RemoteProtocolError

PROTOCOLS: Final = ("/meshsub/1.1.0", "/meshsub/1.0.0")


class _Queue:
    """Frames that wait, at most GOSSIP_QUEUE_BYTES."""

    def __init__(self) -> None:
        self._frames: deque[bytes] = deque()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._frames)

    def add(self, frame: bytes) -> None:
        """Append a frame, unless there is no room."""
        if self._bytes + len(frame) <= GOSSIP_QUEUE_BYTES:
            self._frames.append(frame)
            self._bytes += len(frame)

    def take(self) -> bytes:
        """Return all frames, and forget them."""
        taken = b"".join(self._frames)
        self._frames.clear()
        self._bytes = 0
        return taken


class Neighbour:
    """A neighbour while there is a connection to it. `reached(neighbour, True or False)` is called when it can be written to, and no more."""

    def __init__(self, host: Host, peer: str, hello: bytes, reached: Callable[[Neighbour, bool], object]) -> None:
        self.peer = peer
        self._host = host
        self._hello = hello
        """What we listen to: first on every stream."""
        self._reached = reached
        self._stream: Stream | None = None
        self._rest = memoryview(b"")
        """Of frames the muxer has taken a part of."""
        self._first, self._then = _Queue(), _Queue()
        """Our own words and controls, and others' messages."""
        self._blocked: asyncio.Task[None] | None = None
        self._again = asyncio.Event()
        """Set when it is worth trying to open the stream at once."""
        self._speaks = True
        self._running = asyncio.create_task(self._run())

    @property
    def opened_by_us(self) -> bool:
        """Return whether we have dialled it."""
        return self._stream is not None and self._stream.connection.opened_by_us

    @property
    def waits(self) -> bool:
        """Return whether something is not written yet that can be."""
        return self._stream is not None and bool(self._rest or len(self._first) or len(self._then))

    def push(self, frame: bytes, handed_on: bool) -> None:
        """Write a frame as soon as the other side takes it."""
        (self._then if handed_on else self._first).add(frame)
        self._write()

    def hint(self) -> None:
        """Tell that it speaks gossip after all, or that there is another connection."""
        stream = self._stream
        if stream is not None and stream.connection.is_relayed and self._best_is_direct():
            stream.reset()
        self._again.set()

    async def say_goodbye(self, seconds: float) -> None:
        """Write what waits, and give the other side so long to read it: of a stream that is reset it throws away what it has not read."""
        with contextlib.suppress(TimeoutError, NetworkError):
            async with asyncio.timeout(seconds):
                while self.waits and self._stream is not None:
                    await self._stream.muxed.room.wait()
                if self._stream is not None:
                    await self._stream.finish()
                    while not self._stream.muxed.ended:
                        await self._stream.muxed.changed.wait()

    async def close(self) -> None:
        """End the stream."""
        self._running.cancel()
        await asyncio.gather(self._running, return_exceptions=True)

    async def _run(self) -> None:
        """For ever: open the stream, and again when it has ended."""
        loop = asyncio.get_running_loop()
        wait = RETRY_FIRST_SECONDS
        while True:
            self._again.clear()
            began = loop.time()
            with contextlib.suppress(NetworkError, RemoteProtocolError):
                await self._speak()
            wait = RETRY_FIRST_SECONDS if loop.time() - began > RETRY_MAX_SECONDS else min(wait * 2, RETRY_MAX_SECONDS)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._again.wait()

    async def _speak(self) -> None:
        """Open a stream, unless the other side has said that it speaks no gossip, and keep it to its end."""
        connection = self._best()
        if connection is None or not any(self._host.supports(self.peer, protocol) is not False for protocol in PROTOCOLS):
            return
        async with await self._host.open_on(connection, *PROTOCOLS) as stream:
            try:
                await stream.write(self._hello)
                self._stream = stream
                self._reached(self, True)
                self._write()
                # Nothing is said on our stream but its end.
                await stream.read(None)
            finally:
                self._part()
            stream.reset()

    def _part(self) -> None:
        if self._blocked is not None:
            self._blocked.cancel()
            self._blocked = None
        if self._stream is not None:
            self._stream = None
            self._rest = memoryview(b"")
            self._first.take()
            self._then.take()
            self._reached(self, False)

    def _best(self) -> Connection | None:
        open_ = [each for each in self._host.connections(self.peer) if each.is_open]
        return min(open_, key=lambda each: each.is_relayed, default=None)

    def _best_is_direct(self) -> bool:
        best = self._best()
        return best is not None and not best.is_relayed

    def _write(self) -> None:
        """Write what waits, as far as it is taken; a task waits for the rest."""
        if self._stream is None or self._blocked is not None:
            return
        try:
            while self._rest or len(self._first) or len(self._then):
                self._rest = self._rest or memoryview(self._first.take() + self._then.take())
                size = self._stream.muxed.write_now(self._rest)
                self._rest = self._rest[size:]
                if not size:
                    self._blocked = asyncio.create_task(self._wait_for_room(self._stream))
                    return
        except MuxedStreamError:
            pass  # its reader is told, and opens another

    async def _wait_for_room(self, stream: Stream) -> None:
        taken = await stream.muxed.room.wait(WRITE_SECONDS)
        self._blocked = None
        if taken:
            self._write()
        else:
            stream.reset()
