"""Imports that the console begins: a file comes in parts, is checked and added in a thread of its own, and can be watched and stopped.

One at a time: an import takes the lock again and again, and whoever begins a second one has most likely forgotten the first.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
import secrets
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Final, Literal, TypeVar

import msgspec
import structlog

from goop2.storage.database import FILE, Database, open_database
from goop2.storage.errors import StorageError
from goop2.storage.file_quota import CARELESS, FileCare
from goop2.storage.import_limits import IMPORT_MAX_BYTES, PART_MAX_BYTES, PAUSE_SECONDS, WORK_SECONDS
from goop2.storage.import_source import Form
from goop2.storage.table_import import ImportChecked, ImportPlan, ImportStoppedError, Preview, RowFault, TableImport
from goop2.storage.typed_tables import Owner

T = TypeVar("T")
PLACE: Final = "data"
"""Folder of the peer in which the file waits; it is for this user alone."""
NAME: Final = "import-{}.tmp"
ID_BYTES: Final = 8

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger("goop2.services.imports")

Stage = Literal["receiving", "check", "add", "done", "refused", "failed"]


class ImportState(msgspec.Struct, frozen=True, kw_only=True):
    """How far an import is: bytes of the file and rows, as the page shows them."""

    id: str
    stage: Stage
    bytes_read: int = 0
    bytes_all: int = 0
    rows: int = 0
    """Looked at, or added."""
    wrong: int = 0
    faults: list[RowFault] = []
    message: str = ""
    """Why it failed, or was refused."""


class TableImports:
    """The imports of one peer, one at a time: a file is sent, looked at, and then added or dropped."""

    def __init__(self, folder: Path, owner: Owner, care: FileCare = CARELESS) -> None:
        """`owner`: to whom imported rows belong. `care`: of the connection that writes."""
        self._folder = folder
        self._owner = owner
        self._care = care
        self._thread = ThreadPoolExecutor(1, "goop2-import")
        self._state: ImportState | None = None
        self._path: Path | None = None
        self._stopping = False
        self._task: asyncio.Task[None] | None = None

    def sweep(self) -> None:
        """Remove the files of imports that a stop has interrupted."""
        for left in (self._folder / PLACE).glob(NAME.format("*")):
            with contextlib.suppress(OSError):
                left.unlink()

    async def close(self) -> None:
        """Stop what is under way, and take back what it has added."""
        self._stopping = True
        if self._task is not None:
            await asyncio.gather(self._task, return_exceptions=True)
        self._forget_file()
        self._thread.shutdown()

    async def preview(self, beginning: bytes, form: Form, plan: ImportPlan, *, partial: bool) -> Preview:
        """Return how a file that begins so would be imported."""
        # Not in the thread of the import, which may be at work for a minute.
        return await asyncio.to_thread(self._work, lambda work: work.preview(io.BytesIO(beginning), form, plan, partial=partial))

    async def begin(self) -> ImportState:
        """Begin an import, whose file comes in parts. Raises `StorageError` while another is under way."""
        if self._task is not None and not self._task.done():
            raise StorageError("an import is under way: wait for its end, or stop it")
        self._forget_file()
        name = secrets.token_hex(ID_BYTES)
        path = self._folder / PLACE / NAME.format(name)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        os.close(descriptor)
        self._path, self._stopping = path, False
        self._state = ImportState(id=name, stage="receiving")
        return self._state

    async def receive(self, name: str, offset: int, part: bytes) -> ImportState:
        """Take the next part of the file. Raises `StorageError`."""
        state, path = self._current(name)
        if state.stage != "receiving" or offset != state.bytes_all:
            raise StorageError("the parts of the file did not come in order: begin anew")
        if len(part) > PART_MAX_BYTES or offset + len(part) > IMPORT_MAX_BYTES:
            raise StorageError(f"the file is larger than {IMPORT_MAX_BYTES} bytes: import it in parts")
        self._state = msgspec.structs.replace(state, bytes_all=offset + len(part))

        def write() -> None:
            with path.open("ab") as stream:
                stream.write(part)

        try:
            await asyncio.to_thread(write)
        except OSError as error:
            raise StorageError(f"the file was not kept: {error.strerror}") from None
        return self._state

    async def start(self, name: str, form: Form, plan: ImportPlan) -> ImportState:
        """Check the file and, if it may be, add its rows; `state` tells how far that is."""
        state, path = self._current(name)
        if state.stage != "receiving":
            raise StorageError("this import was started already")
        self._state = msgspec.structs.replace(state, stage="check")
        self._task = asyncio.create_task(self._import(path, form, plan))
        return self._state

    def state(self, name: str) -> ImportState:
        """Return how far an import is. Raises `StorageError` when there is none of that name."""
        return self._current(name)[0]

    def stop(self, name: str) -> ImportState:
        """Stop an import: what it has added is taken back."""
        state, _ = self._current(name)
        self._stopping = True
        if state.stage == "receiving":
            self._forget_file()
        return state

    def _current(self, name: str) -> tuple[ImportState, Path]:
        if self._state is None or self._path is None or self._state.id != name:
            raise StorageError("there is no such import any more")
        return self._state, self._path

    async def _import(self, path: Path, form: Form, plan: ImportPlan) -> None:
        try:
            outcome = await self._outcome(path, form, plan)
        finally:
            # Also when it failed: the file holds the owner's data, and is sent again for another attempt.
            await asyncio.to_thread(path.unlink, missing_ok=True)
        self._settle(*outcome)

    async def _outcome(self, path: Path, form: Form, plan: ImportPlan) -> tuple[Stage, ImportChecked, str]:
        pace = _Pace()
        nothing = ImportChecked(rows=0, wrong=0, faults=[])
        try:
            # The whole file first: a wrong row at its end must not show itself after a million rows were added.
            checked = await self._run(lambda work: work.check(path, form, plan, partial(self._progress, pace)))
            if checked.wrong and not plan.pass_over:
                return "refused", checked, f"{checked.wrong} of {checked.rows + checked.wrong} rows are wrong, so none was added"
            return "done", await self._run(lambda work: work.add(path, form, plan, partial(self._progress, pace))), ""
        except StorageError as error:
            return "failed", nothing, str(error)
        except Exception:
            _log.exception("an import failed")
            return "failed", nothing, "the import failed by a mistake of goop2's own; the peer's log has it"

    def _settle(self, stage: Stage, checked: ImportChecked, message: str) -> None:
        if self._state is not None:
            self._state = msgspec.structs.replace(
                self._state, stage=stage, rows=checked.rows, wrong=checked.wrong, faults=checked.faults, message=message
            )

    def _progress(self, pace: _Pace, stage: str, read: int, rows: int) -> None:
        # In the import's thread. The state is replaced whole, so the loop's thread never sees half of one.
        if self._stopping:
            raise ImportStoppedError("the import was stopped; what it had added was taken back")
        pace.rest()
        if self._state is not None:
            self._state = msgspec.structs.replace(self._state, stage="check" if stage == "check" else "add", bytes_read=read, rows=rows)

    async def _run(self, work: Callable[[TableImport], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._work, work)

    def _work(self, work: Callable[[TableImport], T]) -> T:
        database: Database = open_database(self._folder / FILE, care=self._care)
        try:
            return work(TableImport(database, self._folder, self._owner))
        finally:
            database.close()

    def _forget_file(self) -> None:
        if self._path is not None:
            with contextlib.suppress(OSError):
                self._path.unlink()
        self._state = self._path = None


class _Pace:
    """Lets the peer's own thread go on while a thread computes: Python runs one of them at a time."""

    def __init__(self) -> None:
        self._since = time.monotonic()

    def rest(self) -> None:
        """Sleep for a moment, if it has been at work for a while."""
        if time.monotonic() - self._since > WORK_SECONDS:
            time.sleep(PAUSE_SECONDS)
            self._since = time.monotonic()


@asynccontextmanager
async def open_imports(folder: Path, owner: Owner, care: FileCare = CARELESS) -> AsyncIterator[TableImports]:
    """Give the imports of the peer in `folder` until the block is left; then what is under way is taken back."""
    imports = TableImports(folder, owner, care)
    try:
        yield imports
    finally:
        await imports.close()
