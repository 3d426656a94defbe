"""Apply the files in schemas/ at the start, and whenever one is saved while the peer runs.

storage/schema_declarations.py knows what a file means. This module knows when to look, and holds the warnings to show.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Final

import structlog

from goop2.scripting.watch import watch_folders
from goop2.services.watchers import watching
from goop2.storage import schema_declarations
from goop2.storage.database import FILE, open_database
from goop2.storage.errors import StorageError
from goop2.storage.file_quota import CARELESS, FileCare

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger("goop2.schemas")

Signature = tuple[tuple[str, int, int, int], ...]
_NEVER_SEEN: Final[Signature] = (("", -1, -1, -1),)


class SchemaFiles:
    """The schema files of the peer in `folder`, whose database has its tables already."""

    def __init__(self, folder: Path, care: FileCare = CARELESS) -> None:
        self._folder = folder
        self._care = care
        self._seen = _NEVER_SEEN
        self._applying = threading.Lock()
        self._linked = False
        """Whether a file is a link: what it leads to is not watched."""
        self.warnings: tuple[str, ...] = ()
        """What could not be done for which file, a sentence each."""

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Apply no file while the block runs: files and tables change together in it. For a thread."""
        with self._applying:
            yield

    async def apply(self) -> None:
        """Make missing tables and add new columns, if a file has changed since the last time. No content of a file makes it raise."""
        await asyncio.to_thread(self._apply)

    async def watch(self, stop: asyncio.Event) -> None:
        """Apply files when they are saved, until `stop` is set; each new warning is logged."""

        async def look() -> None:
            before = self.warnings
            await self.apply()
            for warning in self.warnings:
                if warning not in before:
                    _log.warning("schema file", warning=warning)

        await watch_folders(lambda: [self._folder / schema_declarations.FOLDER], look, stop, lambda: not self.warnings and not self._linked)

    def _apply(self) -> None:
        with self._applying:
            self._apply_changed()

    def _apply_changed(self) -> None:
        signature = self._signature()
        if signature == self._seen:
            return
        if not signature:
            self._seen, self.warnings = signature, ()
            return
        try:
            database = open_database(self._folder / FILE, guarded=False, care=self._care)
        except StorageError as error:
            self.warnings = (f"the files in {schema_declarations.FOLDER}/ were not applied: {error}",)
            return
        try:
            self.warnings = tuple(schema_declarations.apply_files(database, self._folder))
            self._seen = signature
        except StorageError as error:  # tried again at the next look
            self.warnings = (f"the files in {schema_declarations.FOLDER}/ were not applied: {error}",)
        finally:
            database.close()

    def _signature(self) -> Signature:
        """Return a value that changes when a file does; empty when there is no folder."""
        try:
            with os.scandir(self._folder / schema_declarations.FOLDER) as listed:
                entries = list(listed)
                self._linked = any(entry.is_symlink() for entry in entries)
                found = [(entry.name, status.st_ino, status.st_size, status.st_mtime_ns) for entry in entries if (status := _status(entry))]
        except OSError:
            found = [("", 0, 0, 0)] if os.path.lexists(self._folder / schema_declarations.FOLDER) else []
        return tuple(sorted(found))


def _status(entry: os.DirEntry[str]) -> os.stat_result | None:
    try:
        return entry.stat()
    except OSError:  # gone meanwhile, or a link to nothing
        try:
            return entry.stat(follow_symlinks=False)
        except OSError:
            return None


@contextlib.asynccontextmanager
async def open_schemas(folder: Path, care: FileCare = CARELESS, *, watch: bool = False) -> AsyncIterator[SchemaFiles]:
    """Apply the schema files of the peer in `folder`; with `watch`, each again as it is saved, until the block is left."""
    schemas = SchemaFiles(folder, care)
    await schemas.apply()
    async with watching(schemas.watch) if watch else contextlib.nullcontext():
        yield schemas
