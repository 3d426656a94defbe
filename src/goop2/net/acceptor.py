"""Streams other peers open: admitted or not, asked for their protocol, handed to who speaks it. Trio side."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import trio
from libp2p.custom_types import TProtocol
from libp2p.network.stream.net_stream import NetStream

from goop2.net import negotiation
from goop2.net.admission import Admission
from goop2.net.limits import NEGOTIATE_SECONDS
from goop2.net.muxer import MuxedStream

Log = Callable[[str], object]


Linger = Callable[[], Awaitable[None]]
"""Gives the other side the time to read the answer to its end."""
Answer = Callable[[MuxedStream, bytes], Awaitable[Linger]]
"""Carries out one exchange; the bytes go before its first, and are what is left to say of the protocol."""


class OwnProtocol:
    """A protocol of ours among those of the library, which takes its streams where the library would hand out its own."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer

    async def __call__(self, _stream: object) -> None:
        raise AssertionError("our streams are not the library's to hand out")


class Accepting:
    """What a swarm does with each new stream. `handlers`: by protocol, the library's and ours."""

    def __init__(self, handlers: Mapping[Any, Any], admission: Admission, refused: Log) -> None:
        self._handlers = handlers
        self._admission = admission
        self._refused = refused

    async def __call__(self, stream: NetStream) -> None:
        muxed: Any = stream.muxed_stream
        peer = str(muxed.muxed_conn.peer_id)
        try:
            with self._admission.stream(peer, muxed.muxed_conn.origin):
                linger = await self._hand_out(stream, muxed)
            if linger is not None and not muxed.ended:
                # It no longer takes a place: whoever has the answer may ask the next thing at once.
                with self._admission.lingering(peer, muxed.abandon):
                    await linger()
        except Exception as error:  # ours, and whatever the library's handlers raise: it would end every connection
            self._refused(f"a stream of {peer}: {error or type(error).__name__}")
            muxed.abandon()

    async def _hand_out(self, stream: NetStream, muxed: MuxedStream) -> Linger | None:
        """Return what is left to do when the protocol is ours."""
        with trio.fail_after(NEGOTIATE_SECONDS):
            protocol, unsent = await negotiation.accept(muxed, self._handlers)
        handler = self._handlers[protocol]
        if isinstance(handler, OwnProtocol):
            return await handler.answer(muxed, unsent)
        await muxed.write(unsent)
        stream.set_protocol(TProtocol(protocol))
        await handler(stream)
        return None
