"""Two muxers on a pipe, on trio's own clock that jumps: nothing here waits."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, cast

import trio
from libp2p.abc import ISecureConn
from libp2p.stream_muxer.exceptions import MuxedStreamEOF
from tests.net.hosts import new_identity
from trio.testing import MockClock, memory_stream_pair

from goop2.net.address import peer_id
from goop2.net.admission import Admission
from goop2.net.carriers import LibraryCarrier
from goop2.net.limits import HostLimits
from goop2.net.muxer import MuxedStream, Muxer


class Pipe:
    """One end of a connection, as a secured one looks."""

    def __init__(self, stream: Any, *, is_initiator: bool) -> None:
        self.is_initiator = is_initiator
        self.stuck = False
        """Whether what is written goes nowhere, and takes for ever."""
        self.failure: Exception | None = None
        """What reading raises from now on."""
        self._stream = stream

    async def read(self) -> bytes:
        data = bytes(await self._stream.receive_some())
        if self.failure is not None:
            raise self.failure
        if not data:
            raise trio.ClosedResourceError
        return data

    async def write(self, data: bytes) -> None:
        if self.stuck:
            await trio.sleep_forever()
        await self._stream.send_all(data)

    async def close(self) -> None:
        await self._stream.aclose()


async def read_all(stream: MuxedStream) -> bytes:
    data = b""
    while True:
        try:
            data += await stream.read()
        except MuxedStreamEOF:
            return data


def run(function: Callable[[], Awaitable[None]]) -> None:
    """In trio, with a clock that jumps when everybody waits."""
    trio.run(function, clock=MockClock(autojump_threshold=0))


def muxer(pipe: Pipe, limits: HostLimits | None = None) -> Muxer:
    secured = cast(ISecureConn, pipe)
    admission = Admission(limits or HostLimits(), trio.current_time)
    return Muxer(secured, peer_id(new_identity().peer_id), admission, _at_once, LibraryCarrier(secured, _at_once))


def _at_once(function: Callable[[], object]) -> None:
    """Here is no other loop than trio's."""
    function()


@contextlib.asynccontextmanager
async def two_muxers(limits: HostLimits | None = None) -> AsyncIterator[tuple[Muxer, Muxer]]:
    """Who dialled, and who was dialled; the limits are the second's."""
    one, other = memory_stream_pair()
    dialler, dialled = muxer(Pipe(one, is_initiator=True)), muxer(Pipe(other, is_initiator=False), limits)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(dialler.start)
        nursery.start_soon(dialled.start)
        yield dialler, dialled
        await dialler.close()


@contextlib.asynccontextmanager
async def a_muxer_and_bytes(limits: HostLimits | None = None) -> AsyncIterator[tuple[Muxer, Pipe]]:
    """A muxer that was dialled, and the other end, on which anything may be written."""
    one, other = memory_stream_pair()
    dialled = muxer(Pipe(one, is_initiator=False), limits)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(dialled.start)
        yield dialled, Pipe(other, is_initiator=True)
        await dialled.close()
