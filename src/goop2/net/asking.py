"""Streams to other peers, and questions that are a line with an answer that is one. Asyncio; only agreeing on a protocol is trio's.

A question goes over a stream kept for its peer, where the peer speaks the protocol's kept form; else over one of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

import trio
from libp2p.network.swarm import Swarm

from goop2.config.ticks import seconds_to_tick
from goop2.net import negotiation
from goop2.net.acquaintance import StreamPool
from goop2.net.address import peer_id
from goop2.net.faults import StreamBrokenError
from goop2.net.guest import Guest
from goop2.net.limits import NEGOTIATE_SECONDS, TIDY_SECONDS
from goop2.net.muxer import MuxedStream, Muxer
from goop2.net.stream import Stream
from goop2.protocols.line import LineReader

Soon = Callable[[Coroutine[Any, Any, None]], object]
"""Runs a coroutine beside everything else."""


class NotConnectedError(Exception):
    """There is none to this peer any more."""


class NoProtocolSupportedError(Exception):
    """The other side speaks none of the protocols."""


class Requester:
    """What a swarm's connections are asked."""

    def __init__(self, guest: Guest, swarm: Swarm, soon: Soon) -> None:
        self._guest = guest
        self._swarm = swarm
        self._soon = soon
        self._known: WeakKeyDictionary[Muxer, StreamPool] = WeakKeyDictionary()

    async def open(self, peer: str, protocols: Sequence[str]) -> Stream:
        """A stream on the first of these the peer speaks. Raises `NotConnectedError`, `NoProtocolSupportedError`, and what the muxer and
        the guest raise."""
        muxer = self._muxer(peer)
        known = self._acquaintance(muxer)
        candidates = known.candidates(protocols)
        muxed = muxer.open_now()
        if known.speaks(candidates[0]):
            said = negotiation.proposal(candidates[0])
            stream = Stream(muxed, peer, candidates[0], unsent=said, expected=said)
            stream.unexpected = partial(known.forget, candidates[0])
            return stream
        try:
            chosen = await self._guest.call(_choose, muxed, candidates)
            known.chose(candidates, chosen)
            if chosen is None:
                raise NoProtocolSupportedError
        except BaseException:
            muxed.abandon()
            raise
        return Stream(muxed, peer, chosen)

    async def ask(self, peer: str, protocol: str, kept: str, question: bytes, reader: LineReader, seconds: float) -> bytes:
        """Return the answer to a line. `kept`: the protocol's form for many questions, "" when there is none.

        Raises what `open` and a stream raise, and `TimeoutError`.
        """
        async with asyncio.timeout(seconds):
            if not kept:
                return await self._once(await self.open(peer, (protocol,)), question, reader, seconds)
            known = self._acquaintance(self._muxer(peer))
            async with known.places:
                idle = known.take(kept)
                if idle is not None:
                    with contextlib.suppress(_StreamGoneError):
                        return await _over_kept(known, idle, question, reader, seconds, used=True)
                stream = await self.open(peer, (kept, protocol))
                if stream.protocol == kept:
                    return await _over_kept(known, stream, question, reader, seconds)
                return await self._once(stream, question, reader, seconds)

    async def evict_idle(self) -> None:
        """For ever: let go of kept streams nobody uses."""
        while True:
            await asyncio.sleep(seconds_to_tick(TIDY_SECONDS))
            for known in list(self._known.values()):
                known.evict_idle()

    async def _once(self, stream: Stream, question: bytes, reader: LineReader, seconds: float) -> bytes:
        try:
            answer = await stream.ask(question, reader, seconds)
            await stream.finish()
        except BaseException:
            stream.reset()
            raise
        if not stream.muxed.ended:
            self._soon(stream.linger())
        return answer

    def _muxer(self, peer: str) -> Muxer:
        for connection in self._swarm.get_connections(peer_id(peer)):
            muxer = connection.muxed_conn
            if isinstance(muxer, Muxer) and muxer.is_established:
                return muxer
        raise NotConnectedError

    def _acquaintance(self, muxer: Muxer) -> StreamPool:
        known = self._known.get(muxer)
        if known is None:
            known = self._known[muxer] = StreamPool()
        return known


async def _choose(muxed: MuxedStream, protocols: Sequence[str]) -> str | None:
    with trio.fail_after(NEGOTIATE_SECONDS):
        return await negotiation.choose(muxed, protocols)


class _StreamGoneError(Exception):
    """The other side had let go of a kept stream before it read the question, so that it can be asked again."""


async def _over_kept(
    known: StreamPool, stream: Stream, question: bytes, reader: LineReader, seconds: float, *, used: bool = False
) -> bytes:
    try:
        await _put(stream, question, seconds, used=used)
        answer = await stream.line(reader, seconds)
        if reader.rest():
            stream.reset()
    except BaseException:
        stream.reset()
        raise
    known.give_back(stream)
    return answer


async def _put(stream: Stream, question: bytes, seconds: float, *, used: bool) -> None:
    """Raises `_StreamGoneError` when a stream that was used before turns out to have ended, in order, between two questions."""
    try:
        await stream.write(question)
    except StreamBrokenError:
        if not (used and stream.muxed.was_reset):
            raise
        # Not all of the line is sent: nobody has carried it out.
        raise _StreamGoneError from None
    if used and await stream.over(seconds):
        raise _StreamGoneError
