"""The file data/runs.db: its table, and how runs are written, removed and found. Synchronous, for one thread.

The file may have come with a folder from a stranger, and contains what strangers sent: no view or trigger of it runs, and a row that we did
not write is skipped. Every failure is a `RunFileError`.
"""

from __future__ import annotations

import contextlib
import os
import stat
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

import apsw
import msgspec

from goop2.folder.regular_files import shown
from goop2.protocols import untrusted_json
from goop2.storage.connection_settings import OPEN_FLAGS
from goop2.storage.database_files import SUFFIXES, sqlite_name
from goop2.storage.errors import StorageError
from goop2.storage.run_limits import (
    DAY_SECONDS,
    FOUND_MAX,
    ID_GAP,
    MEMORY_MAX_BYTES,
    MEMORY_RUNS_MAX,
    PENDING_MAX_BYTES,
    SPARE_SHARE,
    TRIM_AGE_SECONDS,
    TRIM_SHARE,
    WAL_PAGES_MAX,
    WAL_SHARE,
    RunLimits,
)
from goop2.storage.run_record import FAILED, OK, REFUSED, SCRIPT_ERROR, Run, RunFilter, level_mask, wanted_mask
from goop2.storage.sqlite_errors import DAMAGED, explained
from goop2.storage.values import INTEGER_MAX

FILE: Final = "data/runs.db"
MEMORY: Final = ":memory:"
_VERSION: Final = 1
"""`user_version` of the file; another one is not ours to change."""
_INCREMENTAL: Final = 2
"""Of PRAGMA auto_vacuum: pages that became free are given back when asked for."""
_BUSY_MILLISECONDS: Final = 2000
_MANY_PAGES: Final = 1000
"""Given back to the system at a time, 4 MB."""

_BRIEF: Final = (
    "id", "kind", "script", "caller", "status", "message", "line", "started", "milliseconds", "waited_milliseconds", "memory_bytes",
    "truncated", "caller_kind", "caller_label", "version", "argument_bytes", "answer_bytes", "count", "refused",
)  # fmt: skip
"""Columns a list of runs shows. Larger ones stand behind them in a row, so that SQLite need not read those."""
_LARGE: Final = ("traceback", "argument", "answer", "log", "calls")
_TEXTS: Final = ("script", "caller", "caller_label", "message", "CAST(argument AS TEXT)", "CAST(answer AS TEXT)")
"""What a text is looked for in, beside the log."""
_COLUMNS: Final = (*_BRIEF, "levels", *_LARGE)

_SCHEMA: Final = f"""
CREATE TABLE runs (
  id INTEGER PRIMARY KEY, kind TEXT, script TEXT, caller TEXT, status TEXT, message TEXT, line INTEGER, started REAL, milliseconds REAL,
  waited_milliseconds REAL, memory_bytes INTEGER, truncated INTEGER, caller_kind TEXT, caller_label TEXT, version BLOB,
  argument_bytes INTEGER, answer_bytes INTEGER, count INTEGER, refused INTEGER, levels INTEGER,
  traceback TEXT, argument BLOB, answer BLOB, log TEXT, calls TEXT);
CREATE INDEX runs_by_script ON runs (script, id);
CREATE INDEX runs_by_time ON runs (started);
CREATE INDEX runs_ok ON runs (id) WHERE status = '{OK}';
CREATE INDEX runs_not_ok ON runs (started) WHERE status <> '{OK}';
PRAGMA user_version = {_VERSION};
"""
_ADD: Final = f"INSERT OR REPLACE INTO runs ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))})"
_MOVE: Final = f"UPDATE runs SET id = max(?, (SELECT max(id) FROM runs)) + {ID_GAP} WHERE id = ?"
_PLACE_OF_ID: Final = _COLUMNS.index("id")

_REMEDIES: Final = {
    DAMAGED: "the file is damaged; move it away, and a new one is begun",
    "the file is not a database": "the file is not a database; move it away, and a new one is begun",
}
"""What SQLite says of the file → what is to be done, where another file would be restored from a backup."""

_Value = None | int | float | str | bytes
_encode = msgspec.json.Encoder().encode


class RunFileError(StorageError):
    """The file of runs cannot be used; the message names it and says what to do."""


class FailureCount(msgspec.Struct, frozen=True):
    """How often one script failed, or its callers were turned away, in a span of time."""

    kind: str
    script: str
    status: str
    """Of the last one."""
    refused: bool
    count: int
    last_at: float
    """When the last one began, seconds since 1970."""
    line: int | None
    message: str
    """Of the last one."""
    last_id: int


class RunDatabase:
    """One open file of runs, or a database in memory where there is none."""

    def __init__(self, path: Path | None, limits: RunLimits) -> None:
        """Open `path`, made when missing; None is in memory. Raises `RunFileError`."""
        self.path = path
        self._limits = _within_memory(limits) if path is None else limits
        self._looked_at = 0.0
        name = MEMORY if path is None else _made(path)
        with self._told():
            self._connection = apsw.Connection(name, flags=OPEN_FLAGS)
            try:
                self._configure()
                self._rows = int(self._value("SELECT count(*) FROM runs") or 0)
                self.trim(time.time())
            except BaseException:
                self._connection.close(True)
                raise

    def use(self, limits: RunLimits) -> None:
        """Use other limits; what is beyond them goes with the next runs."""
        self._limits = _within_memory(limits) if self.path is None else limits

    @property
    def last_id(self) -> int:
        """Return the id of the newest run, 0 without one."""
        with self._told():
            return int(self._value("SELECT max(id) FROM runs") or 0)

    def add(self, runs: Iterable[Run]) -> None:
        """Write runs in one transaction, and remove what is then too much. Raises `RunFileError`.

        A summary takes the place of the one of the same id. Any other run that has the id of one of these was written by another process
        beside this one, which may have told nobody of it: it gets another.
        """
        with self._told(), self._connection:
            single: list[Run] = []
            for run in runs:
                if run.refused and run.count > 1:
                    self._add_summary(run)
                else:
                    single.append(run)
            self._make_way(single)
            self._connection.executemany(_ADD, map(_row, single))
            self._rows += len(single)
            self._trim_count()
        self.trim(time.time())

    def _add_summary(self, run: Run) -> None:
        """Write a summary of refused calls in the place of the one of the same id."""
        is_summary = self._value("SELECT refused AND count > 1 FROM runs WHERE id = ?", (run.id,))
        if is_summary == 0:
            # Another process used this id for a run of its own, which moves; a summary is written again and again under one id.
            self._connection.execute(_MOVE, (run.id, run.id))
        self._connection.execute(_ADD, _row(run))
        self._rows += not is_summary

    def _make_way(self, runs: list[Run]) -> None:
        """Give new ids to runs of another process that use those of `runs`. Usually there are none, so one query checks all."""
        if not runs:
            return
        ids = {run.id for run in runs}
        taken = self._connection.execute("SELECT id FROM runs WHERE id BETWEEN ? AND ?", (min(ids), max(ids))).fetchall()
        for (taken_id,) in taken:
            if taken_id in ids:
                self._connection.execute(_MOVE, (max(ids), taken_id))

    def adopt(self, runs: Sequence[Run]) -> None:
        """Write runs of another process under ids of this file, since another may have taken theirs meanwhile."""
        with self._told(), self._connection:
            for run in runs:
                row = list(_row(run))
                if self._value("SELECT 1 FROM runs WHERE id = ?", (run.id,)) is not None:
                    row[_PLACE_OF_ID] = None
                self._connection.execute(_ADD, row)
                self._rows += 1

    def trim(self, now: float) -> None:
        """Remove runs that are too old, and the oldest ones, successes first, while the file is too large."""
        with self._told():
            # Also when the clock was set back: then the difference is large too.
            if abs(now - self._looked_at) >= TRIM_AGE_SECONDS:
                self._looked_at = now
                self._connection.execute("DELETE FROM runs WHERE started < ?", (now - self._limits.keep_days * DAY_SECONDS,))
                self._rows = int(self._value("SELECT count(*) FROM runs") or 0)
                self._trim_count()
            # In steps, because SQLite says how much a row took only after it is deleted.
            while self._rows and self._used_bytes() > self._most_bytes():
                with self._connection:
                    self._remove_oldest(max(1, self._rows // TRIM_SHARE))
            if self._pragma("freelist_count") > _MANY_PAGES:
                self._connection.execute(f"PRAGMA incremental_vacuum({_MANY_PAGES})").fetchall()

    def find(self, wanted: RunFilter, limit: int = FOUND_MAX, *, whole: bool = False) -> list[Run]:
        """Return runs, newest first; without what only one that is opened shows, unless `whole`. Raises `RunFileError`."""
        conditions, arguments = _conditions(wanted)
        columns = (*_BRIEF, *_LARGE) if whole else _BRIEF
        where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
        sql = f"SELECT {', '.join(columns)} FROM runs{where} ORDER BY id DESC LIMIT ?"
        with self._told(), self._mentioning(wanted.text):
            found = self._connection.execute(sql, (*arguments, min(max(limit, 0), FOUND_MAX))).fetchall()
        return [run for row in found if (run := _run(columns, row)) is not None]

    def get(self, run_id: int) -> Run | None:
        """Return the run of this id, whole; None when it is not kept. Raises `RunFileError`."""
        if not 0 < run_id < INTEGER_MAX:  # SQLite has no larger numbers
            return None
        found = self.find(RunFilter(after=run_id - 1, before=run_id + 1), 1, whole=True)
        return found[0] if found else None

    def failures(self, since: float) -> list[FailureCount]:
        """Return what failed and what was turned away since then, by script, the last first. Raises `RunFileError`."""
        # SQLite takes the other columns from the row that has the maximum.
        sql = (
            "SELECT kind, script, status, refused, sum(count), max(started), line, message, id FROM runs"
            f" WHERE status <> '{OK}' AND started >= ? GROUP BY kind, script, refused, iif(refused, status, '')"
            f" ORDER BY max(started) DESC LIMIT {FOUND_MAX}"
        )
        with self._told():
            rows = self._connection.execute(sql, (since,)).fetchall()
        return [found for row in rows if (found := _failure_count(row)) is not None]

    def all(self) -> list[Run]:
        """Return every run, the oldest first; for one in memory, which is small."""
        return self.find(RunFilter(), whole=True)[::-1]

    def close(self) -> None:
        """Close the file; what stands in its write-ahead log goes into it. Idempotent."""
        with contextlib.suppress(apsw.Error):
            self._connection.close(True)

    # ── inside ───────────────────────────────────────────────────────────────────────────────

    def _configure(self) -> None:
        connection = self._connection
        connection.set_busy_timeout(_BUSY_MILLISECONDS)
        _harden(connection)
        connection.pragma("auto_vacuum", _INCREMENTAL)  # before the first table, else it has no effect
        connection.pragma("journal_mode", "wal")
        connection.pragma("synchronous", "normal")  # a commit survives the process; a checkpoint the machine
        pages = max(1, min(WAL_PAGES_MAX, self._limits.max_bytes // WAL_SHARE // self._pragma("page_size")))
        connection.pragma("wal_autocheckpoint", pages)
        connection.pragma("journal_size_limit", pages * self._pragma("page_size"))
        if self._pragma("user_version") == 0 and self._value("SELECT count(*) FROM sqlite_schema") == 0:
            with connection:
                connection.execute(_SCHEMA)
        if self._pragma("user_version") != _VERSION:
            raise RunFileError(_sentence(self.path, "it was not written by this version of goop2"))

    def _trim_count(self) -> None:
        if self._rows > self._limits.keep_count:
            self._remove_oldest(self._rows - self._limits.keep_count)

    def _remove_oldest(self, number: int) -> None:
        """Remove so many runs: successes first, since failures are what somebody will look for."""
        for which in (f"WHERE status = '{OK}' ", ""):
            before = self._connection.total_changes()
            self._connection.execute(f"DELETE FROM runs WHERE id IN (SELECT id FROM runs {which}ORDER BY id LIMIT ?)", (number,))
            removed = self._connection.total_changes() - before
            self._rows -= removed
            number -= removed
            if number <= 0:
                return

    def _used_bytes(self) -> int:
        return (self._pragma("page_count") - self._pragma("freelist_count")) * self._pragma("page_size")

    def _most_bytes(self) -> int:
        most = self._limits.max_bytes
        return most - min(most // SPARE_SHARE, PENDING_MAX_BYTES)

    def _pragma(self, name: str) -> int:
        return int(self._connection.pragma(name))

    def _value(self, sql: str, arguments: Sequence[_Value] = ()) -> _Value:
        row = self._connection.execute(sql, arguments).fetchone()
        return None if row is None else row[0]

    @contextlib.contextmanager
    def _mentioning(self, text: str) -> Iterator[None]:
        """Give statements the function `mentions` for this text, while the block runs."""
        # SQLite's lower() knows ASCII only; other texts need the slower function.
        if text.isascii():
            yield
            return
        self._connection.create_scalar_function("mentions", _mentions(text), deterministic=True)
        try:
            yield
        finally:
            self._connection.create_scalar_function("mentions", None)

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        """Raise SQLite's errors as `RunFileError`."""
        try:
            yield
        except (apsw.Error, MemoryError, UnicodeError) as error:
            raise RunFileError(_sentence(self.path, explained(error))) from None


class ReadOnlyRunDatabase(RunDatabase):
    """The file of runs as a command reads it, beside a peer that writes to it or alone."""

    def __init__(self, path: Path) -> None:
        """Open `path`. Raises `RunFileError`, also when there is none."""
        self.path = path
        with self._told():
            self._connection = _reading(path)
            try:
                self._connection.set_busy_timeout(_BUSY_MILLISECONDS)
                _harden(self._connection)
                if self._pragma("user_version") != _VERSION:
                    raise RunFileError(_sentence(path, "it was not written by this version of goop2"))
            except BaseException:
                self._connection.close(True)
                raise


def _within_memory(limits: RunLimits) -> RunLimits:
    """Return the limits of a history that is in memory alone."""
    return RunLimits(limits.keep_days, MEMORY_RUNS_MAX, MEMORY_MAX_BYTES)


def _reading(path: Path) -> apsw.Connection:
    flags = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
    _check(path)
    connection = apsw.Connection(sqlite_name(path), flags=flags)
    try:
        connection.pragma("user_version")
    except (apsw.CantOpenError, apsw.ReadOnlyError):  # a medium that can only be read: nobody writes to the file
        connection.close(True)
        connection = apsw.Connection(f"file:{shown(path.absolute())}?immutable=1", flags=flags)
    return connection


def _harden(connection: apsw.Connection) -> None:
    connection.config(apsw.SQLITE_DBCONFIG_DEFENSIVE, 1)
    connection.config(apsw.SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0)
    # The file may have come with a stranger's folder: nothing in its schema may run.
    connection.config(apsw.SQLITE_DBCONFIG_ENABLE_TRIGGER, 0)
    connection.config(apsw.SQLITE_DBCONFIG_ENABLE_VIEW, 0)
    connection.pragma("mmap_size", 0)


def _made(path: Path) -> str:
    """Make the file for its owner's eyes alone, unless it is there. Return its name as SQLite is told it."""
    _check(path)
    try:
        path.parent.mkdir(mode=0o700, exist_ok=True)
        with contextlib.suppress(FileExistsError):  # the files SQLite makes beside it get the same mode
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise RunFileError(_sentence(path, error.strerror or str(error))) from None
    return sqlite_name(path)


def _check(path: Path) -> None:
    """Refuse links and special files in its place: SQLite would write wherever they lead. Raises `RunFileError`."""
    for suffix in ("", *SUFFIXES):
        file = path.with_name(path.name + suffix)
        try:
            mode = file.lstat().st_mode
        except FileNotFoundError:
            continue
        except OSError as error:
            raise RunFileError(_sentence(path, error.strerror or str(error))) from None
        if not stat.S_ISREG(mode):
            raise RunFileError(_sentence(path, f"{file.name} is {'a link' if stat.S_ISLNK(mode) else 'not a regular file'}"))


def _sentence(path: Path | None, why: str) -> str:
    return f"runs are not kept in {FILE if path is None else shown(path)}: {_REMEDIES.get(why, why)}"


def _conditions(wanted: RunFilter) -> tuple[list[str], list[_Value]]:
    """Return the conditions in SQL, and their values."""
    compared: tuple[tuple[str, _Value], ...] = (
        ("script = ?", wanted.script),
        ("kind = ?", wanted.kind),
        ("caller GLOB ?", _pattern(wanted.caller)),
        ("status = ?", "" if wanted.status in (FAILED, REFUSED) else wanted.status),
        ("started >= ?", wanted.since),
        ("id > ?", wanted.after),
        ("id < ?", wanted.before),
        ("(levels & ?) <> 0", wanted_mask(wanted.level) if wanted.level else 0),
    )
    conditions = [condition for condition, value in compared if value]
    if wanted.status == FAILED:
        conditions.append(f"status <> '{OK}' AND (NOT refused OR status = '{SCRIPT_ERROR}')")
    elif wanted.status == REFUSED:
        conditions.append(f"status <> '{OK}' AND refused")
    arguments: list[_Value] = [value for _, value in compared if value]
    if wanted.text.isascii() and wanted.text:
        conditions.append(f"({' OR '.join(f'instr(lower({column}), ?)' for column in (*_TEXTS, 'log'))})")
        needle = wanted.text.lower()
        arguments += [*(needle for _ in _TEXTS), _in_json(needle)]
    elif wanted.text:
        conditions.append(f"mentions({', '.join(_TEXTS)}, log)")
    return conditions, arguments


def _pattern(caller: str) -> str:
    """Return the pattern for an id, whole or as lists shorten it (`12D3KooWS8N3…fsMTg9`)."""
    # The ellipsis matches anything; GLOB's own signs are escaped.
    return "".join("*" if each == "…" else f"[{each}]" if each in "*?[" else each for each in caller)


def _mentions(text: str) -> Callable[..., bool]:
    """Return a function that says whether this text, whatever its case, stands in one of its arguments, of which the last is JSON.

    SQLite's own functions are ten times as quick, and know case in ASCII alone.
    """
    needle = text.casefold()
    in_json = _in_json(needle)

    def mentions(*values: _Value) -> bool:
        *plain, log = values
        return any(needle in _text(value).casefold() for value in plain if value) or in_json in _text(log).casefold()

    return mentions


def _in_json(text: str) -> str:
    """Return the text as it stands inside a JSON string."""
    return _encode(text)[1:-1].decode()


def _text(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value or "")


def _row(run: Run) -> tuple[_Value, ...]:
    """Return a run as the values of _COLUMNS."""
    return (
        run.id, run.kind, run.script, run.caller, run.status, run.message, run.line, run.started, run.milliseconds, run.waited_milliseconds,
        run.memory_bytes, run.truncated, run.caller_kind, run.caller_label, run.version, run.argument_bytes, run.answer_bytes, run.count,
        run.refused, level_mask(run.log), run.traceback, run.argument, run.answer,
        _encode(run.log).decode() if run.log else None, _encode(run.calls).decode() if run.calls else None,
    )  # fmt: skip


def _run(columns: Sequence[str], row: Sequence[_Value]) -> Run | None:
    """Return a row as a run; None for one that we did not write."""
    fields: dict[str, object] = dict(zip(columns, row, strict=True))
    try:
        for name in ("log", "calls"):
            text = fields.get(name)
            fields[name] = untrusted_json.decode(str(text)) if text else ()  # a folder may have come from somebody else
        fields["truncated"], fields["refused"] = bool(fields["truncated"]), bool(fields["refused"])
        return msgspec.convert(fields, Run, builtin_types=(bytes,))
    except (msgspec.MsgspecError, ValueError):
        return None


def _failure_count(row: Sequence[_Value]) -> FailureCount | None:
    """Return what `failures` reads as a struct; None for a row that we did not write."""
    names = ("kind", "script", "status", "refused", "count", "last_at", "line", "message", "last_id")
    try:
        return msgspec.convert(dict(zip(names, row, strict=True)) | {"refused": bool(row[3])}, FailureCount)
    except msgspec.MsgspecError:
        return None
