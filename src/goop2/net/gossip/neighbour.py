"""One neighbour we send to: the stream we opened, opened again when it ends, and the queue of what waits to be written.

GossipSub uses each stream in one direction: each side writes on the one it has opened. A frame goes to the muxer at once while that has
room, without waking a task. The queue is bounded: a neighbour that reads too slowly misses the newest messages, our own last.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable
from typing import Final

import structlog

from goop2.net.connection import Connection
from goop2.net.faults import NetworkError
from goop2.net.host import Host
from goop2.net.limits import GOSSIP_QUEUE_BYTES, RETRY_FIRST_SECONDS, RETRY_MAX_SECONDS
from goop2.net.muxer import MuxedStreamError
from goop2.net.stream import Stream
from goop2.protocols.errors import RemoteProtocolError

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger("goop2.net")

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
        """Return all frames, and empty the queue."""
        taken = b"".join(self._frames)
        self._frames.clear()
        self._bytes = 0
        return taken


class Neighbour:
    """A neighbour while it is connected. `reached` is called with it and whether it can be written to, at each change."""

    def __init__(self, host: Host, peer: str, hello: bytes, reached: Callable[[Neighbour, bool], object]) -> None:
        self.peer = peer
        self._host = host
        self._hello = hello
        """What we listen to: first on every stream."""
        self._reached = reached
        self._stream: Stream | None = None
        self._first, self._then = _Queue(), _Queue()
        """Our own words and controls, and others' messages."""
        self._blocked: asyncio.Task[None] | None = None
        """Writes what the other side does not take at once."""
        self._again = asyncio.Event()
        """Set when it is worth trying to open the stream at once."""
        self._has_spoken = False
        """Whether it has sent us gossip, whatever identify says."""
        self._running = asyncio.create_task(self._run())

    @property
    def opened_by_us(self) -> bool:
        """Return whether this peer dialled it."""
        return self._stream is not None and self._stream.connection.opened_by_us

    def push(self, frame: bytes, handed_on: bool) -> None:
        """Write a frame: at once if the other side has room, else as soon as it has."""
        if self._blocked is not None:
            (self._then if handed_on else self._first).add(frame)
        elif self._stream is not None:
            self._write(self._stream, memoryview(frame))

    def hint(self, *, has_spoken: bool = False) -> None:
        """Note that the neighbour supports gossip after all, or that there is another connection."""
        self._has_spoken = self._has_spoken or has_spoken
        if self._stream is None:
            self._again.set()
        elif self._stream.connection.is_relayed and self._best_is_direct():
            self._stream.reset()
            self._again.set()

    async def say_goodbye(self, seconds: float) -> None:
        """Write what waits, and give the other side so many seconds to read it: when a stream is reset, unread bytes are lost."""
        with contextlib.suppress(TimeoutError, NetworkError):
            async with asyncio.timeout(seconds):
                if self._blocked is not None:
                    await asyncio.wait((self._blocked,))
                stream = self._stream
                if stream is not None:
                    await stream.finish()
                    while not stream.muxed.ended:
                        await stream.muxed.changed.wait()

    async def close(self) -> None:
        """End the stream, and open no other."""
        self._running.cancel()
        await asyncio.gather(self._running, return_exceptions=True)

    async def _run(self) -> None:
        """Open the stream, and again when it has ended, for ever."""
        loop = asyncio.get_running_loop()
        wait = RETRY_FIRST_SECONDS
        while True:
            began = loop.time()
            try:
                await self._speak()
            except (NetworkError, RemoteProtocolError):
                pass  # it ended, or never began
            except Exception as error:  # a mistake of ours must not be the last word to a neighbour
                _log.warning("a stream of gossip failed", peer=self.peer, why=repr(error))
            # A stream that lasted is reopened soon; one that ends at once, after growing pauses.
            wait = RETRY_FIRST_SECONDS if loop.time() - began > RETRY_MAX_SECONDS else min(wait * 2, RETRY_MAX_SECONDS)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._again.wait()
            self._again.clear()

    async def _speak(self) -> None:
        """Open a stream, unless the other side does not support gossip, and keep it until it ends."""
        connection = self._best()
        if connection is None or not (self._has_spoken or self._may_speak()):
            return
        async with await self._host.open_on(connection, *PROTOCOLS) as stream:
            try:
                # First on the stream: neighbours ignore messages of peers whose subscription they have not seen.
                await stream.write(self._hello)
                self._stream = stream
                self._again.clear()
                self._reached(self, True)
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
            # The next stream begins with the subscription, so old frames must not go before it.
            self._first.take()
            self._then.take()
            self._reached(self, False)

    def _may_speak(self) -> bool:
        return any(self._host.supports(self.peer, protocol) is not False for protocol in PROTOCOLS)

    def _best(self) -> Connection | None:
        open_ = [each for each in self._host.connections(self.peer) if each.is_open]
        return min(open_, key=lambda each: each.is_relayed, default=None)

    def _best_is_direct(self) -> bool:
        best = self._best()
        return best is not None and not best.is_relayed

    def _write(self, stream: Stream, frame: memoryview) -> None:
        try:
            while frame and (size := stream.muxed.write_now(frame)):
                frame = frame[size:]
        except MuxedStreamError:
            return  # who reads the stream is told, and opens another
        if frame:
            self._blocked = asyncio.create_task(self._write_slowly(stream, frame))

    async def _write_slowly(self, stream: Stream, rest: memoryview) -> None:
        """Write a frame that is not accepted at once, and those that gather meanwhile."""
        try:
            while rest:
                await stream.write(rest)
                rest = memoryview(self._first.take() + self._then.take())
        except NetworkError:
            stream.reset()
        finally:
            self._blocked = None
