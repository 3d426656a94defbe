"""What is known of the peer at the other end of a connection while it lasts: the protocols it supports, and idle streams to use again.

A kept stream carries one exchange after another, one at a time, and each saves the opening. It is given back only after a whole answer; a
stream whose answer was abandoned is reset. If no idle stream is available, a new one is opened; so the pool never exceeds the number of
concurrent requests.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Sequence

from goop2.net.limits import KEPT_IDLE_SECONDS, QUESTIONS_AT_ONCE
from goop2.net.stream import Stream


class Places:
    """So many may do something at a time; who finds no place waits its turn. A place given back goes to the first who waits."""

    def __init__(self, count: int) -> None:
        self._free = count
        self._waiting: deque[asyncio.Future[bool]] = deque()

    async def take(self, until: float) -> None:
        """Take a place, waiting for it until a time of the loop's clock at most. Raises `TimeoutError`."""
        if self._free:
            self._free -= 1
            return
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[bool] = loop.create_future()
        timer = loop.call_at(until, _give_up, turn)
        self._waiting.append(turn)
        try:
            if not await turn:
                raise TimeoutError
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and turn.result():
                self.give_back()
            raise
        finally:
            timer.cancel()

    def give_back(self) -> None:
        """Let the next have the place."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(True)
                return
        self._free += 1


def _give_up(turn: asyncio.Future[bool]) -> None:
    if not turn.done():
        turn.set_result(False)


class StreamPool:
    """The idle streams and known protocols of one connection."""

    def __init__(self) -> None:
        self.places = Places(QUESTIONS_AT_ONCE)
        """For questions with a kept form; who finds none waits."""
        self._speaks: dict[str, bool] = {}
        self._idle: dict[str, deque[tuple[Stream, float]]] = {}
        """Kept streams by protocol and since when; the longest idle first."""

    def speaks(self, protocol: str) -> bool:
        """Return whether the peer has used the protocol on this connection."""
        return self._speaks.get(protocol, False)

    def candidates(self, protocols: Sequence[str]) -> list[str]:
        """Return the protocols that the peer has not declined; all of them if it has declined all."""
        return [protocol for protocol in protocols if self._speaks.get(protocol, True)] or list(protocols)

    def chose(self, protocols: Sequence[str], protocol: str | None) -> None:
        """Note the answer to these protocols, asked for in this order: one of them, or none."""
        for each in protocols:
            self._speaks[each] = each == protocol
            if each == protocol:
                return

    def forget(self, protocol: str) -> None:
        """Forget a protocol that was taken for granted wrongly."""
        self._speaks.pop(protocol, None)

    def take(self, protocol: str) -> Stream | None:
        """Return the most recently used kept stream that the other side still has open, as far as is known."""
        idle = self._idle.get(protocol)
        while idle:
            stream, _since = idle.pop()
            if stream.fresh:
                return stream
            stream.reset()
        return None

    def give_back(self, stream: Stream) -> None:
        """Keep a stream for the next request, after a whole answer."""
        if stream.fresh:
            self._idle.setdefault(stream.protocol, deque()).append((stream, time.monotonic()))
        else:
            stream.reset()

    def evict_idle(self) -> None:
        """Release streams that have been idle for long, or are no longer open."""
        long_ago = time.monotonic() - KEPT_IDLE_SECONDS
        for idle in self._idle.values():
            while idle and (idle[0][1] < long_ago or not idle[0][0].fresh):
                idle.popleft()[0].reset()
