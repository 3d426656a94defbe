"""Open streams to other peers, and send requests of one line that get an answer of one line.

A request uses a kept stream of its peer if the peer supports the protocol's kept form; otherwise a stream of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import Any

from goop2.net import negotiation
from goop2.net.connection import Connection
from goop2.net.connections import ConnectionTable
from goop2.net.faults import StreamBrokenError
from goop2.net.limits import NEGOTIATE_SECONDS
from goop2.net.stream import Stream, nothing_to
from goop2.net.stream_pool import StreamPool
from goop2.protocols.line import LineReader

Soon = Callable[[Coroutine[Any, Any, None]], object]
"""Runs a coroutine beside everything else."""
AtEnd = Callable[[Stream], object]
"""Called with a stream at the end of its block."""


class NotConnectedError(Exception):
    """There is no connection to this peer any more."""


class NoProtocolSupportedError(Exception):
    """The other side supports none of the protocols."""


class Requester:
    """Sends requests over a host's connections."""

    def __init__(self, connections: ConnectionTable, soon: Soon) -> None:
        self._connections = connections
        self._soon = soon

    async def open(self, peer: str, protocols: Sequence[str], at_end: AtEnd, relayed: bool | None = None) -> Stream:
        """Return a stream on the first of these that the peer supports. Raises `NotConnectedError`, `NoProtocolSupportedError`,
        `TimeoutError`, and what the muxer raises.
        """
        return await self.open_on(self._connection(peer, relayed), protocols, at_end)

    async def open_on(self, connection: Connection, protocols: Sequence[str], at_end: AtEnd = nothing_to) -> Stream:
        """Do as `open`, on this connection."""
        pool = connection.pool
        candidates = pool.candidates(protocols)
        muxed = connection.open()
        # It used this protocol on this connection before, so the proposal and the request go in one packet, without a wait for
        # the answer.
        if pool.speaks(candidates[0]):
            proposal = negotiation.proposal(candidates[0])
            unexpected = partial(pool.forget, candidates[0])
            return Stream(muxed, connection.peer, candidates[0], unsent=proposal, expected=proposal, unexpected=unexpected, at_end=at_end)
        try:
            async with asyncio.timeout(NEGOTIATE_SECONDS):
                chosen = await negotiation.choose(muxed, candidates)
            pool.chose(candidates, chosen)
            if chosen is None:
                raise NoProtocolSupportedError
        except BaseException:
            muxed.abandon()
            raise
        return Stream(muxed, connection.peer, chosen, at_end=at_end)

    async def ask(self, peer: str, protocol: str, kept: str, question: bytes, reader: LineReader, seconds: float) -> bytes:
        """Return the answer to a line. `kept`: the protocol's form for many requests on one stream, "" when there is none.

        Raises what `open` and a stream raise, and `TimeoutError`.
        """
        until = asyncio.get_running_loop().time() + seconds
        connection = self._connection(peer)
        if not kept:
            return await self._once(connection, (protocol,), question, reader, until)
        pool = connection.pool
        await pool.places.take(until)
        try:
            idle = pool.take(kept)
            if idle is not None:
                with contextlib.suppress(_StreamGoneError):
                    return await _over_kept(pool, idle, question, reader, until, used=True)
            return await self._once(connection, (kept, protocol), question, reader, until, kept=kept)
        finally:
            pool.places.give_back()

    async def _once(
        self, connection: Connection, protocols: Sequence[str], question: bytes, reader: LineReader, until: float, *, kept: str = ""
    ) -> bytes:
        """Ask over a new stream, which is kept when its protocol is."""
        async with asyncio.timeout_at(until):
            stream = await self.open_on(connection, protocols)
        if stream.protocol == kept:
            return await _over_kept(connection.pool, stream, question, reader, until)
        try:
            await stream.write(question, until)
            answer = await stream.line_by(reader, until)
            await stream.finish()
        except BaseException:
            stream.reset()
            raise
        if not stream.muxed.ended:
            self._soon(stream.linger())
        return answer

    def _connection(self, peer: str, relayed: bool | None = None) -> Connection:
        connection = self._connections.best(peer, relayed)
        if connection is None:
            raise NotConnectedError
        return connection


class _StreamGoneError(Exception):
    """The other side closed a kept stream before it read the request, so that it can be sent again."""


async def _over_kept(pool: StreamPool, stream: Stream, question: bytes, reader: LineReader, until: float, *, used: bool = False) -> bytes:
    try:
        await _put(stream, question, until, used=used)
        answer = await stream.line_by(reader, until)
        if reader.rest():
            stream.reset()
    except BaseException:
        stream.reset()
        raise
    pool.give_back(stream)
    return answer


async def _put(stream: Stream, question: bytes, until: float, *, used: bool) -> None:
    """Raises `_StreamGoneError` when a stream that was used before turns out to have ended, in order, between two questions."""
    try:
        await stream.write(question, until)
    except StreamBrokenError:
        if not (used and stream.muxed.was_reset):
            raise
        # Not all of the line is sent: nobody has carried it out.
        raise _StreamGoneError from None
    if used and await stream.over(until):
        raise _StreamGoneError
