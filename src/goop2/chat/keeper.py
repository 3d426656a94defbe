"""Who keeps the messages: a thread and a connection of its own, so that no script, page or query stands before a message.

What is awaited here is committed when it comes back. At most WAITING_MAX wait; beyond it a message is refused, which its sender hears.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, TypeVar

from goop2.storage import messages
from goop2.storage.database import Database, open_database
from goop2.storage.errors import StorageError
from goop2.storage.messages import Conversation, Message

WAITING_MAX: Final = 1000
"""Messages waiting to be kept. One takes less than a millisecond, and at most a second behind a script's transaction."""
MEASURED_EVERY: Final = 100
"""Messages between looks at how large they all are."""
CONVERSATIONS_MAX: Final = 500
PAGE_MAX: Final = 200

T = TypeVar("T")


class KeeperBusy(StorageError):
    """Too many messages wait to be kept."""


class Keeper:
    """The messages of one peer."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._thread = ThreadPoolExecutor(1, "goop2-chat")
        self._waiting = 0
        self._added = 0
        self._database: Database | None = None
        self.size = 0
        """Characters of all messages, about."""

    async def open(self) -> None:
        """Raises `DatabaseError`."""
        await self._do(self._open)

    async def close(self) -> None:
        """What waits is kept before."""
        if self._database is not None:
            await self._do(self._database.close)
        self._thread.shutdown()

    async def add(self, peer: str, sender: str, content: str, timestamp: int, *, wire_id: str = "", state: str = "") -> Message | None:
        """Keep a message (`messages.add`). Raises `StorageError`."""
        return await self._do(lambda: self._add(peer, sender, content, timestamp, wire_id, state))

    async def mark(self, number: int, state: str, unless: str | None = None) -> bool:
        """How the delivery of a message stands now (`messages.mark`)."""
        return await self._do(lambda: messages.mark(self._open_one, number, state, unless))

    async def mark_shown(self, numbers: Sequence[int], state: str) -> list[str]:
        """Messages that came in are on a page (`messages.mark_shown`)."""
        return await self._do(lambda: messages.mark_shown(self._open_one, numbers, state))

    async def mark_by_wire_id(self, sender: str, peer: str, wire_id: str, state: str) -> Message | None:
        """The same by its id on the wire."""
        return await self._do(lambda: messages.mark_by_wire_id(self._open_one, sender, peer, wire_id, state))

    async def page(self, peer: str, before: int | None = None, limit: int = PAGE_MAX) -> list[Message]:
        """The newest messages with a peer, older than the message `before`; oldest first."""
        return await self._do(lambda: messages.page(self._open_one, peer, before, min(limit, PAGE_MAX)))

    async def conversations(self) -> list[Conversation]:
        """With whom there are messages, the latest first."""
        return await self._do(lambda: messages.conversations(self._open_one, CONVERSATIONS_MAX))

    @property
    def _open_one(self) -> Database:
        assert self._database is not None, "the keeper is not open"
        return self._database

    def _open(self) -> None:
        self._database = open_database(self._path, guarded=False)
        messages.lay_out(self._database)
        self.size = messages.size(self._database)

    def _add(self, peer: str, sender: str, content: str, timestamp: int, wire_id: str, state: str) -> Message | None:
        message = messages.add(self._open_one, peer, sender, content, timestamp, wire_id=wire_id, state=state)
        self._added += 1
        self.size = messages.size(self._open_one) if self._added % MEASURED_EVERY == 0 else self.size + len(content)
        return message

    async def _do(self, work: Callable[[], T]) -> T:
        if self._waiting >= WAITING_MAX:
            raise KeeperBusy("too many messages wait to be kept; try again later")
        self._waiting += 1
        under_way = asyncio.get_running_loop().run_in_executor(self._thread, work)
        under_way.add_done_callback(self._done)
        # Shielded: that nobody waits for it any more does not undo it.
        return await asyncio.shield(under_way)

    def _done(self, _future: asyncio.Future[T]) -> None:
        self._waiting -= 1
