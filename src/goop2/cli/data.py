"""`goop2 data DIR …`: the owner looks into the tables, takes them out, and copies the database, beside a running peer or without one.

Nothing in this module writes to the database; `restore` puts another one in its place. What changes tables is in table_design.py.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from goop2.cli import output, rows, session
from goop2.cli.errors import CommandError
from goop2.cli.main import EXIT_OK
from goop2.cli.options import folder_argument, json_option

if TYPE_CHECKING:
    from goop2.storage.database import Value
    from goop2.storage.owner_reader import Reading

FORMATS: Final = ("csv", "json")
_NOT_IN_FILE_NAMES: Final = re.compile(r'^\.|[\x00-\x1f/\\:*?"<>|%]')
SHOWN_AFTER_PAGES: Final = 5_000
"""Of a backup, 20 MB: below it is done before a progress line can be read."""

csv_option = click.option("--csv", "as_csv", is_flag=True, help="CSV with a line of names, all rows.")


@click.group("data")
@folder_argument
@click.pass_context
def data(context: click.Context, folder: Path) -> None:
    """The tables of a peer: read, change, import, export, back up.

    \b
    goop2 data mysite tables
    goop2 data mysite query "SELECT title FROM posts ORDER BY _id DESC"
    goop2 data mysite backup mysite.db

    Works beside a running peer, all but restore.
    """
    context.obj = folder


@contextmanager
def _reading(folder: Path) -> Iterator[Reading]:
    """Open the database for reading; its errors are raised as `CommandError`."""
    from goop2.storage.errors import DatabaseError, StorageError
    from goop2.storage.owner_reader import open_reading

    session.settings_of(folder)  # a folder that is no peer is refused before anything else
    try:
        with open_reading(folder) as reading:
            yield reading
            for sentence in reading.unreadable:
                output.note(sentence)
    except DatabaseError:
        raise
    except StorageError as error:
        raise CommandError(str(error)) from None


@data.command("tables")
@click.pass_obj
@json_option
@csv_option
def tables(folder: Path, as_json: bool, as_csv: bool) -> None:
    """List the site's tables: rows, kind, and who may do what."""
    _need_one_form(as_json=as_json, as_csv=as_csv)
    with _reading(folder) as reading:
        found = reading.tables()
    if as_json:
        output.answer_json([{"name": each.name, "kind": each.kind, "rows": each.rows, **each.policies} for each in found])
        return
    lines: list[tuple[Value, ...]] = [(each.name, each.kind, each.rows, *each.policies.values()) for each in found]
    _show(["table", "kind", "rows", "read", "insert", "update", "delete"], iter(lines), as_csv=as_csv)


@data.command("describe")
@click.argument("table", metavar="TABLE")
@click.pass_obj
@json_option
@csv_option
def describe(folder: Path, table: str, as_json: bool, as_csv: bool) -> None:
    """Show the columns of a table."""
    _need_one_form(as_json=as_json, as_csv=as_csv)
    with _reading(folder) as reading:
        found = reading.describe(table)
    if as_json:
        output.answer_json(found)
        return
    lines = iter(
        [
            (
                str(each["name"]),
                str(each["type"]),
                "yes" if each["required"] else "",
                "computed" if each.get("computed") else "" if each["default"] is None else str(each["default"]),
                "yes" if each["key"] else "",
                ", ".join(map(str, each["values"])) if isinstance(each["values"], list) else "",
            )
            for each in found
        ]
    )
    _show(["column", "type", "required", "default", "key", "values"], lines, as_csv=as_csv)


@data.command("query")
@click.argument("sql", metavar="SQL")
@click.pass_obj
@json_option
@csv_option
def query(folder: Path, sql: str, as_json: bool, as_csv: bool) -> None:
    """Run one SQL statement that only reads, on any table.

    A table shows the first 1000 rows; --csv and --json give all. NULL is empty in CSV; a BLOB is base64 in both. @NAME runs a saved query.
    """
    _need_one_form(as_json=as_json, as_csv=as_csv)
    sql = _saved(folder, sql)
    with _reading(folder) as reading, reading.query(sql) as (names, found):
        if as_json:
            rows.write_json(sys.stdout, names, found)
        else:
            _show(names, found, as_csv=as_csv)


@data.command("export")
@click.argument("table", metavar="[TABLE]", required=False)
@click.option("--all", "everything", is_flag=True, help="Every table of the site, as they are at one moment.")
@click.option("--format", "form", type=click.Choice(FORMATS), default=FORMATS[0], show_default=True, help="How rows are written.")
@click.option("--output", "target", metavar="PATH", type=click.Path(path_type=Path), help="A file; with --all a folder. Else stdout.")
@click.pass_obj
def export(folder: Path, table: str | None, everything: bool, form: str, target: Path | None) -> None:
    """Write a table's rows to stdout or a file.

    With --all every table goes into a file of a folder. A file is there whole or not at all.
    """
    if everything == (table is not None):
        raise CommandError("name one table, or say --all")
    if everything and target is None:
        raise CommandError("--all writes one file for each table: name a folder with --output FOLDER")
    # One transaction for all tables, so that an export of all of them fits together.
    with _reading(folder) as reading, reading.unchanging():
        if table is None and target is not None:
            target.mkdir(parents=True, exist_ok=True)
            for each in reading.tables():
                _export_to(reading, each.name, form, target / f"{_in_file_name(each.name)}.{form}")
        elif table is not None and target is not None:
            _need_place(target)
            _export_to(reading, table, form, target)
        elif table is not None:
            _export(reading, table, form, _stdout())


@data.command("backup")
@click.argument("target", metavar="FILE", type=click.Path(path_type=Path))
@click.option("--force", is_flag=True, help="Replace FILE when it is there.")
@click.pass_obj
def backup(folder: Path, target: Path, force: bool) -> None:
    """Copy the whole database into FILE.

    The peer may run: FILE holds one moment. "goop2 data DIR restore FILE" brings it back.
    """
    _need_place(target)
    if _is_device(target):
        raise CommandError(f"{target} is no file: name one, there already or not")
    if target.exists() and not force:
        raise CommandError(f"{target} is there already: name another file, or replace it with --force")
    # Also under another name: a link to it would be replaced by the copy while SQLite has the file open.
    if target.resolve() in {(folder / name).resolve() for name in ("data.db", "data.db-wal", "data.db-shm")}:
        raise CommandError(f"{target} is the peer's own database: name another file")
    with _reading(folder) as reading:
        reading.back_up(target, _progress())
    print(f"made  {output.one_line(str(target))}")


@data.command("restore")
@click.argument("source", metavar="FILE", type=click.Path(path_type=Path))
@click.pass_obj
def restore(folder: Path, source: Path) -> int:
    """Put a backup in the place of the peer's database.

    FILE is checked first, and copied: it stays as it is. The database it replaces is kept beside it as data.db.before-… The peer
    must not run meanwhile.
    """
    session.settings_of(folder)
    if not source.is_file():
        raise CommandError(
            f'{source} is {"not a file" if source.exists() else "not there"}: name a backup, as "goop2 data DIR backup" makes one'
        )
    return session.run(_restore(folder, source))


async def _restore(folder: Path, source: Path) -> int:
    from goop2.storage.errors import StorageError
    from goop2.storage.restore import restore as restore_database

    with await session.own(folder, passing=True):
        try:
            # Under the lock of the folder: no peer and no command has the database open.
            restored = restore_database(folder, source, _progress())
        except StorageError as error:
            raise CommandError(str(error)) from None
    tables = "1 table" if restored.tables == 1 else f"{restored.tables} tables"
    print(f"restored  {output.one_line(str(source))}, {tables}")
    if restored.kept is not None:
        print(f"kept  {output.one_line(str(restored.kept))}")
    return EXIT_OK


def _saved(folder: Path, sql: str) -> str:
    """Return the SQL meant: of a saved query where its name is given as @NAME."""
    from goop2.storage import saved_queries
    from goop2.storage.errors import StorageError

    if not sql.startswith("@"):
        return sql
    try:
        return saved_queries.find(folder, sql.removeprefix("@"))
    except StorageError as error:
        raise CommandError(str(error)) from None


def _need_one_form(*, as_json: bool, as_csv: bool) -> None:
    if as_json and as_csv:
        raise CommandError("--json or --csv, not both")


def _need_place(target: Path) -> None:
    if target.is_dir():
        raise CommandError(f"{target} is a folder: name a file in it")
    if not target.parent.is_dir():
        raise CommandError(f"{target.parent} is not there: make the folder first")


def _show(names: list[str] | tuple[str, ...], found: rows.Rows, *, as_csv: bool) -> None:
    if as_csv:
        rows.write_csv(_stdout(), names, found)
    else:
        rows.print_table(names, found)


def _stdout() -> rows.Writable:
    return rows.Harmless(sys.stdout) if output.is_terminal(sys.stdout) else sys.stdout


def _is_device(target: Path) -> bool:
    """Return whether a path is a terminal, a pipe or /dev/null: it can be written to, but must not be replaced by a file."""
    return target.exists() and not target.is_file()


def _in_file_name(table: str) -> str:
    """Return a table's name as a file name that stays in its folder on any system; tables made by other programs may have any name."""
    return _NOT_IN_FILE_NAMES.sub(lambda found: f"%{ord(found[0]):02X}", table)


def _export(reading: Reading, table: str, form: str, stream: rows.Writable) -> None:
    from goop2.storage.errors import StorageError

    everything = reading.everything(table)
    try:
        with reading.query(everything) as (names, found):
            rows.WRITERS[form](stream, names, found)
    except StorageError as error:
        raise CommandError(f"table {output.one_line(table)}: {error}") from None


def _export_to(reading: Reading, table: str, form: str, target: Path) -> None:
    if _is_device(target):
        with target.open("w", encoding="utf-8", newline="") as stream:
            _export(reading, table, form, stream)
        return
    target = target.resolve()  # where a link leads, not in its place
    descriptor, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as stream:
            _export(reading, table, form, stream)
        Path(name).replace(target)
    except OSError as error:  # a full disk, say, which names no file
        Path(name).unlink(missing_ok=True)
        raise CommandError(f"{target} was not written: {error.strerror or error}") from None
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    output.note(f"made  {target}")


def _progress() -> Callable[[int, int], None]:
    """Print a line that counts up, on a terminal and for long operations."""
    if not output.is_terminal(sys.stderr):
        return lambda _done, _all: None

    def told(done: int, of_all: int) -> None:
        if of_all >= SHOWN_AFTER_PAGES:
            end = "\n" if done == of_all else ""
            print(f"\r{done * 100 // of_all:3} %", end=end, file=sys.stderr, flush=True)

    return told
