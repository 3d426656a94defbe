"""Streams to other peers, and questions that are a line with an answer that is one. Trio side.

A question goes over a stream kept for its peer, where the peer speaks the protocol's kept form; else over one of its own.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import Any
from weakref import WeakKeyDictionary

import trio
from libp2p.network.swarm import Swarm
from libp2p.peer.id import ID
from libp2p.stream_muxer.exceptions import MuxedStreamError

from goop2.p2p import negotiation
from goop2.p2p.acquaintance import Acquaintance
from goop2.p2p.limits import NEGOTIATE_SECONDS, TIDY_SECONDS
from goop2.p2p.muxer import Muxer
from goop2.p2p.protocols.line import LineReader
from goop2.p2p.trio_stream import TrioStream

Soon = Callable[[Callable[..., Any]], object]
"""Runs an async function beside everything else."""


class NoConnection(Exception):
    """There is none to this peer any more."""


class NoneSpoken(Exception):
    """The other side speaks none of the protocols."""


class Asking:
    """What a swarm's connections are asked."""

    def __init__(self, swarm: Swarm, soon: Soon) -> None:
        self._swarm = swarm
        self._soon = soon
        self._known: WeakKeyDictionary[Muxer, Acquaintance] = WeakKeyDictionary()

    async def open(self, peer: ID, protocols: Sequence[str]) -> tuple[TrioStream, str]:
        """A stream on the first of these the peer speaks. Raises `NoConnection`, `NoneSpoken`, and what streams raise."""
        muxer = self._muxer(peer)
        known = self._acquaintance(muxer)
        candidates = known.worth_asking(protocols)
        muxed = await muxer.open_stream()
        if known.speaks(candidates[0]):
            said = negotiation.proposal(candidates[0])
            return TrioStream(muxed, said, said, lambda: known.forget(candidates[0])), candidates[0]
        try:
            with trio.fail_after(NEGOTIATE_SECONDS):
                chosen = await negotiation.choose(muxed, candidates)
            known.chose(candidates, chosen)
            if chosen is None:
                raise NoneSpoken
        except BaseException:
            muxed.abandon()
            raise
        return TrioStream(muxed), chosen

    async def ask(self, peer: ID, protocol: str, kept: str, question: bytes, reader: LineReader, seconds: float) -> bytes:
        """The answer to a line. `kept`: the protocol's form for many questions, "" when there is none. Raises as `open` does."""
        with trio.fail_after(seconds):
            if not kept:
                return await self._once((await self.open(peer, (protocol,)))[0], question, reader)
            known = self._acquaintance(self._muxer(peer))
            async with known.places:
                return await self._ask(peer, known, protocol, kept, question, reader)

    async def _ask(self, peer: ID, known: Acquaintance, protocol: str, kept: str, question: bytes, reader: LineReader) -> bytes:
        idle = known.take(kept)
        if idle is not None:
            with contextlib.suppress(_WentAway):
                return await _over_kept(known, kept, idle, question, reader, used=True)
        stream, spoken = await self._open_to_keep(peer, known, kept, protocol)
        if spoken == kept:
            return await _over_kept(known, kept, stream, question, reader)
        return await self._once(stream, question, reader)

    async def _open_to_keep(self, peer: ID, known: Acquaintance, kept: str, protocol: str) -> tuple[TrioStream, str]:
        """On `kept` where the peer speaks it and few enough are; else on `protocol`, for one question."""
        if not known.reserve():
            return await self.open(peer, (protocol,))
        spoken = ""
        try:
            stream, spoken = await self.open(peer, (kept, protocol))
        finally:
            if spoken != kept:
                known.release()
        return stream, spoken

    async def tidy(self) -> None:
        """For ever: let go of kept streams nobody uses."""
        while True:
            await trio.sleep(TIDY_SECONDS)
            for known in list(self._known.values()):
                known.tidy()

    async def _once(self, stream: TrioStream, question: bytes, reader: LineReader) -> bytes:
        try:
            await stream.write(question)
            answer = await stream.line(reader)
            await stream.finish()
        except BaseException:
            stream.reset()
            raise
        if not stream.muxed.ended:
            self._soon(stream.linger)
        return answer

    def _muxer(self, peer: ID) -> Muxer:
        for connection in self._swarm.get_connections(peer):
            muxer = connection.muxed_conn
            if isinstance(muxer, Muxer) and muxer.is_established:
                return muxer
        raise NoConnection

    def _acquaintance(self, muxer: Muxer) -> Acquaintance:
        known = self._known.get(muxer)
        if known is None:
            known = self._known[muxer] = Acquaintance()
        return known


class _WentAway(Exception):
    """The other side had let go of a kept stream before it read the question, so that it can be asked again."""


async def _over_kept(
    known: Acquaintance, kept: str, stream: TrioStream, question: bytes, reader: LineReader, *, used: bool = False
) -> bytes:
    try:
        await _put(stream, question, used=used)
        answer = await stream.line(reader)
    except BaseException:
        known.drop(stream)
        raise
    if stream.fresh and not reader.rest():
        known.give_back(kept, stream)
    else:
        known.drop(stream)
    return answer


async def _put(stream: TrioStream, question: bytes, *, used: bool) -> None:
    """Raises `_WentAway` when a stream that was used before turns out to have ended, in order, between two questions."""
    try:
        await stream.write(question)
    except MuxedStreamError:
        if not used:
            raise
        # Not all of the line is sent: nobody has carried it out.
        raise _WentAway from None
    if used:
        await stream.muxed.arrival()
        if stream.muxed.read_ended and not stream.muxed.waiting:
            raise _WentAway
