"""`goop2 data DIR rows`, `write`, `explain`, `save`, `saved` and `forget`: what the console's Data page shows and does, on a terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from goop2.cli import output, rows, session
from goop2.cli.errors import CommandError
from goop2.cli.options import json_option
from goop2.cli.table_design import open_writing

if TYPE_CHECKING:
    from goop2.storage.database import Database, Value
    from goop2.storage.table_browser import Cell, RowFilter, RowsWanted, TableBrowser

PAGE_ROWS: Final = 50
FOLLOW_SECONDS: Final = 0.5
"""How often a followed table is looked at."""


@contextmanager
def _reading(folder: Path) -> Iterator[Database]:
    from goop2.storage.database import FILE
    from goop2.storage.errors import DatabaseError, StorageError
    from goop2.storage.owner_reader import open_database_to_read

    session.settings_of(folder)
    if not (folder / FILE).is_file():
        raise CommandError(f"{folder / FILE} is not there yet: it is made when the peer first starts, or by goop2 data DIR create")
    database = open_database_to_read(folder / FILE, output.note)
    try:
        yield database
    except DatabaseError:
        raise
    except StorageError as error:
        raise CommandError(str(error)) from None
    finally:
        database.close()


@click.command("rows")
@click.argument("table", metavar="TABLE")
@click.option("--where", "filters", metavar="FILTER", multiple=True, help='Such as "likes at least 5" or "title contains tea".')
@click.option("--search", metavar="WORDS", default="", help="Words, where the table has a full-text index.")
@click.option("--order", metavar="COLUMN", default="", help="Sorted by this column; -COLUMN begins with the last.")
@click.option("--page", metavar="N", type=click.IntRange(1), default=1, show_default=True, help=f"The Nth {PAGE_ROWS} rows.")
@click.option("--values", "facet", metavar="COLUMN", help="Instead of rows, the commonest values of a column.")
@click.option("-f", "--follow", is_flag=True, help="Go on with rows that are added, until Ctrl-C.")
@click.pass_obj
def show_rows(
    folder: Path, table: str, filters: Sequence[str], search: str, order: str, page: int, facet: str | None, follow: bool
) -> None:
    """Show a page of rows, narrowed by filters.

    \b
    goop2 data mysite rows posts --where "state is new" --order -likes --page 2
    goop2 data mysite rows posts --values state

    A filter is a column, one of: is, is not, contains, begins with, less than, at most, greater than, at least, is empty, is not empty;
    and a value.
    """
    from goop2.storage.table_browser import RowsWanted, TableBrowser

    with _reading(folder) as database:
        browser = TableBrowser(database)
        wanted = RowsWanted(
            table=table,
            filters=tuple(map(_filter_of, filters)),
            search=search,
            order=order.removeprefix("-"),
            down=order.startswith("-"),
            offset=(page - 1) * PAGE_ROWS,
            limit=PAGE_ROWS,
        )
        if facet is not None:
            found = browser.facet(wanted, facet)
            rows.print_table([facet, "rows"], iter([(_shown(each.value), each.count) for each in found.values]))
            if found.sampled:
                output.note("of the first rows alone")
        elif follow:
            _follow(browser, wanted)
        else:
            _page(browser, wanted, page)


def _page(browser: TableBrowser, wanted: RowsWanted, page: int) -> None:
    found = browser.rows(wanted)
    rows.print_table(found.columns, iter([tuple(map(_shown, row)) for row in found.rows]))
    count = browser.count(wanted)
    if found.more and count is not None:
        output.note(f"page {page} of {-(-count // PAGE_ROWS)}, {count} rows")


def _follow(browser: TableBrowser, wanted: RowsWanted) -> None:
    import msgspec

    from goop2.storage.table_browser import RowFilter

    version = browser.version()  # before the rows are read: what is written meanwhile is another version
    last = browser.rows(msgspec.structs.replace(wanted, order="_id", down=True, offset=0))
    if "_id" not in last.columns:
        raise CommandError(f"{wanted.table} has no column _id, so its new rows cannot be told")
    place, newest = last.columns.index("_id"), 0
    shown = last.rows[::-1]
    while True:
        if shown:
            rows.print_table(last.columns, iter([tuple(map(_shown, row)) for row in shown]))
            sys.stdout.flush()  # whoever reads through a pipe waits for it
            newest = int(str(shown[-1][place]))
        if len(shown) < wanted.limit:
            version = _changed(browser, version)
        newer = RowFilter("_id", "greater than", newest)
        shown = browser.rows(msgspec.structs.replace(wanted, filters=(*wanted.filters, newer), order="_id", down=False, offset=0)).rows


def _changed(browser: TableBrowser, version: int) -> int:
    """Wait until the database has another version; return it."""
    while (now := browser.version()) == version:
        time.sleep(FOLLOW_SECONDS)
    return now


def _filter_of(text: str) -> RowFilter:
    from goop2.storage.table_browser import FILTERS, WITHOUT_VALUE, RowFilter

    column, _, rest = text.strip().partition(" ")
    # The longest first: "is not empty" begins with "is not", and that with "is".
    op = next((each for each in sorted(FILTERS, key=len, reverse=True) if rest == each or rest.startswith(f"{each} ")), None)
    value = "" if op is None else rest[len(op) :].strip()
    if op is None or bool(value) == (op in WITHOUT_VALUE):
        raise CommandError(
            f"the filter {output.one_line(text)!r} is not understood; write a column, one of {', '.join(FILTERS)}, and a value"
        )
    return RowFilter(column, op, value)


def _shown(value: Cell) -> Value:
    if isinstance(value, dict):
        return f"{value['text']}…" if "text" in value else f"blob, {value['bytes']} bytes"
    return value


@click.command("write")
@click.argument("sql", metavar="SQL")
@click.pass_obj
def write(folder: Path, sql: str) -> None:
    """Run one INSERT, UPDATE, DELETE or REPLACE on a table."""
    from goop2.storage import owner_sql

    with open_writing(folder) as database:
        changed = owner_sql.write(database, sql).changed
    print(f"changed  {'1 row' if changed == 1 else f'{changed} rows'}")


@click.command("explain")
@click.argument("sql", metavar="SQL")
@click.pass_obj
def explain(folder: Path, sql: str) -> None:
    """Show how SQLite would do a statement that reads.

    SCAN reads every row, SEARCH uses an index.
    """
    from goop2.storage import owner_sql

    with _reading(folder) as database:
        for step in owner_sql.explain(database, sql):
            print("  " * step.depth + output.one_line(step.text))


@click.command("save")
@click.argument("name", metavar="NAME")
@click.argument("sql", metavar="SQL")
@click.pass_obj
def save(folder: Path, name: str, sql: str) -> None:
    """Keep a query under a name, for console and terminal.

    "goop2 data DIR query @NAME" runs it.
    """
    from goop2.storage import saved_queries

    with _sentences(folder):
        saved_queries.save(folder, name, sql)
    print(f"saved  {output.one_line(name)}")


@click.command("saved")
@click.pass_obj
@json_option
def saved(folder: Path, as_json: bool) -> None:
    """List the saved queries."""
    from goop2.storage import saved_queries

    with _sentences(folder):
        found = saved_queries.saved(folder)
    if as_json:
        output.answer_json([{"name": each.name, "sql": each.sql} for each in found])
    else:
        rows.print_table(["name", "sql"], iter([(each.name, each.sql) for each in found]))


@click.command("forget")
@click.argument("name", metavar="NAME")
@click.pass_obj
def forget(folder: Path, name: str) -> None:
    """Forget a saved query."""
    from goop2.storage import saved_queries

    with _sentences(folder):
        saved_queries.forget(folder, name)
    print(f"forgotten  {output.one_line(name)}")


@contextmanager
def _sentences(folder: Path) -> Iterator[None]:
    from goop2.storage.errors import StorageError

    session.settings_of(folder)
    try:
        yield
    except StorageError as error:
        raise CommandError(str(error)) from None


ROW_COMMANDS: Final = (show_rows, write, explain, save, saved, forget)
"""What is added to `goop2 data DIR`."""
