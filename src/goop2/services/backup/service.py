"""The backup of a running peer: decide whether it may write to the place, run Litestream, send the files along, and tell how it goes.

Whatever fails is one sentence for the owner and is tried again; the peer itself goes on. It must not know what shows the sentences.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
import socket
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import msgspec
import structlog

import goop2
from goop2.config import Settings
from goop2.config.replica_place import ReplicaPlace, parse_place
from goop2.config.ticks import seconds_to_tick
from goop2.folder.regular_files import shown
from goop2.scripting.watch import watch_folders
from goop2.services.backup import state as states
from goop2.services.backup import terms
from goop2.services.backup.configuration import DATA, FILES
from goop2.services.backup.files import FolderFiles
from goop2.services.backup.limits import (
    CHECK_FIRST_SECONDS,
    CHECK_SECONDS,
    CHECK_TAKES_SECONDS,
    FILES_LOOK_SECONDS,
    FILES_LOOK_UNTOLD_SECONDS,
    FILES_PAUSE_SECONDS,
    FIRST_LOOK_SECONDS,
    FOLDERS_WATCHED_MAX,
    LATE_SECONDS,
    LOOK_SECONDS,
    RESTART_FIRST_SECONDS,
    RESTART_MAX_SECONDS,
    STEADY_SECONDS,
    TERM_LOOK_SECONDS,
)
from goop2.services.backup.litestream import Litestream, locked, open_litestream
from goop2.services.backup.program import BackupError, find
from goop2.services.backup.state import CheckResult
from goop2.services.backup.terms import Place
from goop2.storage.backup_archive import FILE as ARCHIVE
from goop2.storage.backup_archive import open_archive
from goop2.storage.database import FILE
from goop2.storage.errors import StorageError

LEFT_OUT_SHOWN: Final = 20
_BEGAN: Final = "%Y-%m-%d %H:%M"

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger("goop2.backup")


class BackupStatus(msgspec.Struct, frozen=True, kw_only=True):
    """How the backup of a running peer goes."""

    place: str
    """`backup.to`; "" when there is no backup."""
    problem: str
    copied_at: float | None
    """When everything written had last arrived, seconds since 1970."""
    restarts: int
    left_out: list[str]
    check: CheckResult | None
    pid: int | None
    """Of Litestream."""


class BackupPosition(msgspec.Struct, frozen=True, kw_only=True):
    """What has surely arrived at the place."""

    term: int
    """Of this folder at its place, 0 before the first copy."""
    txid: int
    """Litestream's number of the last transaction that arrived since this peer started, 0 before."""
    copied_at: float
    """Seconds since 1970, 0.0 before."""


class Backup:
    """The backup of the peer in `folder`; `begin` starts it where the settings name a place."""

    def __init__(self, folder: Path, environment: Mapping[str, str] = os.environ) -> None:
        self._folder = folder
        self._environment = environment
        self._task: asyncio.Task[None] | None = None
        self._settings = Settings()
        self._peer, self._label = "", ""
        self._litestream: Litestream | None = None
        self._files: FolderFiles | None = None
        self._look_at_files = asyncio.Event()
        self._files_lock = asyncio.Lock()
        self._retry = asyncio.Event()
        self._copied_at: float | None = None
        self._seen = self._arrived = 0
        self._seen_at = math.inf
        self._problem = self._files_problem = ""
        self._restarts = 0
        self._left_out: list[str] = []
        self.superseded = asyncio.Event()
        """Set when a standby has taken the place of this peer, which must end."""
        self.superseded_by = ""

    @property
    def status(self) -> BackupStatus:
        """Return how the backup goes, for the console, metrics and `goop2 backup`; empty fields where none is set up."""
        return BackupStatus(
            place=self._settings.backup.to,
            problem=self._problem or self._files_problem,
            copied_at=self._copied_at,
            restarts=self._restarts,
            left_out=self._left_out[:LEFT_OUT_SHOWN],
            check=states.last_check(self._folder) if self._settings.backup.to else None,
            pid=self._litestream.pid if self._litestream is not None else None,
        )

    @property
    def position(self) -> BackupPosition:
        """Return what has surely arrived."""
        term = states.load(self._folder).term
        return BackupPosition(term=term, txid=self._arrived, copied_at=self._copied_at or 0.0)

    def begin(self, settings: Settings, peer: str, label: str) -> None:
        """Start the backup that the settings name, if they do, once the database is open."""
        self._settings, self._peer, self._label = settings, peer, label
        if settings.backup.to:
            self._files = FolderFiles(self._folder, settings)
            self._task = asyncio.create_task(self._run(parse_place(settings.backup.to)))

    async def stop(self) -> None:
        """Copy what was written last, and end. Idempotent."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def copy_now(self, *, take_over: bool = False) -> BackupStatus:
        """Send files and database along now, and wait until they have arrived. Raises `BackupError`.

        `take_over`: go on in the place of another folder that writes there.
        """
        if take_over:
            await asyncio.to_thread(begin_next_term, self._folder, self._settings.backup.to, self._environment)
            self._retry.set()
            if self._litestream is not None:
                await self._litestream.stop()
        # Litestream may have been started a moment ago: before it has told of a first copy there is nothing to wait for.
        for _ in range(int(FILES_LOOK_UNTOLD_SECONDS / FIRST_LOOK_SECONDS)):
            if self._litestream is not None and self._copied_at is not None:
                break
            await asyncio.sleep(FIRST_LOOK_SECONDS)
        if self._litestream is None:
            raise BackupError(self._problem or "Litestream does not run yet: try again in a moment")
        await self._save_files()
        try:
            await self._litestream.copy_now()
        except OSError as error:
            raise BackupError(f"Litestream does not answer ({error.strerror or error})") from None
        self._copied_at = time.time()
        return self.status

    async def _run(self, place: ReplicaPlace) -> None:
        """Keep Litestream running until it is cancelled."""
        checks = asyncio.create_task(self._check_now_and_then())
        pause = RESTART_FIRST_SECONDS
        try:
            while True:
                began = time.monotonic()
                try:
                    # Two Litestreams on one database would each undo the other's bookkeeping, so whoever has the lock is the only one.
                    async with locked(self._folder) as lock:
                        await self._once(place, lock)
                except (BackupError, StorageError) as error:
                    self._say(str(error))
                except OSError as error:
                    self._say(f"the system refuses what the backup needs: {error.strerror or error}")
                # One that ran for a while was well: what ended it is new, so the pauses begin anew.
                pause = RESTART_FIRST_SECONDS if time.monotonic() - began > STEADY_SECONDS else pause
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(pause):
                        await self._retry.wait()
                self._retry.clear()
                pause = min(2 * pause, RESTART_MAX_SECONDS)
                self._restarts += 1
        finally:
            checks.cancel()
            await asyncio.gather(checks, return_exceptions=True)

    async def _once(self, place: ReplicaPlace, lock: int) -> None:
        """Run one Litestream to its end. Raises `BackupError`, which says why it has ended."""
        program = await asyncio.to_thread(find, self._environment)
        at = Place(program, place, self._environment)
        try:
            term = await asyncio.to_thread(own_term, self._folder, at, self._settings.backup.to)
        except terms.PlaceTakenError as taken:
            self._look_whether_superseded(taken.notes)
            raise
        # Before Litestream starts, so that the first copy of the archive says already who writes in this term.
        await self._save_files(term)
        databases = databases_of(self._folder)
        check_own_folders(databases)
        settings = self._settings.backup
        running = open_litestream(
            program, place, term, databases, lock, self._environment, every=settings.every_seconds, keep_days=settings.keep_days
        )
        async with running as litestream:
            self._litestream = litestream
            beside = [
                asyncio.create_task(self._watch_copies(litestream)),
                asyncio.create_task(self._watch_files()),
                asyncio.create_task(self._watch_term(at, term)),
            ]
            try:
                await asyncio.wait((litestream.ended, *beside), return_when=asyncio.FIRST_COMPLETED)
                for task in beside:
                    if task.done():
                        task.result()  # raises why it has ended
                raise BackupError(_ended(await litestream.ended, litestream.complaint))
            finally:
                self._litestream = None
                for task in beside:
                    task.cancel()
                await asyncio.gather(*beside, return_exceptions=True)

    async def _save_files(self, term: int = 0) -> None:
        """Send what has changed in the folder's files along. `term`: where it goes, when that is new."""
        files = self._files
        assert files is not None
        self._look_at_files.clear()

        def save() -> list[str]:
            with open_archive(self._folder / ARCHIVE) as archive:
                if term:
                    archive.put_notes(notes_of(self._folder, self._peer, self._label))
                _, left_out = files.save(archive)
                archive.put_notes({terms.LEFT_OUT: "\n".join(left_out)})
            return left_out

        async with self._files_lock:
            self._left_out = await asyncio.to_thread(save)

    async def _watch_files(self) -> None:
        """Send files along when they change. Raises `StorageError`, OSError."""
        files = self._files
        assert files is not None
        stop = asyncio.Event()

        async def changed() -> None:
            self._look_at_files.set()

        def places() -> tuple[Path, ...]:
            return files.folders[:FOLDERS_WATCHED_MAX]

        watching = asyncio.create_task(watch_folders(places, changed, stop))
        try:
            # The kernel does not tell of every change (network file systems, folders beyond FOLDERS_WATCHED_MAX): so we look ourselves too.
            small, looked = await asyncio.to_thread(files.small_state), time.monotonic()
            while True:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(seconds_to_tick(FILES_LOOK_UNTOLD_SECONDS)):
                        await self._look_at_files.wait()
                now = await asyncio.to_thread(files.small_state)
                if self._look_at_files.is_set() or now != small or time.monotonic() - looked > FILES_LOOK_SECONDS:
                    # An editor saves several files one after the other: they go along together.
                    await asyncio.sleep(FILES_PAUSE_SECONDS)
                    small, looked = await asyncio.to_thread(files.small_state), time.monotonic()
                    await self._try_to_save()
        finally:
            stop.set()
            await asyncio.gather(watching, return_exceptions=True)

    async def _try_to_save(self) -> None:
        """Send files along; what fails is told, and tried at the next look."""
        try:
            await self._save_files()
            self._files_problem = ""
        except (StorageError, OSError) as error:
            why = f"the files of the site are not copied: {error}"
            if why != self._files_problem:
                _log.error("the backup has a problem", why=why)
            self._files_problem = why

    async def _watch_copies(self, litestream: Litestream) -> None:
        """Ask Litestream now and then how far it is, and tell when what is written does not arrive."""
        while True:
            await asyncio.sleep(FIRST_LOOK_SECONDS if self._copied_at is None else seconds_to_tick(LOOK_SECONDS))
            # An answer that does not come is told below, as lateness; the reason of one question is of no use to the owner.
            with contextlib.suppress(BackupError, OSError):
                self._copied_at = await litestream.copied_at() or self._copied_at
                if (self._copied_at or 0.0) >= self._seen_at:
                    self._arrived = self._seen
                seen_at = time.time()
                self._seen, self._seen_at = await litestream.position(), seen_at
            since = max(litestream.began, self._copied_at or 0.0)
            late = time.time() - since > self._settings.backup.every_seconds + LATE_SECONDS
            if late:
                when = time.strftime("%H:%M:%S", time.localtime(since))
                self._say(
                    f"nothing was copied to {self._settings.backup.to} since {when}: {litestream.complaint or 'its server does not answer'}"
                )
            elif self._copied_at is not None and self._copied_at >= litestream.began:
                self._say("")

    async def _watch_term(self, at: Place, term: int) -> None:
        """Raise `BackupError` once another folder writes at the place."""
        while True:
            await asyncio.sleep(TERM_LOOK_SECONDS)
            with contextlib.suppress(BackupError):
                newest = await asyncio.to_thread(at.newest, term)
                notes = await asyncio.to_thread(at.notes, newest)
                # A folder that was copied has the same term: the writer's name tells the two apart.
                if newest > term or notes.get(terms.WRITER) != states.load(self._folder).writer:
                    break
        self._look_whether_superseded(notes)
        raise terms.taken(notes, self._settings.backup.to, self._folder)

    def _look_whether_superseded(self, notes: Mapping[str, str]) -> None:
        """Note it when the other one is a standby that has taken this peer's place: two must not speak with one identity."""
        if notes.get(terms.PROMOTED) and notes.get(terms.PEER) == self._peer:
            where = notes.get(terms.HOST, "another machine")
            self.superseded_by = (
                f"a standby on {where} has taken the place of this peer, which stops: two must not speak with one identity; "
                f'remove this folder, or make it a standby ("goop2 standby NEW --from {self._settings.backup.to}")'
            )
            self.superseded.set()

    async def _check_now_and_then(self) -> None:
        """Test once a day whether the backup can be restored, in a process of its own."""
        while True:
            last = states.last_check(self._folder)
            due = CHECK_SECONDS - (time.time() - last.at) if last is not None else 0.0
            await asyncio.sleep(max(CHECK_FIRST_SECONDS, due))
            if self._litestream is not None:
                await self._check()

    async def _check(self) -> None:
        # Restoring takes memory, processor and disk: in a process of its own it can be ended, and calls are answered meanwhile.
        command = (sys.executable, "-m", "goop2", "backup", str(self._folder), "--check", "--json")
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            env=dict(self._environment),
            start_new_session=True,
        )
        try:
            async with asyncio.timeout(CHECK_TAKES_SECONDS):
                await process.wait()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        last = states.last_check(self._folder)
        if last is not None and last.problem:
            _log.error("the backup cannot be restored", why=last.problem)

    def _say(self, problem: str) -> None:
        before, self._problem = self._problem, problem
        if problem and problem != before:
            _log.error("the backup has a problem", why=problem)
        elif before and not problem:
            _log.info("the backup goes on")


def databases_of(folder: Path) -> dict[str, Path]:
    """Return what Litestream copies, by stream; real paths, since it keeps its own files beside them."""
    return {DATA: Path(os.path.realpath(folder / FILE)), FILES: Path(os.path.realpath(folder / ARCHIVE))}


def check_own_folders(databases: Mapping[str, Path]) -> None:
    """Raise `BackupError` where Litestream would keep its own files behind a link: a folder may come from somebody else."""
    for path in databases.values():
        kept = path.with_name(f".{path.name}-litestream")
        if kept.is_symlink():
            raise BackupError(f"{shown(kept)} is a link, and Litestream would write wherever it leads: move it away")


def begin_own_term(folder: Path, to: str, term: int) -> None:
    """Make `folder`, which was a standby, the writer of a term at a place. Raises OSError."""
    states.save(folder, msgspec.structs.replace(states.load(folder), place=to, term=term, promoted=True))


def notes_of(folder: Path, peer: str, label: str) -> dict[str, str]:
    """Return who writes, for the notes beside the files."""
    state = states.load(folder)
    return {
        terms.WRITER: state.writer,
        terms.PROMOTED: "yes" if state.promoted else "",
        terms.HOST: socket.gethostname(),
        terms.PEER: peer,
        terms.LABEL: label,
        terms.VERSION: goop2.__version__,
        terms.BEGAN: time.strftime(_BEGAN),
    }


def own_term(folder: Path, at: Place, to: str) -> int:
    """Return the term in which `folder` writes at the place `to`. Raises `BackupError` when the place is another's."""
    state = states.load(folder)
    own = state.term if state.place == to else 0
    # The place is asked, not only our memory: another folder may have begun a term there since.
    newest = at.newest(own)
    if newest > own or (own and at.exists(own)):
        notes = at.notes(newest)
        if notes.get(terms.WRITER) != state.writer:
            raise terms.taken(notes, to, folder)
    term = newest or 1
    if term != own or state.place != to:
        states.save(folder, msgspec.structs.replace(state, place=to, term=term))
    return term


def begin_next_term(folder: Path, to: str, environment: Mapping[str, str] = os.environ) -> int:
    """Make the next term at the place that of `folder`; return it. Raises `BackupError`, OSError."""
    at = Place(find(environment), parse_place(to), environment)
    state = states.load(folder)
    newest = at.newest(state.term if state.place == to else 0)
    if newest and at.notes(newest).get(terms.WRITER) == state.writer:
        return newest
    # Nothing is written over: copies of the other folder keep their term, and can be restored.
    states.save(folder, msgspec.structs.replace(state, place=to, term=newest + 1))
    return newest + 1


def _ended(code: int, complaint: str) -> str:
    how = f"was ended by the signal {-code}" if code < 0 else f"ended with the code {code}"
    return f"Litestream {how}, and is started again" + (f"; it said: {complaint}" if complaint else "")


@asynccontextmanager
async def open_backup(folder: Path, environment: Mapping[str, str] = os.environ) -> AsyncIterator[Backup]:
    """Make the backup of a folder, to be begun; it ends with the block, after the database is closed."""
    backup = Backup(folder, environment)
    try:
        yield backup
    finally:
        await backup.stop()
