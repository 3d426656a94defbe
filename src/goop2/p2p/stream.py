"""One stream to one peer, as asyncio code uses it. Each operation crosses into trio once, has an end, and fails in our words.

The end of a stream is not the end of an exchange: a killed peer looks like one that is done, so whoever reads counts bytes or waits for a
newline.
"""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import TypeVar

import trio
from libp2p.network.stream.exceptions import StreamEOF, StreamError, StreamReset
from libp2p.network.stream.net_stream import NetStream

from goop2.p2p import pinned
from goop2.p2p.faults import Broken
from goop2.p2p.guest import Guest, GuestStopped
from goop2.p2p.limits import ANSWER_SECONDS, LINGER_SECONDS, READ_MAX_BYTES, WRITE_SECONDS
from goop2.p2p.protocols.line import LineReader

T = TypeVar("T")


class Stream:
    """A stream. As a context manager it is closed at the end, and reset when the block fails, so that the other side knows."""

    def __init__(self, guest: Guest, stream: NetStream, peer: str, protocol: str, at_end: Callable[[], object] = lambda: None) -> None:
        self.peer = peer
        """The authenticated id of the other side."""
        self.protocol = protocol
        self._guest = guest
        self._stream = stream
        self._at_end = at_end

    async def read(self, timeout_seconds: float = ANSWER_SECONDS) -> bytes:
        """The next bytes, b"" when the other side sends no more. Raises `Broken`."""
        return await self._run(self._read, timeout_seconds)

    async def write(self, data: bytes) -> None:
        """Hand all of `data` to the other side, as fast as it takes it. Raises `Broken`."""
        await self._run(self._write, data)

    async def ask(self, data: bytes, reader: LineReader, timeout_seconds: float) -> bytes:
        """Write `data` and read a line, in one crossing. Raises `Broken`, and `RemoteFault` for what is no line."""
        return await self._run(self._ask, data, reader, timeout_seconds)

    async def finish(self, data: bytes = b"") -> None:
        """Write `data` and say that no more comes. Raises `Broken`."""
        await self._run(self._finish, data)

    async def reset(self) -> None:
        """End it in both directions, now; never raises."""
        with contextlib.suppress(GuestStopped):
            await self._guest.call(self._stream.reset)

    async def __aenter__(self) -> Stream:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        try:
            if error is None:
                with contextlib.suppress(Broken, GuestStopped):
                    await self._run(self._stream.close_write)
                    self._guest.start_soon(self.linger)
            else:
                await self.reset()
        finally:
            self._at_end()

    async def _run(self, function: Callable[..., Awaitable[T]], *arguments: object) -> T:
        try:
            return await self._guest.call(function, *arguments)
        except GuestStopped as stopped:
            raise Broken(str(stopped)) from None
        except trio.TooSlowError:
            raise Broken(f"{self.peer} is too slow ({self.protocol})") from None
        except StreamError as error:
            raise Broken(f"{self.peer} ended the exchange ({self.protocol}; {type(error).__name__})") from None

    async def _read(self, timeout_seconds: float) -> bytes:
        with trio.fail_after(timeout_seconds):
            try:
                return await self._stream.read(READ_MAX_BYTES)
            except StreamEOF as end:
                if pinned.was_reset(self._stream):
                    raise StreamReset from end
                return b""

    async def _write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            with trio.fail_after(WRITE_SECONDS):
                size = await pinned.window(self._stream)
                await self._stream.write(bytes(view[:size]))
            view = view[size:]

    async def _ask(self, data: bytes, reader: LineReader, timeout_seconds: float) -> bytes:
        await self._write(data)
        with trio.fail_after(timeout_seconds):
            while True:
                piece = await self._read(timeout_seconds)
                if not piece:
                    reader.end()
                line = reader.receive(piece)
                if line is not None:
                    return line

    async def _finish(self, data: bytes) -> None:
        await self._write(data)
        await self._stream.close_write()

    async def linger(self) -> None:
        """In trio, at the end: give the other side a moment to say that it is done, else the muxer would remember the stream for ever."""
        with trio.move_on_after(LINGER_SECONDS), contextlib.suppress(StreamError):
            await self._stream.close_write()
            while True:
                await self._stream.read(READ_MAX_BYTES)
        if not pinned.ended(self._stream):
            await self._stream.reset()
        await self._stream.remove()
