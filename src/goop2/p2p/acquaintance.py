"""What is known of the peer at the other end of a connection, as long as that lasts: which protocols it speaks, and streams kept for it.

A kept stream carries one exchange after another, one at a time, and saves each the opening. It is given back only after a whole answer: a
stream whose answer was abandoned is reset. Bounded in number and idle time, and who has none opens one. Trio side.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import trio

from goop2.p2p.limits import KEPT_IDLE_SECONDS, KEPT_PER_PEER, QUESTIONS_AT_ONCE
from goop2.p2p.trio_stream import TrioStream


class Acquaintance:
    """One connection's."""

    def __init__(self) -> None:
        self.places = trio.Semaphore(QUESTIONS_AT_ONCE, max_value=QUESTIONS_AT_ONCE)
        """For questions with a kept form; who finds none waits."""
        self._speaks: dict[str, bool] = {}
        self._idle: dict[str, deque[tuple[TrioStream, float]]] = {}
        """Kept streams by protocol and since when; the longest idle first."""
        self.kept = 0
        """How many there are, idle or with a question, or about to be opened."""

    def speaks(self, protocol: str) -> bool:
        """Whether it has spoken it on this connection."""
        return self._speaks.get(protocol, False)

    def worth_asking(self, protocols: Sequence[str]) -> list[str]:
        """Those it has not said it does not speak; all of them when it has of all."""
        return [protocol for protocol in protocols if self._speaks.get(protocol, True)] or list(protocols)

    def chose(self, protocols: Sequence[str], protocol: str | None) -> None:
        """Asked for these, in this order, it took that, or none."""
        for each in protocols:
            self._speaks[each] = each == protocol
            if each == protocol:
                return

    def forget(self, protocol: str) -> None:
        """It was taken for granted, and wrongly."""
        self._speaks.pop(protocol, None)

    def take(self, protocol: str) -> TrioStream | None:
        """A kept stream that is still open at the other side, as far as is known: the last one used."""
        idle = self._idle.get(protocol)
        while idle:
            stream, _since = idle.pop()
            if stream.fresh:
                return stream
            self.drop(stream)
        return None

    def reserve(self) -> bool:
        """Whether there may be one more; then `give_back`, `drop` or `release` follows."""
        if self.kept >= KEPT_PER_PEER:
            return False
        self.kept += 1
        return True

    def release(self) -> None:
        """What was reserved is not opened."""
        self.kept -= 1

    def give_back(self, protocol: str, stream: TrioStream) -> None:
        """After a whole answer, for the next question."""
        self._idle.setdefault(protocol, deque()).append((stream, trio.current_time()))

    def drop(self, stream: TrioStream) -> None:
        """It is not to be used again."""
        self.kept -= 1
        stream.reset()

    def tidy(self) -> None:
        """Let go of what has been idle for long, or is no longer open."""
        long_ago = trio.current_time() - KEPT_IDLE_SECONDS
        for idle in self._idle.values():
            while idle and (idle[0][1] < long_ago or not idle[0][0].fresh):
                self.drop(idle.popleft()[0])
