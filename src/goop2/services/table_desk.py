"""The tables as the owner works on them in the console: asyncio over table_browser, table_design and owner_sql of the storage.

Three threads, each with a connection of its own that opens at its first use: pages of rows, which answer at once; what may take a second
or more, counting and the owner's own SQL; and writing. So no click waits for a count. It must not know HTTP.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

from goop2.storage import owner_sql, saved_queries
from goop2.storage.async_database import AsyncDatabase
from goop2.storage.database import FILE, Database, open_database
from goop2.storage.desk_limits import COUNT_SECONDS, QUERY_SECONDS, QUICK_SECONDS, WRITE_SECONDS
from goop2.storage.errors import StorageError
from goop2.storage.file_quota import CARELESS, FileCare
from goop2.storage.owner_reader import open_database_to_read
from goop2.storage.owner_sql import PlanStep, SqlAnswer
from goop2.storage.saved_queries import SavedQuery
from goop2.storage.table_browser import Facet, RowsFound, RowsWanted, TableBrowser, TableEntry
from goop2.storage.table_design import TableDesign
from goop2.storage.values import shown
from goop2.storage.write_queue import Rank

T = TypeVar("T")
WAITING_MAX: Final = 32
"""Requests that wait for one of the threads; a console that asks faster than it is answered is told so."""


class DeskBusyError(StorageError):
    """WAITING_MAX operations wait for the same thread already; the owner may try again in a moment."""

    code = "unavailable"


class _Counter:
    """One of the threads, and how many wait for it."""

    def __init__(self, database: AsyncDatabase, seconds: float) -> None:
        self.database = database
        self._seconds = seconds
        self._waiting = 0

    async def run(self, work: Callable[[Database], T], seconds: float | None = None) -> T:
        """Do `work` within its time. Raises `StorageError`."""
        if self._waiting >= WAITING_MAX:
            raise DeskBusyError("too much is asked of the tables at once; try again in a moment")
        allowed = self._seconds if seconds is None else seconds

        def bounded(database: Database) -> T:
            database.bound(time.monotonic() + allowed)
            return work(database)

        self._waiting += 1
        try:
            return await self.database.run(bounded)
        finally:
            self._waiting -= 1


class TableDesk:
    """What the owner sees and does with the tables of one peer."""

    def __init__(self, folder: Path, care: FileCare = CARELESS) -> None:
        """Keep what is needed; nothing is opened yet. `care`: of the connection that writes."""
        path = folder / FILE
        to_read = partial(open_database_to_read, path, _nobody)
        self.folder = folder
        self._quick = _Counter(AsyncDatabase("goop2-desk-rows", to_read), QUICK_SECONDS)
        self._slow = _Counter(AsyncDatabase("goop2-desk-slow", to_read), QUERY_SECONDS)
        self._writing = _Counter(
            AsyncDatabase("goop2-desk-writes", partial(open_database, path, watchful=True, care=care, rank=Rank.PEER)), WRITE_SECONDS
        )

    async def close(self) -> None:
        """Close the three connections, each after its operation under way."""
        for each in (self._quick, self._slow, self._writing):
            await each.database.close()

    # ── looking ──────────────────────────────────────────────────────────────────────────────

    async def tables(self) -> list[TableEntry]:
        """Return the site's own tables."""
        return await self._quick.run(lambda database: TableBrowser(database).tables())

    async def rows(self, wanted: RowsWanted) -> RowsFound:
        """Return the rows of one page, filtered and ordered as `wanted` says. Raises `StorageError`."""
        return await self._quick.run(lambda database: TableBrowser(database).rows(wanted))

    async def version(self) -> int:
        """Return a number that changes when somebody has written."""
        return await self._quick.run(lambda database: TableBrowser(database).version())

    async def count(self, wanted: RowsWanted) -> int | None:
        """Return how many rows meet the filters; None where that takes too long."""
        return await self._slow.run(lambda database: TableBrowser(database).count(wanted), COUNT_SECONDS)

    async def facet(self, wanted: RowsWanted, column: str) -> Facet:
        """Return the commonest values of a column."""
        return await self._slow.run(lambda database: TableBrowser(database).facet(wanted, column), COUNT_SECONDS)

    # ── the owner's own SQL ──────────────────────────────────────────────────────────────────

    async def read_sql(self, sql: str) -> SqlAnswer:
        """Run one statement of the owner's that only reads. Raises `StorageError` for any other."""
        return await self._slow.run(lambda database: owner_sql.read(database, sql))

    async def write_sql(self, sql: str) -> SqlAnswer:
        """Run a statement that changes rows."""
        return await self._writing.run(lambda database: owner_sql.write(database, sql))

    async def explain(self, sql: str) -> list[PlanStep]:
        """Return how SQLite would do a statement."""
        return await self._slow.run(lambda database: owner_sql.explain(database, sql))

    async def queries(self) -> list[SavedQuery]:
        """Return the saved queries, by name. Raises `StorageError` when their file cannot be read."""
        return await asyncio.to_thread(saved_queries.saved, self.folder)

    async def save_query(self, name: str, sql: str) -> None:
        """Keep a query, in the place of the one of that name. Raises `StorageError`."""
        await asyncio.to_thread(saved_queries.save, self.folder, name, sql)

    async def forget_query(self, name: str) -> None:
        """Forget a saved query. Raises `StorageError` when there is none of that name."""
        await asyncio.to_thread(saved_queries.forget, self.folder, name)

    # ── changing ─────────────────────────────────────────────────────────────────────────────

    async def design(self, change: str, request: Mapping[str, object]) -> list[str]:
        """Change a table: one of DESIGN_CHANGES, with the keys it takes; return notes for the owner."""
        work = DESIGN_CHANGES.get(change)
        if work is None:
            raise StorageError(f"{shown(change)} is no change of a table; there are {', '.join(DESIGN_CHANGES)}")
        # Shielded: whoever closes the page must not leave half of a change, of which the file in schemas/ is a part.
        return await asyncio.shield(self._writing.run(lambda database: work(TableDesign(database, self.folder), request)))


def _confirmed(request: Mapping[str, object], name: object) -> None:
    if request.get("confirm") != name:
        raise StorageError(f"type {shown(name)} to go on; nothing was dropped")


def _drop(design: TableDesign, request: Mapping[str, object]) -> list[str]:
    _confirmed(request, request.get("table"))
    return design.drop(request.get("table"))


def _drop_column(design: TableDesign, request: Mapping[str, object]) -> list[str]:
    _confirmed(request, request.get("column"))
    return design.drop_column(request.get("table"), request.get("column"))


def _allow(design: TableDesign, request: Mapping[str, object]) -> list[str]:
    policies = request.get("policies")
    return design.allow(request.get("table"), policies if isinstance(policies, dict) else {})


DESIGN_CHANGES: Final[Mapping[str, Callable[[TableDesign, Mapping[str, object]], list[str]]]] = {
    "create": lambda design, request: design.create(request.get("table"), request.get("columns"), request.get("access")),
    "add-column": lambda design, request: design.add_column(request.get("table"), request.get("column")),
    "rename-column": lambda design, request: design.rename_column(request.get("table"), request.get("column"), request.get("new")),
    "drop-column": _drop_column,
    "rename": lambda design, request: design.rename(request.get("table"), request.get("new")),
    "drop": _drop,
    "allow": _allow,
}
"""What the console may ask → the change. What goes for good wants the name of what goes, typed once more, as `confirm`."""


def _nobody(_sentence: str) -> None:
    """Tell nobody of a text that cannot be read: what reads a table for others has told it (services/tables.py)."""


@asynccontextmanager
async def open_desk(folder: Path, care: FileCare = CARELESS) -> AsyncIterator[TableDesk]:
    """Give the owner's desk until the block is left; its connections open when they are first used."""
    desk = TableDesk(folder, care)
    try:
        yield desk
    finally:
        await desk.close()
