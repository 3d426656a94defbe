"""Rows of a file, put into a table: all are checked first, then added a tenth of a second at a time, so that nobody waits for the lock.

Either every row is right or none is added, unless the owner says to pass over wrong ones. Where adding fails in the middle, what was added
is taken back. A large file takes longer, but no more memory.
"""

from __future__ import annotations

import time
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import BinaryIO, Final

import msgspec

from goop2.storage import columns as declared
from goop2.storage.columns import SYSTEM_COLUMNS, Column, Table, quoted
from goop2.storage.database import Database, Value
from goop2.storage.errors import StorageError
from goop2.storage.guard import SCRIPT_WRITES, Role
from goop2.storage.import_limits import (
    BATCH_SECONDS,
    ERROR_MAX_CHARS,
    ERRORS_SHOWN,
    IMPORT_MAX_BYTES,
    PREVIEW_CELL_MAX_CHARS,
    PREVIEW_ROWS,
    SAMPLE_ROWS,
)
from goop2.storage.import_plan import PlannedColumn, corrected, guessed, matched, need_all, value_of
from goop2.storage.import_source import Form, ImportSource, SourceRow
from goop2.storage.owner_reader import Reading
from goop2.storage.registry_schema import column_names, table_there, user_tables
from goop2.storage.table_design import TableDesign
from goop2.storage.typed_tables import Owner, TypedTables
from goop2.storage.values import TYPES, shown

PRIVATE: Final = dict.fromkeys(("read", "insert", "update", "delete"), "local")
"""Policies of a table that an import makes: whose rows they are, and whether others may see them, is for the owner to say."""
Progress = Callable[[str, int, int], None]
"""(what is done: "check" or "add", bytes of the file, rows) It may raise `ImportStoppedError`."""
ROWS_BETWEEN: Final = 100
"""Rows between two reports of progress."""


class ImportStoppedError(StorageError):
    """The owner has stopped the import."""


class RowFault(msgspec.Struct, frozen=True):
    """Why a row of the file is not added."""

    place: str
    message: str


class ImportPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be done with a file."""

    table: str
    create: bool = False
    """Make the table; else it is there."""
    names: dict[str, str] = {}
    """Column of the file → column of the table, where it is not the one that was guessed; "" leaves it out."""
    types: dict[str, str] = {}
    """Column of the file → type, of a new table."""
    pass_over: bool = False
    """Whether wrong rows are passed over; else one of them keeps all from being added."""


class Preview(msgspec.Struct, frozen=True, kw_only=True):
    """How a file would be imported, from its first rows."""

    columns: list[PlannedColumn]
    rows: list[list[str | None]]
    faults: list[RowFault]
    problem: str = ""
    """Why it cannot be imported as it is planned; "" when it can."""


class ImportChecked(msgspec.Struct, frozen=True, kw_only=True):
    """What looking through a whole file has found."""

    rows: int
    """That are right."""
    wrong: int
    faults: list[RowFault]
    """The first of those that are wrong."""


class TableImport:
    """One import into a table of a database. `owner`: to whom the rows belong."""

    def __init__(self, database: Database, folder: Path, owner: Owner) -> None:
        self._database = database
        self._typed = TypedTables(database)  # one for all rows: it keeps what it has parsed
        self._folder = folder
        self._owner = owner

    # ── before ───────────────────────────────────────────────────────────────────────────────

    def preview(self, stream: BinaryIO, form: Form, plan: ImportPlan, *, partial: bool) -> Preview:
        """Return how the file would be imported. Raises `StorageError` for what is no such file."""
        source = ImportSource(stream, form, partial=partial)
        sample = list(islice(source.rows(), SAMPLE_ROWS))
        columns, problem = self._columns(source.names, sample, plan)
        faults = [RowFault(row.place, row.fault) for row in sample if row.fault]
        if not problem:
            table = self._table(plan, columns)
            faults += [RowFault(row.place, why) for row in sample if not row.fault and (why := _fault_of(row, columns, table))]
        rows = [[_shown_cell(value) for value in row.values] for row in sample if not row.fault][:PREVIEW_ROWS]
        return Preview(columns=columns, rows=rows, faults=faults[:PREVIEW_ROWS], problem=problem)

    def _columns(self, names: Sequence[str], sample: Sequence[SourceRow], plan: ImportPlan) -> tuple[list[PlannedColumn], str]:
        """Return the plan of the columns, and why it cannot be carried out."""
        there = None if plan.create else self._existing(plan.table)
        planned = guessed(names, sample) if there is None else matched(names, there)
        try:
            if plan.create and (taken := table_there(self._database, plan.table)) is not None:
                return planned, f"there is a table {taken} already: import into it, or choose another name"
            planned = corrected(planned, plan.names, plan.types)
            if there is not None:
                need_all(planned, there)
            elif not any(each.name for each in planned):
                return planned, "every column of the file is left out"
            else:
                declared.parse_table({"name": plan.table, "columns": _declared(planned)}, declared.failing(plan.table or "the table"))
        except StorageError as error:
            return planned, str(error)
        return planned, ""

    def _existing(self, name: str) -> Table:
        """Return the table that rows are to go into; the columns of a classic one by their SQL types. Raises `StorageError`."""
        if name not in user_tables(self._database):
            there = ", ".join(user_tables(self._database)) or "none yet"
            raise StorageError(f"there is no table {shown(name)}; tables here: {there}")
        typed = self._typed.lookup(name)
        if typed is not None:
            return typed
        names = column_names(self._database, name)
        missing = [each for each in SYSTEM_COLUMNS if each not in names]
        if missing:
            raise StorageError(f"{name} has no column {missing[0]}, so it is no table of a site: make one, and import into that")
        described = Reading(self._database, {}).describe(name)
        return Table(
            name,
            tuple(_as_column(each) for each in described if each["name"] not in SYSTEM_COLUMNS and not each.get("computed")),
            context=_CLASSIC,
        )

    def _table(self, plan: ImportPlan, columns: Sequence[PlannedColumn]) -> Table:
        if not plan.create:
            return self._existing(plan.table)
        return Table(plan.table, tuple(Column(name=each.name, type=each.type) for each in columns if each.name and each.type in TYPES))

    # ── the import ───────────────────────────────────────────────────────────────────────────

    def check(self, path: Path, form: Form, plan: ImportPlan, progress: Progress) -> ImportChecked:
        """Look at every row of the file. Raises `StorageError` when it cannot be imported at all."""
        columns, table = self._opened(path, form, plan)
        right = wrong = 0
        faults: list[RowFault] = []
        keys: set[int] = set()
        with path.open("rb") as stream:
            source = ImportSource(stream, form)
            for number, row in enumerate(source.rows(), 1):
                why = row.fault or _fault_of(row, columns, table) or self._doubled(row, columns, table, keys, new=plan.create)
                if why:
                    wrong += 1
                    if len(faults) < ERRORS_SHOWN:
                        faults.append(RowFault(row.place, why[:ERROR_MAX_CHARS]))
                else:
                    right += 1
                if number % ROWS_BETWEEN == 0:
                    progress("check", source.bytes_read, number)
        return ImportChecked(rows=right, wrong=wrong, faults=faults)

    def add(self, path: Path, form: Form, plan: ImportPlan, progress: Progress) -> ImportChecked:
        """Add the rows, which were checked before. Raises `StorageError`; then what was added is taken back."""
        columns, table = self._opened(path, form, plan)
        if plan.create:
            TableDesign(self._database, self._folder).create(plan.table, _declared(columns), PRIVATE)
            table = self._existing(plan.table)
        added: array[int] = array("q")
        faults: list[RowFault] = []
        wrong = 0
        try:
            with path.open("rb") as stream:
                source = ImportSource(stream, form)
                rows = source.rows()
                more = True
                while more:
                    more, refused = self._batch(rows, columns, table, plan, added)
                    wrong += len(refused)
                    faults += refused[: ERRORS_SHOWN - len(faults)]
                    progress("add", source.bytes_read, len(added))
        except BaseException:
            self._take_back(table.name, added, dropped=plan.create)
            raise
        return ImportChecked(rows=len(added), wrong=wrong, faults=faults)

    def _batch(
        self, rows: Iterator[SourceRow], columns: Sequence[PlannedColumn], table: Table, plan: ImportPlan, added: array[int]
    ) -> tuple[bool, list[RowFault]]:
        """Add rows for a tenth of a second; whether there may be more, and the wrong ones that were passed over."""
        ends = time.monotonic() + BATCH_SECONDS
        faults: list[RowFault] = []
        before = len(added)
        try:
            with self._database.atomic():
                for row in rows:
                    why = row.fault or self._insert(row, columns, table, added)
                    if why and not plan.pass_over:
                        raise StorageError(f"{row.place}: {why}; nothing was imported")
                    if why:
                        faults.append(RowFault(row.place, why[:ERROR_MAX_CHARS]))
                    if time.monotonic() > ends:
                        return True, faults
        except BaseException:
            del added[before:]  # the transaction took them back
            raise
        return False, faults

    def _insert(self, row: SourceRow, columns: Sequence[PlannedColumn], table: Table, added: array[int]) -> str:
        """Add a row; return why it cannot be."""
        values, why = _values(row, columns, table)
        if why:
            return why
        # Without a savepoint: a statement that fails undoes itself. Only a trigger can end the transaction, and with it the import.
        try:
            added.append(self._put(table, values))
        except StorageError as error:
            if error.code != "bad_request" or not self._database.in_transaction:  # of the disk or a trigger, not of the row
                raise
            return str(error)
        return ""

    def _put(self, table: Table, values: Mapping[str, Value]) -> int:
        if table.context is not _CLASSIC:
            return self._typed.insert(table.name, values, self._owner)
        whole = {**values, "_owner": self._owner.id, "_owner_email": self._owner.email}
        sql = f"INSERT INTO {quoted(table.name)} ({', '.join(map(quoted, whole))}) VALUES ({', '.join('?' * len(whole))})"
        self._database.change(Role(SCRIPT_WRITES, f"an import into {table.name}"), sql, tuple(whole.values()))
        return self._database.last_id

    def _take_back(self, table: str, added: array[int], *, dropped: bool) -> None:
        """Remove what this import has added, so that it can be tried again."""
        if dropped:
            TableDesign(self._database, self._folder).drop(table)
            return
        role = Role(SCRIPT_WRITES, f"an import into {table}")
        for start in range(0, len(added), ROWS_BETWEEN):
            with self._database.atomic():
                for row in added[start : start + ROWS_BETWEEN]:
                    self._database.change(role, f"DELETE FROM {quoted(table)} WHERE _id = ?", (row,))

    def _opened(self, path: Path, form: Form, plan: ImportPlan) -> tuple[list[PlannedColumn], Table]:
        """Return the plan of the columns and the table. Raises `StorageError` when the file cannot be imported."""
        if not path.is_file():
            raise StorageError(f"{shown(str(path))} is no file")
        if (size := path.stat().st_size) > IMPORT_MAX_BYTES:
            raise StorageError(f"the file has {size} bytes; the most is {IMPORT_MAX_BYTES}: import it in parts")
        with path.open("rb") as stream:
            source = ImportSource(stream, form)
            columns, problem = self._columns(source.names, list(islice(source.rows(), SAMPLE_ROWS)), plan)
        if problem:
            raise StorageError(problem)
        return columns, self._table(plan, columns)

    def _doubled(self, row: SourceRow, columns: Sequence[PlannedColumn], table: Table, keys: set[int], *, new: bool) -> str:
        """Return why the table's key is taken already, in the file or in the table."""
        if not table.key_names:
            return ""
        values, _ = _values(row, columns, table)
        key = tuple(values.get(name) for name in table.key_names)
        text = ", ".join(map(shown, key))
        # A number a row and not the keys themselves, which could be long texts. Of its text: hash((-1,)) is hash((-2,)).
        if (mark := hash(repr(key))) in keys:
            return f"{', '.join(table.key_names)} is {text}, as in an earlier row"
        keys.add(mark)
        condition = " AND ".join(f"{quoted(name)} IS ?" for name in table.key_names)
        if not new and self._database.scalar(f"SELECT 1 FROM {quoted(table.name)} WHERE {condition}", key):
            return f"{', '.join(table.key_names)} is {text}, which is in the table already"
        return ""


_CLASSIC: Final = object()
"""`context` of what stands for a classic table."""


def _declared(columns: Sequence[PlannedColumn]) -> list[dict[str, str]]:
    return [{"name": each.name, "type": each.type} for each in columns if each.name]


def _as_column(described: Mapping[str, object]) -> Column:
    kind = str(described["type"]).upper()
    ours = next((name for name, word in (("integer", "INT"), ("real", "REAL"), ("blob", "BLOB")) if word in kind), "text")
    default = described["default"]
    return Column(
        name=str(described["name"]), type=ours, required=bool(described["required"]), default=None if default is None else str(default)
    )


def _values(row: SourceRow, columns: Sequence[PlannedColumn], table: Table) -> tuple[dict[str, Value], str]:
    """Return column → value of a row, and what is wrong with the first that is."""
    values: dict[str, Value] = {}
    by_name = {column.name: column for column in table.columns}
    for planned, given in zip(columns, row.values, strict=True):
        if not planned.name:
            continue
        column = by_name[planned.name]
        try:
            value = value_of(column, given)
        except ValueError as error:
            return {}, f"{planned.name} {error}"
        if value is not None:
            values[planned.name] = value
        elif (column.required or column.key) and column.default is None and not column.auto:
            return {}, f"{planned.name} must be there"
    return values, ""


def _fault_of(row: SourceRow, columns: Sequence[PlannedColumn], table: Table) -> str:
    return _values(row, columns, table)[1]


def _shown_cell(value: object) -> str | None:
    if value is None:
        return None
    text = str(value)
    return text if len(text) <= PREVIEW_CELL_MAX_CHARS else f"{text[:PREVIEW_CELL_MAX_CHARS]}…"
