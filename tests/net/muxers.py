"""Two muxers on a wire without sockets, on a clock that jumps: nothing here waits."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

from tests.net.hosts import new_identity

from goop2.net.admission import Admission
from goop2.net.connection import Connection
from goop2.net.limits import PING_SECONDS, HostLimits
from goop2.net.muxer import MuxedStream, MuxedStreamEndedError, Muxer


class Wire:
    """One end of a connection, between a muxer and the other end: carries what the one has to send to the other, in a turn of the loop."""

    def __init__(self) -> None:
        self.muxer: Muxer | None = None
        self.other: Wire
        self.stuck = False
        """Whether what is written goes nowhere, and is never with the system."""
        self.came = b""
        """What has come, where no muxer takes it."""
        self.is_ended = self._is_finished = False
        self._due = False

    def wake(self) -> None:
        if not (self._due or self.is_ended or self._is_finished):
            self._due = True
            asyncio.get_running_loop().call_soon(self._send)

    def finish(self) -> bool:
        self._is_finished = True
        asyncio.get_running_loop().call_soon(self.other.end)
        return True

    def end(self) -> None:
        if self.is_ended:
            return
        self.is_ended = True
        if self.muxer is not None:
            self.muxer.lost()
        asyncio.get_running_loop().call_soon(self.other.end)

    def write(self, data: bytes) -> None:
        """Anything, to the other end."""
        asyncio.get_running_loop().call_soon(self.other.receive, data)

    def receive(self, data: bytes) -> None:
        if self.is_ended:
            return
        if self.muxer is None:
            self.came += data
            return
        try:
            self.muxer.receive(data)
        except Exception:
            self.end()

    def _send(self) -> None:
        self._due = False
        if self.muxer is None or self.is_ended or self.stuck:
            return
        while batch := self.muxer.outgoing():
            self.write(batch)
            self.muxer.sent()


class Muxed(Muxer):
    """A muxer, and the streams the other side has opened."""

    def __init__(self, wire: Wire, *, opened_by_us: bool, limits: HostLimits | None = None) -> None:
        self.wire = wire
        self.to_accept: asyncio.Queue[MuxedStream] = asyncio.Queue()
        self.event_ended = asyncio.Event()
        admission = Admission(limits or HostLimits(), asyncio.get_running_loop().time)
        super().__init__(
            new_identity().peer_id,
            wire,
            admission,
            opened_by_us=opened_by_us,
            accept=self.to_accept.put_nowait,
            ended=self.event_ended.set,
        )
        wire.muxer = self
        Connection(self, remote="")

    async def accept_stream(self) -> MuxedStream:
        return await self.to_accept.get()


async def read_all(stream: MuxedStream) -> bytes:
    data = b""
    while True:
        try:
            data += await stream.read(65536)
        except MuxedStreamEndedError:
            return data


def wires() -> tuple[Wire, Wire]:
    one, other = Wire(), Wire()
    one.other, other.other = other, one
    return one, other


async def _look(*muxers: Muxer) -> None:
    """As the host does."""
    while True:
        await asyncio.sleep(PING_SECONDS)
        for muxer in muxers:
            muxer.look(asyncio.get_running_loop().time())


@contextlib.asynccontextmanager
async def two_muxers(limits: HostLimits | None = None) -> AsyncIterator[tuple[Muxed, Muxed]]:
    """Who dialled, and who was dialled; the limits are the second's."""
    one, other = wires()
    dialler, dialled = Muxed(one, opened_by_us=True), Muxed(other, opened_by_us=False, limits=limits)
    looking: asyncio.Task[Any] = asyncio.create_task(_look(dialler, dialled))
    yield dialler, dialled
    looking.cancel()
    await dialler.close()
    await dialled.event_ended.wait()


@contextlib.asynccontextmanager
async def a_muxer_and_bytes(limits: HostLimits | None = None) -> AsyncIterator[tuple[Muxed, Wire]]:
    """A muxer that was dialled, and the other end, on which anything may be written."""
    one, other = wires()
    dialled = Muxed(one, opened_by_us=False, limits=limits)
    looking: asyncio.Task[Any] = asyncio.create_task(_look(dialled))
    yield dialled, other
    looking.cancel()
    await dialled.close()
