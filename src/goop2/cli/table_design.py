"""`goop2 data DIR create`, `add-column`, `rename`, `drop`, `policy` …: the owner changes tables, whether the peer runs or not."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from goop2.cli import output, session
from goop2.cli.errors import CommandError
from goop2.cli.options import json_option

if TYPE_CHECKING:
    from goop2.storage.database import Database
    from goop2.storage.table_design import TableDesign

POLICY_WORDS: Final = "open (anyone), group (members), email, owner (rows of their own), local (you alone)"
confirm_option = click.option(
    "--confirm", "confirmed", metavar="NAME", help="The name of what goes, typed once more; without it you are asked, on a terminal."
)


@contextmanager
def open_writing(folder: Path) -> Iterator[Database]:
    """Open the database for the owner's changes, made when there is none yet; errors are raised as `CommandError`.

    The peer may run: SQLite's lock keeps the two apart, and waits are bounded.
    """
    from goop2.storage import foreign_triggers
    from goop2.storage.database import FILE, open_database
    from goop2.storage.errors import DatabaseError, StorageError
    from goop2.storage.file_quota import FileCare, quota_of
    from goop2.storage.migrations import open_folder
    from goop2.storage.registry_schema import create_schema

    settings = session.settings_of(folder)
    path = folder / FILE
    if not path.exists():
        open_folder(folder, settings.script_dir(folder), not settings.storage.group_readable)[0].close_last()
    database = open_database(path, care=FileCare(quota_of(path, settings.storage.max_mb).callers, synced=settings.storage.synced))
    try:
        foreign_triggers.refuse(database)
        create_schema(database)
        yield database
    except DatabaseError:
        raise
    except StorageError as error:
        raise CommandError(str(error)) from None
    finally:
        database.close()


@contextmanager
def _designing(folder: Path) -> Iterator[TableDesign]:
    from goop2.storage.table_design import TableDesign

    with open_writing(folder) as database:
        yield TableDesign(database, folder)


def _say(done: str, what: str, notes: Sequence[str]) -> None:
    print(f"{done}  {output.one_line(what)}")
    for note in notes:
        output.note(note)


@click.command("create")
@click.argument("table", metavar="TABLE")
@click.argument("columns", metavar="COLUMN...", nargs=-1, required=True)
@click.option("--read", "read", metavar="POLICY", help=f"Who may read: {POLICY_WORDS}. Without it, open.")
@click.option("--insert", "insert", metavar="POLICY", help="Who may add rows. Without it, owner: you alone.")
@click.option("--update", "update", metavar="POLICY", help="Who may change rows. Without it, owner.")
@click.option("--delete", "delete", metavar="POLICY", help="Who may delete rows. Without it, owner.")
@click.pass_obj
def create(
    folder: Path, table: str, columns: Sequence[str], read: str | None, insert: str | None, update: str | None, delete: str | None
) -> None:
    """Make a typed table.

    \b
    goop2 data mysite create posts title:text:required body:text --insert email
    goop2 data mysite create games state:enum:values=new,over:default=new points:integer:default=0

    A COLUMN is name:type, and then required, key, auto, values=a,b or default=VALUE, with colons between. Types: text, integer, real, blob,
    guid, datetime, date, time, enum.
    """
    from goop2.storage.table_design import column_of_text

    policies = {"read": read, "insert": insert, "update": update, "delete": delete}
    access = {operation: policy for operation, policy in policies.items() if policy is not None}
    with _designing(folder) as design:
        notes = design.create(table, [column_of_text(each) for each in columns], access or None)
    _say("made", table, notes)


@click.command("add-column")
@click.argument("table", metavar="TABLE")
@click.argument("column", metavar="COLUMN")
@click.pass_obj
def add_column(folder: Path, table: str, column: str) -> None:
    """Add a column to a table.

    Such as body:text, or points:integer:required:default=0. The rows that are there get its default.
    """
    from goop2.storage.table_design import column_of_text

    with _designing(folder) as design:
        new = column_of_text(column)
        notes = design.add_column(table, new)
    _say("added", f"{table}.{new['name']}", notes)


@click.command("rename-column")
@click.argument("table", metavar="TABLE")
@click.argument("old", metavar="COLUMN")
@click.argument("new", metavar="NEW")
@click.pass_obj
def rename_column(folder: Path, table: str, old: str, new: str) -> None:
    """Rename a column of a table.

    Scripts and pages that use the old name are not changed.
    """
    with _designing(folder) as design:
        notes = design.rename_column(table, old, new)
    _say("renamed", f"{table}.{old} -> {table}.{new}", notes)


@click.command("drop-column")
@click.argument("table", metavar="TABLE")
@click.argument("column", metavar="COLUMN")
@confirm_option
@click.pass_obj
def drop_column(folder: Path, table: str, column: str, confirmed: str | None) -> None:
    """Remove a column of a table, with what stands in it."""
    with _designing(folder) as design:
        _confirm(f"{table}.{column}, with what stands in it in every row", column, confirmed)
        notes = design.drop_column(table, column)
    _say("dropped", f"{table}.{column}", notes)


@click.command("rename")
@click.argument("table", metavar="TABLE")
@click.argument("new", metavar="NEW")
@click.pass_obj
def rename(folder: Path, table: str, new: str) -> None:
    """Rename a table.

    Scripts and pages that use the old name are not changed.
    """
    with _designing(folder) as design:
        notes = design.rename(table, new)
    _say("renamed", f"{table} -> {new}", notes)


@click.command("drop")
@click.argument("table", metavar="TABLE")
@confirm_option
@click.pass_obj
def drop(folder: Path, table: str, confirmed: str | None) -> None:
    """Drop a table with all its rows.

    "goop2 data DIR backup FILE" keeps a copy of everything first.
    """
    from goop2.storage.columns import quoted
    from goop2.storage.registry_schema import user_tables

    with open_writing(folder) as database:
        from goop2.storage.table_design import TableDesign

        count = database.scalar(f"SELECT count(*) FROM {quoted(table)}") if table in user_tables(database) else 0
        rows = "1 row" if count == 1 else f"{count!r} rows"
        _confirm(f"{table}, with {rows}", table, confirmed)
        notes = TableDesign(database, folder).drop(table)
    _say("dropped", f"{table}, {rows}", notes)


def _confirm(what: str, name: str, confirmed: str | None) -> None:
    """Have the owner type the name of what goes. Raises `CommandError` when it is another."""
    if confirmed is None:
        if not output.is_terminal(sys.stdin):
            raise CommandError(f"this drops {what}, for good: say so with --confirm {name}")
        print(f"This drops {output.one_line(what)}, for good.", file=sys.stderr)
        confirmed = input("Type its name to go on: ")
    if confirmed != name:
        raise CommandError(f"{output.one_line(confirmed)!r} is not {name!r}: nothing was dropped")


@click.command("policy")
@click.argument("table", metavar="TABLE")
@click.argument("policies", metavar="[OPERATION=POLICY...]", nargs=-1)
@click.pass_obj
@json_option
def policy(folder: Path, table: str, policies: Sequence[str], as_json: bool) -> None:
    """Say who may do what with a table, and change it.

    \b
    goop2 data mysite policy posts
    goop2 data mysite policy posts read=open insert=email

    An OPERATION is read, insert, update or delete; a POLICY open, group, email, owner or local.
    """
    from goop2.storage.owner_reader import open_reading
    from goop2.storage.policy_sentences import sentences
    from goop2.storage.table_design import policies_of_words

    notes: list[str] = []
    if policies:
        with _designing(folder) as design:
            notes = design.allow(table, policies_of_words(policies))
    else:
        session.settings_of(folder)
    with open_reading(folder) as reading:
        access = next((each.policies for each in reading.tables() if each.name == table), None)
    if access is None:
        raise CommandError(f"there is no table {output.one_line(table)}")
    if as_json:
        output.answer_json(access)
    else:
        for sentence in sentences(access):
            print(sentence)
    for note in notes:
        output.note(note)


DESIGN_COMMANDS: Final = (create, add_column, rename_column, drop_column, rename, drop, policy)
"""What is added to `goop2 data DIR`."""
