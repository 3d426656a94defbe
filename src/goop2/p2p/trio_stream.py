"""A stream on which a protocol is spoken, as trio code uses it. Whatever waits has an end."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import trio
from libp2p.stream_muxer.exceptions import MuxedStreamEOF, MuxedStreamError

from goop2.p2p import negotiation
from goop2.p2p.limits import LINGER_SECONDS, READ_MAX_BYTES, WRITE_SECONDS
from goop2.p2p.muxer import MuxedStream
from goop2.p2p.protocols.faults import RemoteFault
from goop2.p2p.protocols.line import LineReader


class TrioStream:
    """`unsent` goes before the first bytes, `expected` must come before the first: what is left of agreeing on the protocol.

    `unexpected` is called when something else comes.
    """

    def __init__(
        self, muxed: MuxedStream, unsent: bytes = b"", expected: bytes = b"", unexpected: Callable[[], object] = lambda: None
    ) -> None:
        self.muxed = muxed
        self._unsent = unsent
        self._expected = expected
        self._unexpected = unexpected

    @property
    def fresh(self) -> bool:
        """Whether it is open both ways, and nothing came that nobody asked for."""
        return not (self.muxed.was_reset or self.muxed.read_ended or self.muxed.write_ended or self.muxed.waiting)

    async def read(self, seconds: float) -> bytes:
        """The next bytes, b"" when the other side sends no more. Raises MuxedStreamError, TooSlowError, `RemoteFault`."""
        with trio.fail_after(seconds):
            return await self._read()

    async def write(self, data: bytes) -> None:
        """Hand all of `data` over, as fast as the other side takes it. Raises MuxedStreamError, TooSlowError."""
        await self._write(data)

    def write_now(self, data: bytes) -> memoryview:
        """Hand over as much as the other side takes at once; what is left. Raises MuxedStreamError."""
        view = memoryview(self._unsent + data if self._unsent else data)
        self._unsent = b""
        while view and (size := self.muxed.write_now(view)):
            view = view[size:]
        return view

    async def finish(self, data: bytes = b"") -> None:
        """Write `data`, and that no more comes."""
        if data or self._unsent:
            await self._write(data)
        await self.muxed.close()

    async def line(self, reader: LineReader) -> bytes:
        """The next line, whenever it is whole. Raises `RemoteFault` for what is none."""
        while (line := await self._piece(reader)) is None:
            pass
        return line

    async def line_within(self, reader: LineReader, seconds: float) -> bytes:
        """The next line, whole within so long. Raises as `line`."""
        # A timer costs more than most lines, which are here in one piece.
        if self.muxed.waiting and not self._expected and (line := await self._piece(reader)) is not None:
            return line
        with trio.fail_after(seconds):
            return await self.line(reader)

    async def linger(self, seconds: float | None = None) -> None:
        """At the end: give the other side a moment to say that it is done; a reset at once would take from it what it still reads."""
        with trio.move_on_after(LINGER_SECONDS if seconds is None else seconds), contextlib.suppress(MuxedStreamError):
            await self.finish()
            while not self.muxed.ended:
                await self.muxed.read(READ_MAX_BYTES)
        self.muxed.abandon()

    async def ask(self, data: bytes, reader: LineReader, seconds: float) -> bytes:
        """Write `data` and read a line."""
        await self.write(data)
        return await self.line_within(reader, seconds)

    async def next_line(self, reader: LineReader, idle_seconds: float, seconds: float) -> bytes | None:
        """The next of several lines: None when the other side sends no more, or begins none within `idle_seconds`."""
        if self._unsent and not self.muxed.waiting:
            await self._write(b"")
        with trio.move_on_after(idle_seconds):
            await self.muxed.arrival()
        return await self.line_within(reader, seconds) if self.muxed.waiting else None

    def reset(self) -> None:
        """End both directions, now."""
        self.muxed.abandon()

    async def _read(self) -> bytes:
        if self._unsent and not self.muxed.waiting:
            await self._write(b"")
        if self._expected:
            await self._confirm()
        try:
            return await self.muxed.read(READ_MAX_BYTES)
        except MuxedStreamEOF:
            return b""

    async def _confirm(self) -> None:
        expected, self._expected = self._expected, b""
        try:
            await negotiation.confirm(self.muxed, expected)
        except RemoteFault:
            self._unexpected()
            raise

    async def _piece(self, reader: LineReader) -> bytes | None:
        """Read once; the line when it is whole."""
        piece = await self._read()
        if not piece:
            reader.end()
        return reader.receive(piece)

    async def _write(self, data: bytes) -> None:
        await trio.lowlevel.checkpoint_if_cancelled()
        view = self.write_now(data)
        while view:
            with trio.fail_after(WRITE_SECONDS):
                view = view[await self.muxed.write_some(view) :]
