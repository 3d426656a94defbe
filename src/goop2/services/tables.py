"""The tables of the site for callers from outside: asyncio around storage/table_access.py, which decides what each may do.

There are two threads, each with a connection of its own: the owner never waits for strangers, and nobody for a script. Strangers take turns
(scripting/fair_queue.py), whoever used less of the thread first (scripting/usage.py). Each has at most a share of the queue, and a second
for a statement; less while others wait, so that all get a turn within half the time that each has. HTTP and libp2p both use this module; it
must not know either.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Final

import msgspec
import structlog

from goop2.protocols.untrusted_json import InvalidJsonError, decode
from goop2.scripting.engine import Failure, Success
from goop2.scripting.fair_queue import FairQueue
from goop2.scripting.invocation import Caller, ErrorCode
from goop2.scripting.limits import BUSY_RETRY_SECONDS
from goop2.scripting.usage import Accounts
from goop2.storage.async_database import AsyncDatabase
from goop2.storage.database import Database, open_database
from goop2.storage.errors import AccessError
from goop2.storage.file_quota import CARELESS, FileCare
from goop2.storage.limits import VISITOR_SECONDS
from goop2.storage.policies import Visitor
from goop2.storage.table_access import TableAccess
from goop2.storage.template_group import Roles, manifest, requires_email
from goop2.storage.write_queue import Rank

OWNER_SECONDS: Final = 10.0
STRANGER_SECONDS: Final = 5.0
"""From acceptance, waiting included."""
ROUND_SECONDS: Final = STRANGER_SECONDS / 2
"""In which everybody who waits has a turn: the time of a statement is this, shared by all who wait."""
WAITING_MAX: Final = 256
"""Operations of strangers waiting; beyond it the one with most gives way (scripting/fair_queue.py)."""
OWNERS_WAITING_MAX: Final = 256
SAID_MAX: Final = 100
"""Texts that cannot be read, each told once."""

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger("goop2.services.tables")

Request = Mapping[str, object]
BUSY: Final = Failure(ErrorCode.UNAVAILABLE, "too many operations are waiting; try again later", retry_after_seconds=BUSY_RETRY_SECONDS)
LATE: Final = Failure(ErrorCode.TIMEOUT, "the operation took longer than its time")
CROWDED: Final = Failure(
    ErrorCode.TIMEOUT,
    "the operation took longer than its time, which is short while many wait; try again later",
    retry_after_seconds=BUSY_RETRY_SECONDS,
)
FAULT: Final = Failure(ErrorCode.UNAVAILABLE, "the operation failed by a mistake of goop2's own; the peer's log has it")
STOPPED: Final = Failure(ErrorCode.UNAVAILABLE, "the peer is stopping")


class _Job:
    """An operation on a table, from acceptance to outcome."""

    __slots__ = ("account", "condition", "deadline", "operation", "outcome", "query_seconds", "request", "visitor")

    def __init__(self, operation: str, visitor: Visitor, request: Request, condition: str, deadline: float) -> None:
        self.operation = operation
        self.visitor = visitor
        self.request = request
        self.condition = condition
        self.deadline = deadline
        self.account = ""
        self.query_seconds = VISITOR_SECONDS
        self.outcome: asyncio.Future[Success | Failure] = asyncio.get_running_loop().create_future()


class _Operator:
    """Does operations on a connection of its own; `rank` is its rank as a writer."""

    def __init__(self, name: str, rank: Rank, path: Path, care: FileCare) -> None:
        self.database = AsyncDatabase(
            name, partial(open_database, path, watchful=True, care=care, rank=rank, on_invalid_text=self._tell), self._prepare
        )
        self._access: TableAccess | None = None
        self._said: set[str] = set()

    def _prepare(self, database: Database) -> None:
        self._access = TableAccess(database)

    def _tell(self, sentence: str) -> None:
        if sentence not in self._said and len(self._said) < SAID_MAX:
            self._said.add(sentence)
            _log.warning(sentence)

    async def do(self, job: _Job) -> Success | Failure:
        """Do a job and return the outcome. A cancelled caller's job is not begun."""
        return await self.database.run(lambda database: self._do(database, job))

    def _do(self, database: Database, job: _Job) -> Success | Failure:
        # It may have waited in the queue beyond its time; then nothing of it is begun.
        if time.monotonic() >= job.deadline:
            return LATE
        assert self._access is not None
        # Before each job: the connection still has the deadline and the lock time of the last one.
        database.bound(job.deadline, job.query_seconds)
        try:
            answer = self._access.perform(job.operation, job.visitor, job.request, condition=job.condition)
            return Success(msgspec.json.encode(answer))
        except AccessError as error:
            code = ErrorCode(error.code)
            return CROWDED if code is ErrorCode.TIMEOUT and job.query_seconds < VISITOR_SECONDS else Failure(code, str(error))
        except Exception:
            _log.exception("an operation on a table failed", operation=job.operation)
            return FAULT


RolesOf = Callable[[str], Roles]
"""Peer id → its roles in the groups of type `template` hosted here."""


class Tables:
    """The tables of one peer. `roles_of` says who is what in the groups of type `template` hosted here (policy `group`)."""

    def __init__(self, path: Path, roles_of: RolesOf = lambda _id: {}, care: FileCare = CARELESS) -> None:
        self._roles_of = roles_of
        self._owners = _Operator("goop2-tables-owner", Rank.PEER, path, care)
        self._strangers = _Operator("goop2-tables", Rank.STRANGER, path, care)
        self._owners_waiting = 0
        self._accounts = Accounts(time.monotonic)
        self._line: FairQueue[_Job] = FairQueue(WAITING_MAX, self._accounts.queue_charge)
        self._serving: asyncio.Task[None] | None = None
        self._stopped = False

    async def open(self) -> None:
        """Open both connections. Raises `DatabaseError`."""
        await self._owners.database.open()
        await self._strangers.database.open()

    async def template(self) -> dict[str, object]:
        """Return what goop.template holds: the manifest of the site's template, and `require_email`. Raises `StorageError`."""
        return await self._owners.database.run(lambda database: {**manifest(database), "require_email": requires_email(database)})

    async def close(self) -> None:
        """Answer waiting jobs with `STOPPED`, and close both connections."""
        self._stopped = True
        while (job := self._line.take(lambda _: True)) is not None:
            _settle(job, STOPPED)
        if self._serving is not None:
            await self._serving
        for operator in (self._owners, self._strangers):
            await operator.database.close()

    async def perform(self, operation: str, caller: Caller, request: Request, *, condition: str = "") -> Success | Failure:
        """Do an operation of the data protocol for `caller`; return its answer as JSON text.

        `request`: the operation's keys (network.md, "Data"). `condition`: SQL of the site that every row must meet (api.json, `filter`).
        """
        if self._stopped:
            return STOPPED
        roles = self._roles_of(caller.id)
        member = any(role is not None for role in roles.values())
        visitor = Visitor(caller.id, caller.email, member=member, owner=caller.owner, roles=roles)
        seconds = OWNER_SECONDS if caller.owner else STRANGER_SECONDS
        job = _Job(operation, visitor, request, condition, time.monotonic() + seconds)
        return await (self._for_owner(job) if caller.owner else self._for_stranger(job, caller.account))

    async def _for_owner(self, job: _Job) -> Success | Failure:
        if self._owners_waiting >= OWNERS_WAITING_MAX:
            return BUSY
        self._owners_waiting += 1
        try:
            return await self._owners.do(job)
        finally:
            self._owners_waiting -= 1

    async def _for_stranger(self, job: _Job, account: str) -> Success | Failure:
        job.account = account
        turned_away = self._line.offer(account, job)
        if turned_away is not None:
            _settle(turned_away, BUSY)
        if self._serving is None:
            self._serving = asyncio.create_task(self._serve())
        try:
            return await job.outcome
        finally:
            self._line.remove(job)  # whoever has gone needs no answer

    async def _serve(self) -> None:
        """Do the operations of strangers, in fair order, while there are any."""
        try:
            while (job := self._line.take(lambda _: True)) is not None:
                begun = time.monotonic()
                # The more callers wait, the less time each statement has, so that all get a turn within ROUND_SECONDS.
                job.query_seconds = min(VISITOR_SECONDS, ROUND_SECONDS / (1 + self._line.callers))
                _settle(job, await self._strangers.do(job))
                self._accounts.charge(job.account, time.monotonic() - begun)
        finally:
            self._serving = None


def _settle(job: _Job, outcome: Success | Failure) -> None:
    if not job.outcome.done():
        job.outcome.set_result(outcome)


def read_request(body: bytes) -> Request | Failure:
    """Return a request's keys from JSON text."""
    try:
        found: object = decode(body or b"{}")
    except InvalidJsonError as error:
        return Failure(ErrorCode.BAD_REQUEST, f"the request is not JSON: {error}")
    if not isinstance(found, dict):
        return Failure(ErrorCode.BAD_REQUEST, 'the request should be an object, as in {"table": name}')
    return found


@asynccontextmanager
async def open_tables(path: Path, roles_of: RolesOf, care: FileCare = CARELESS) -> AsyncIterator[Tables]:
    """Open the tables of the database at `path` until the block is left. Raises `DatabaseError`."""
    tables = Tables(path, roles_of, care)
    try:
        await tables.open()
        yield tables
    finally:
        await tables.close()
