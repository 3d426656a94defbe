"""One stream to one peer, on which one protocol is spoken. Every wait has an end, and failures are `NetworkError`s.

It reads and writes the muxer's stream directly. The end of a stream is not the end of an exchange: a killed peer looks like one that has
finished. So readers count bytes or wait for a newline.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING

from goop2.net.faults import StreamBrokenError
from goop2.net.limits import ANSWER_SECONDS, LINGER_SECONDS, READ_MAX_BYTES, REQUEST_SECONDS, WRITE_SECONDS
from goop2.net.muxer import MuxedStream, MuxedStreamEndedError, MuxedStreamError
from goop2.protocols.errors import RemoteProtocolError
from goop2.protocols.line import LineReader

if TYPE_CHECKING:
    from goop2.net.connection import Connection


def _nothing() -> None:
    pass


def nothing_to(_stream: Stream) -> None:
    """Do nothing at the end of a stream."""


class Stream:
    """A stream. As a context manager it is passed to `at_end` at the end of the block, and reset when the block fails, so that the other
    side knows.

    `unsent` goes before the first bytes, `expected` must come before the first: what is left of agreeing on the protocol.
    """

    def __init__(
        self,
        muxed: MuxedStream,
        peer: str,
        protocol: str,
        *,
        origin: str = "",
        unsent: bytes = b"",
        expected: bytes = b"",
        unexpected: Callable[[], object] = _nothing,
        another: Callable[[], object] = _nothing,
        at_end: Callable[[Stream], object] = nothing_to,
    ) -> None:
        """Take over `muxed`. `unexpected`: called when something else comes than `expected`. `another`: called for each request but the
        first, which the stream's opening was.
        """
        self.muxed = muxed
        self.peer = peer
        """The authenticated id of the other side."""
        self.origin = origin
        """The network the other side's connection comes from, or the relay it comes through; "" of a stream we opened."""
        self.protocol = protocol
        self.at_end = at_end
        self._unexpected = unexpected
        self._another = another
        self._unsent = unsent
        self._expected = expected
        self._asked = False

    @property
    def connection(self) -> Connection:
        """Return the connection it belongs to."""
        return self.muxed.connection

    @property
    def fresh(self) -> bool:
        """Return whether it is open both ways, and nothing unexpected has come."""
        return not (self.muxed.readable or self.muxed.write_ended)

    @property
    def is_plain(self) -> bool:
        """Return whether nothing is left of agreeing on the protocol."""
        return not (self._unsent or self._expected)

    async def read(self, timeout_seconds: float | None = ANSWER_SECONDS) -> bytes:
        """Return the next bytes, b"" when the other side sends no more; None: wait for ever. Raises `StreamBrokenError`, and
        `RemoteProtocolError` for bytes of another protocol.
        """
        return await self._read(None if timeout_seconds is None else _now() + timeout_seconds)

    def read_now(self, size: int = READ_MAX_BYTES) -> bytes:
        """Return the next bytes of what is readable, b"" when no more come. Raises `StreamBrokenError`."""
        try:
            return self.muxed.read_now(size)
        except MuxedStreamEndedError:
            return b""
        except MuxedStreamError:
            raise self._ended() from None

    async def line(self, reader: LineReader, timeout_seconds: float = REQUEST_SECONDS) -> bytes:
        """Return the next line, which must be whole in time, however slowly its bytes come.

        Raises `StreamBrokenError`, and `RemoteProtocolError` for what is no line.
        """
        return await self.line_by(reader, _now() + timeout_seconds)

    async def line_by(self, reader: LineReader, until: float) -> bytes:
        """Return the next line, as `line` does; `until` is a time of the loop's clock."""
        while True:
            # What is here already is taken without a step aside: a call of a script is that and little else.
            piece = self.read_now() if self.is_plain and self.muxed.readable else await self._read(until)
            if not piece:
                reader.end()
            line = reader.receive(piece)
            if line is not None:
                return line

    async def over(self, until: float) -> bool:
        """Return whether the other side has ended its side in order, as soon as that is known: when it has, or sends more. Raises
        `StreamBrokenError`. `until`: a time of the loop's clock."""
        muxed = self.muxed
        while not muxed.readable:
            if not await muxed.changed.wait(until - _now()):
                raise self._too_slow()
        return muxed.read_ended and not muxed.waiting

    async def next_line(self, reader: LineReader, idle_seconds: float, timeout_seconds: float = REQUEST_SECONDS) -> bytes | None:
        """Return one of several lines, as `line` does; None when no more come, or none begins within `idle_seconds`.

        Raises what `another` (`__init__`) does.
        """
        await self._say_unsent()
        muxed = self.muxed
        if not (muxed.readable or await self._readable(_now() + idle_seconds)) or not muxed.waiting:
            return None
        line = await self.line_by(reader, _now() + timeout_seconds)
        if self._asked:
            self._another()
        self._asked = True
        return line

    async def write(self, data: bytes | memoryview, until: float | None = None) -> None:
        """Hand all of `data` to the other side, as fast as it takes it. Raises `StreamBrokenError`.

        `until`: a time of the loop's clock; beside WRITE_SECONDS for each piece.
        """
        if self._unsent:
            data, self._unsent = b"".join((self._unsent, data)), b""
        sent = self._write_now(data)
        if sent == len(data):  # as nearly always
            return
        view = memoryview(data)[sent:]
        while view:
            sent = self._write_now(view)
            view = view[sent:]
            if not sent and not await self.muxed.room.wait(WRITE_SECONDS if until is None else min(WRITE_SECONDS, until - _now())):
                raise self._too_slow()

    async def ask(self, data: bytes, reader: LineReader, timeout_seconds: float) -> bytes:
        """Write `data` and read a line. Raises as `line` does."""
        await self.write(data)
        return await self.line(reader, timeout_seconds)

    async def finish(self, data: bytes = b"") -> None:
        """Write `data` and end this direction. Raises `StreamBrokenError`."""
        if data or self._unsent:
            await self.write(data)
        self.muxed.close_now()

    def reset(self) -> None:
        """End both directions now; unread bytes are lost."""
        self.muxed.abandon()

    async def linger(self) -> None:
        """Give the other side a moment at the end to say that it is done: a reset at once would lose what it has not read yet."""
        until = _now() + LINGER_SECONDS
        try:
            with contextlib.suppress(StreamBrokenError):
                await self.finish()
                while not self.muxed.ended:
                    await self._some(READ_MAX_BYTES, until)
        finally:
            self.muxed.abandon()

    async def __aenter__(self) -> Stream:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        if error is not None:
            self.reset()
        self.at_end(self)

    async def _read(self, until: float | None) -> bytes:
        await self._say_unsent()
        if self._expected:
            await self._confirm(until)
        return await self._some(READ_MAX_BYTES, until)

    async def _say_unsent(self) -> None:
        if self._unsent and not self.muxed.waiting:
            await self.write(b"")

    async def _confirm(self, until: float | None) -> None:
        while self._expected:
            got = await self._some(len(self._expected), until)
            if not (got and self._expected.startswith(got)):
                self._unexpected()
                raise RemoteProtocolError(f"instead of {self._expected!r} came {got!r}")
            self._expected = self._expected[len(got) :]

    async def _some(self, size: int, until: float | None) -> bytes:
        """Return the next bytes, at most so many, b"" when no more come."""
        if not await self._readable(until):
            raise self._too_slow()
        return self.read_now(size)

    async def _readable(self, until: float | None) -> bool:
        """Return whether there is something to read by then, or never will be."""
        while not self.muxed.readable:
            if not await self.muxed.changed.wait(None if until is None else until - _now()):
                return False
        return True

    def _write_now(self, data: bytes | memoryview) -> int:
        try:
            return self.muxed.write_now(data)
        except MuxedStreamError:
            raise self._ended() from None

    def _ended(self) -> StreamBrokenError:
        return StreamBrokenError(f"{self.peer} ended the exchange before it was done ({self.protocol})")

    def _too_slow(self) -> StreamBrokenError:
        return StreamBrokenError(f"{self.peer} is too slow ({self.protocol})")


def _now() -> float:
    return asyncio.get_running_loop().time()
