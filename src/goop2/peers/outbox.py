"""An ordered outbox for each peer: messages of groups are sent in their order, and each is retried until it is accepted.

There is one task for each peer that has something waiting. Time and number are bounded: a peer that accepts nothing for as long as a silent
peer counts as online, or has too much waiting, is reported as lost, and its messages are dropped.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from typing import Final

from goop2.net.faults import NetworkError
from goop2.peers.client import MessageRejectedError
from goop2.protocols import mq
from goop2.services.groups.records import Outgoing

WAITING_MAX: Final = 256
"""Messages to one peer; a session says one every 5 s."""
WAITING_MAX_BYTES: Final = 4 * 1024 * 1024
"""Of the same; a message that goes to many is there once."""
PATIENCE_SECONDS: Final = 20.0
"""For one message: after so long without an announcement a peer is offline (network.md)."""
AGAIN_AFTER_SECONDS: Final = 1.0

Send = Callable[[str, str, bytes], Awaitable[object]]
"""(peer, topic, payload); raises `NetworkError`."""


class Outbox:
    """Sends messages with `send`; `lost` is called with each peer that accepted nothing in time."""

    def __init__(self, send: Send, lost: Callable[[str], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._send = send
        self._lost = lost
        self._clock = clock
        self._waiting: dict[str, deque[Outgoing]] = {}
        self._overfull: set[str] = set()
        """Peers that had too much waiting: lost once what is under way has ended."""
        self._tasks: set[asyncio.Task[None]] = set()

    def post(self, messages: Iterable[Outgoing]) -> None:
        """Queue messages behind those that were posted before."""
        for message in messages:
            if message.peer in self._overfull:
                continue
            # A task exists exactly while the peer has an entry here, so its messages never overtake each other.
            if message.peer not in self._waiting:
                self._waiting[message.peer] = deque()
                task = asyncio.create_task(self._carry(message.peer))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
            waiting = self._waiting[message.peer]
            waiting.append(message)
            if len(waiting) > WAITING_MAX or sum(len(each.payload) for each in waiting) > WAITING_MAX_BYTES:
                # Losing some messages and delivering later ones would leave a member with a wrong group; the peer counts as lost.
                waiting.clear()
                self._overfull.add(message.peer)

    async def flush(self, seconds: float) -> None:
        """Give waiting messages a moment to be sent, then drop them."""
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=seconds)
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _carry(self, peer: str) -> None:
        waiting = self._waiting[peer]
        reached = True
        try:
            while waiting and reached:
                reached = await self._delivered(waiting[0]) and peer not in self._overfull
                if waiting:
                    waiting.popleft()
            reached = reached and peer not in self._overfull
        finally:
            # Before `lost` is called: it may post to the same peer, which must start a new task.
            del self._waiting[peer]
            self._overfull.discard(peer)
        if not reached:
            self._lost(peer)

    async def _delivered(self, message: Outgoing) -> bool:
        until = self._clock() + PATIENCE_SECONDS
        while True:
            try:
                await self._send(message.peer, message.topic, message.payload)
            except MessageRejectedError as refusal:
                # Not before the other side wants it; what it never takes is dropped, and nobody is gone for that.
                wait = max(refusal.retry_after_seconds or 0.0, AGAIN_AFTER_SECONDS)
                if refusal.code == mq.FORBIDDEN or self._clock() + wait >= until:
                    return True
                await asyncio.sleep(wait)
            except NetworkError:
                if self._clock() >= until:
                    return False
                await asyncio.sleep(AGAIN_AFTER_SECONDS)
            else:
                return True
