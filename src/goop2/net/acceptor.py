"""Accept the streams that other peers open: admit or refuse each, agree on its protocol, and call the protocol's handler."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import ExitStack
from functools import partial
from typing import Any

import structlog

from goop2.net import negotiation
from goop2.net.admission import Admission, AdmissionError
from goop2.net.limits import NEGOTIATE_SECONDS
from goop2.net.muxer import MuxedStream
from goop2.net.stream import Stream

Handler = Callable[[Stream], Awaitable[None]]
"""Carries out one exchange another peer began. What it raises resets the stream."""
Start = Callable[[Coroutine[Any, Any, None]], "asyncio.Task[None]"]
"""Runs a coroutine beside everything else."""

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger("goop2.net")


class Acceptor:
    """Handles each stream that others open on a host."""

    def __init__(self, admission: Admission, start: Start) -> None:
        self._admission = admission
        self._start = start
        self._handlers: dict[str, tuple[Handler, float | None]] = {}
        """Protocol → who answers it, and within how many seconds."""

    @property
    def protocols(self) -> tuple[str, ...]:
        """Return the protocols that are served."""
        return tuple(self._handlers)

    def serve(self, protocol: str, handler: Handler, seconds: float | None) -> None:
        """Have `handler` answer the streams of this protocol, each within so long; None: for as long as it takes."""
        self._handlers[protocol] = (handler, seconds)

    def accept(self, muxed: MuxedStream) -> None:
        """Start a task for a new stream. A stream that is not admitted is reset at once, so that there are never more tasks than places."""
        peer = muxed.connection.peer
        place = ExitStack()
        try:
            place.enter_context(self._admission.stream(peer, muxed.origin))
        except AdmissionError as refusal:
            _log.debug("refused", why=f"a stream of {peer}: {refusal}")
            muxed.abandon()
            return
        # A task that is cancelled before its first step runs nothing of it.
        self._start(self._serve(muxed, peer, place)).add_done_callback(lambda _task: place.close())

    async def _serve(self, muxed: MuxedStream, peer: str, place: ExitStack) -> None:
        try:
            stream = await self._exchange(muxed, peer)
            # It no longer takes a place: whoever has the answer may ask the next thing at once.
            place.close()
            if stream is not None and not muxed.ended:
                with self._admission.lingering(peer, muxed.abandon):
                    await stream.linger()
        except Exception as error:  # a stranger's doing, or a handler's mistake: the end of this stream, and of nothing else
            _log.debug("refused", why=f"a stream of {peer}: {str(error) or type(error).__name__}")
            muxed.abandon()
        except BaseException:
            muxed.abandon()
            raise

    async def _exchange(self, muxed: MuxedStream, peer: str) -> Stream | None:
        """Return the stream if its exchange was carried out."""
        async with asyncio.timeout(NEGOTIATE_SECONDS):
            protocol, unsent = await negotiation.accept(muxed, self._handlers)
        handler, seconds = self._handlers[protocol]
        # On a kept stream each further request counts like a new stream; otherwise one stream would get around the rate.
        another = partial(self._admission.request, peer, muxed.origin)
        stream = Stream(muxed, peer, protocol, origin=muxed.origin, unsent=unsent, another=another)
        try:
            async with asyncio.timeout(seconds):
                await handler(stream)
        except Exception as error:
            _log.info("exchange failed", peer=peer, protocol=protocol, why=str(error) or type(error).__name__)
            stream.reset()
            return None
        return stream
