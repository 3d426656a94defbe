"""The message store: a thread and a database connection of its own, so that no script, page or query delays a message.

When an awaited operation returns, it is committed. At most WAITING_MAX wait; beyond that a message is refused, and its sender is told.
Others' messages count against budgets (quotas.py): whoever is over a budget loses its oldest messages, in the same transaction. A database
that is damaged or cannot be opened does not stop a start: each message is refused with the reason until it works.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

from goop2.services.chat.limits import MESSAGE_OVERHEAD_BYTES
from goop2.services.chat.quotas import CONTACT, Budgets
from goop2.storage import messages
from goop2.storage.async_database import AsyncDatabase
from goop2.storage.database import Database, open_database
from goop2.storage.errors import DatabaseFileError, StorageError
from goop2.storage.file_quota import CARELESS, FileCare
from goop2.storage.messages import Charge, Conversation, StoredMessage

WAITING_MAX: Final = 1000
"""Messages waiting to be kept. One takes less than a millisecond, and at most a second behind a script's transaction."""
CONTACTS_REMEMBERED: Final = 4096
"""Peers of whom it is remembered whether the owner has written to them; beyond that it is looked up again."""
CONVERSATIONS_MAX: Final = 500
PAGE_MAX: Final = 200

T = TypeVar("T")


class MessageStoreBusyError(StorageError):
    """Too many messages wait to be saved."""


class MessageStore:
    """The messages of one peer, whose id is `self_id`."""

    def __init__(self, path: Path, self_id: str = "", care: FileCare = CARELESS) -> None:
        self._self_id = self_id
        self._database = AsyncDatabase("goop2-chat", partial(open_database, path, guarded=False, care=care), self._prepare)
        self._waiting = 0
        self._budgets: Budgets | None = None
        """None: to be counted anew."""
        self._contacts: dict[str, bool] = {}
        self.removed = 0
        """Messages of others that were removed to make room, since the start."""

    async def open(self) -> str:
        """Open the database; return why it cannot be used now, "" when it can."""
        try:
            await self._do(lambda _database: None)
        except StorageError as error:
            return str(error)
        return ""

    async def close(self) -> None:
        """Save the waiting messages, then close."""
        await self._database.close()

    async def add(
        self,
        peer: str,
        sender: str,
        content: str,
        timestamp: int,
        *,
        wire_id: str = "",
        state: str = "",
        charged: tuple[str, str] | None = None,
    ) -> StoredMessage | None:
        """Save a message (`messages.add`). Raises `StorageError`.

        `charged`: whose doing it is, (sender, origin); None for the owner's own.
        """
        return await self._do(lambda database: self._add(database, peer, sender, content, timestamp, wire_id, state, charged))

    async def forget(self, peer: str) -> int:
        """Remove the conversation with a peer; return how many messages it had. Raises `StorageError`."""
        return await self._do(lambda database: self._forget(database, [peer]))

    async def forget_strangers(self) -> int:
        """Remove every conversation in which the owner has written nothing; return how many messages these had. Raises `StorageError`."""
        return await self._do(lambda database: self._forget(database, messages.strangers(database, self._self_id)))

    async def mark(self, number: int, state: str, unless: str | None = None) -> bool:
        """Save the delivery state of a message (`messages.mark`)."""
        return await self._do(lambda database: messages.mark(database, number, state, unless))

    async def mark_shown(self, numbers: Sequence[int], state: str) -> list[str]:
        """Save that messages from others were shown on a page (`messages.mark_shown`)."""
        return await self._do(lambda database: messages.mark_shown(database, numbers, state))

    async def mark_by_wire_id(self, sender: str, peer: str, wire_id: str, state: str) -> StoredMessage | None:
        """Save the delivery state of the message with this id on the wire; return the message."""
        return await self._do(lambda database: messages.mark_by_wire_id(database, sender, peer, wire_id, state))

    async def page(self, peer: str, before: int | None = None, limit: int = PAGE_MAX) -> list[StoredMessage]:
        """Return the newest messages with a peer, older than the message `before`; oldest first."""
        return await self._do(lambda database: messages.page(database, peer, before, min(limit, PAGE_MAX)))

    async def conversations(self) -> list[Conversation]:
        """Return the conversations, the latest first."""
        return await self._do(lambda database: messages.conversations(database, CONVERSATIONS_MAX))

    def _prepare(self, database: Database) -> None:
        """Create missing tables, and count what others have stored."""
        messages.create_schema(database)
        with contextlib.suppress(DatabaseFileError):  # where a page is damaged, the others are still read and written
            messages.charge_uncharged(database, self._self_id, MESSAGE_OVERHEAD_BYTES, CONTACT)
        self._budgets = self._counted(database)
        # A folder of an older version, or of another program, may hold more than the budgets allow.
        while (over := self._budgets.over_all()) is not None:
            with database.atomic():
                if not self._make_room(database, self._budgets, over):
                    break

    @staticmethod
    def _counted(database: Database) -> Budgets:
        return Budgets((charge.sender, charge.origin, charge.bytes) for charge in messages.charges(database))

    def _add(
        self,
        database: Database,
        peer: str,
        sender: str,
        content: str,
        timestamp: int,
        wire_id: str,
        state: str,
        charged: tuple[str, str] | None,
    ) -> StoredMessage | None:
        budgets = self._budgets = self._budgets or self._counted(database)
        try:
            with database.atomic():
                if charged is None:
                    message = messages.add(database, peer, sender, content, timestamp, wire_id=wire_id, state=state)
                    self._note_contact(database, budgets, peer)
                else:
                    message = self._add_charged(database, budgets, peer, sender, content, timestamp, wire_id, state, charged)
        except BaseException:
            self._budgets = None  # what was counted may not be so: it was not committed
            self._contacts.clear()
            raise
        return message

    def _add_charged(
        self,
        database: Database,
        budgets: Budgets,
        peer: str,
        sender: str,
        content: str,
        timestamp: int,
        wire_id: str,
        state: str,
        charged: tuple[str, str],
    ) -> StoredMessage | None:
        whose, network = charged
        origin = CONTACT if self._is_contact(database, whose) else network or whose
        charge = Charge(whose, origin, len(content.encode("utf-8", "replace")) + MESSAGE_OVERHEAD_BYTES)
        message = messages.add(database, peer, sender, content, timestamp, wire_id=wire_id, state=state, charge=charge)
        if message is not None:
            budgets.add(whose, origin, charge.bytes)
            while (over := budgets.over(whose, origin)) is not None:
                if not self._make_room(database, budgets, over):
                    break
        return message

    def _make_room(self, database: Database, budgets: Budgets, over: tuple[str, str, int]) -> bool:
        """Return whether something could be removed; otherwise another program has removed it, and everything is counted again."""
        sender, origin, size = over
        number, freed = messages.remove_oldest(database, sender, origin, size)
        budgets.add(sender, origin, -freed)
        self.removed += number
        if not number:
            self._budgets = None
        return number > 0

    def _is_contact(self, database: Database, peer: str) -> bool:
        known = self._contacts.get(peer)
        if known is None:
            if len(self._contacts) >= CONTACTS_REMEMBERED:
                self._contacts.clear()
            known = self._contacts[peer] = messages.has_written_to(database, self._self_id, peer)
        return known

    def _note_contact(self, database: Database, budgets: Budgets, peer: str) -> None:
        """Count a peer's messages as a contact's from now on, because the owner has written to it."""
        if peer == self._self_id or self._contacts.get(peer):
            return
        for before in messages.recharge(database, peer, CONTACT):
            budgets.add(peer, before.origin, -before.bytes)
            budgets.add(peer, CONTACT, before.bytes)
        self._contacts[peer] = True

    def _forget(self, database: Database, peers: Sequence[str]) -> int:
        self._budgets = None
        self._contacts.clear()
        return sum([messages.forget(database, peer) for peer in peers])

    async def _do(self, work: Callable[[Database], T]) -> T:
        if self._waiting >= WAITING_MAX:
            raise MessageStoreBusyError("too many messages wait to be kept; try again later")
        under_way = self._database.run(work)
        self._waiting += 1
        under_way.add_done_callback(self._done)
        # Shielded: cancelling the caller must not cancel the write.
        return await asyncio.shield(under_way)

    def _done(self, _future: asyncio.Future[T]) -> None:
        self._waiting -= 1
