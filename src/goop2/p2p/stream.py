"""One stream to one peer, as asyncio code uses it. Each operation crosses into trio once, has an end, and fails in our words.

The end of a stream is not the end of an exchange: a killed peer looks like one that is done, so whoever reads counts bytes or waits for a
newline.
"""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Iterator
from types import TracebackType
from typing import ParamSpec, TypeVar

import trio
from libp2p.stream_muxer.exceptions import MuxedStreamError

from goop2.p2p.faults import Broken
from goop2.p2p.guest import Guest, GuestStopped
from goop2.p2p.limits import ANSWER_SECONDS, REQUEST_SECONDS
from goop2.p2p.protocols.line import LineReader
from goop2.p2p.trio_stream import TrioStream

P = ParamSpec("P")
T = TypeVar("T")


class Stream:
    """A stream. As a context manager it is closed at the end, and reset when the block fails, so that the other side knows."""

    def __init__(
        self,
        guest: Guest,
        stream: TrioStream,
        peer: str,
        protocol: str,
        at_end: Callable[[], object] = lambda: None,
        another: Callable[[], object] = lambda: None,
    ) -> None:
        self.peer = peer
        """The authenticated id of the other side."""
        self.protocol = protocol
        self._guest = guest
        self._stream = stream
        self._at_end = at_end
        self._another = another
        self._asked = False

    async def read(self, timeout_seconds: float = ANSWER_SECONDS) -> bytes:
        """The next bytes, b"" when the other side sends no more. Raises `Broken`."""
        return await self._run(self._stream.read, timeout_seconds)

    async def line(self, reader: LineReader, timeout_seconds: float = REQUEST_SECONDS) -> bytes:
        """The next line, whole within so long however slowly its bytes come. Raises `Broken`, and `RemoteFault` for what is no line."""
        return await self._run(self._stream.line_within, reader, timeout_seconds)

    async def next_line(self, reader: LineReader, idle_seconds: float, timeout_seconds: float = REQUEST_SECONDS) -> bytes | None:
        """As `line`, for one of several: None when no more come, or none begins within `idle_seconds`.

        Each but the first, which the stream's opening was, counts as a request. Raises `Refused` when the peer asks too often.
        """
        line = await self._run(self._stream.next_line, reader, idle_seconds, timeout_seconds)
        if line is not None and self._asked:
            self._another()
        self._asked = True
        return line

    async def write(self, data: bytes) -> None:
        """Hand all of `data` to the other side, as fast as it takes it. Raises `Broken`."""
        with self._in_our_words():
            rest = self._guest.now(self._stream.write_now, data)
        if rest:
            await self._run(self._stream.write, bytes(rest))

    async def ask(self, data: bytes, reader: LineReader, timeout_seconds: float) -> bytes:
        """Write `data` and read a line, in one crossing. Raises as `line` does."""
        return await self._run(self._stream.ask, data, reader, timeout_seconds)

    async def finish(self, data: bytes = b"") -> None:
        """Write `data` and say that no more comes. Raises `Broken`."""
        await self._run(self._stream.finish, data)

    async def reset(self) -> None:
        """End it in both directions, now; never raises."""
        self._guest.touch(self._stream.reset)

    async def __aenter__(self) -> Stream:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self._at_end()
        if error is None:
            self._guest.start_soon(self._stream.linger)
        else:
            await self.reset()

    async def _run(self, function: Callable[P, Awaitable[T]], *arguments: P.args, **keywords: P.kwargs) -> T:
        with self._in_our_words():
            return await self._guest.call(function, *arguments, **keywords)
        raise AssertionError

    @contextlib.contextmanager
    def _in_our_words(self) -> Iterator[None]:
        try:
            yield
        except GuestStopped as stopped:
            raise Broken(str(stopped)) from None
        except trio.TooSlowError:
            raise Broken(f"{self.peer} is too slow ({self.protocol})") from None
        except MuxedStreamError as error:
            raise Broken(f"{self.peer} ended the exchange ({self.protocol}; {type(error).__name__})") from None
