"""What the owner of a site does to its tables in the console and by `goop2 data DIR …`: make, change, rename and drop them, set policies.

Database, registries and the file in schemas/ change together. What cannot be done is a `StorageError` of one sentence, and then nothing has
changed. It may be used beside a running peer: SQLite's lock keeps changes apart, and every user of a table looks at it anew.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from goop2.storage import columns as declared
from goop2.storage.columns import NAME, NAME_ALLOWED, OPERATIONS, POLICIES, SYSTEM_COLUMNS, Column, Table, quoted
from goop2.storage.database import Database
from goop2.storage.errors import DeclarationError, StorageError
from goop2.storage.limits import COLUMNS_MAX
from goop2.storage.policies import CLASSIC
from goop2.storage.registry_schema import column_names, make_table, register_again, table_there, user_tables
from goop2.storage.schema_file_edit import PreparedEdit, SchemaEdit, find_schema_file
from goop2.storage.table_changes import CHANGES
from goop2.storage.typed_tables import TypedTables
from goop2.storage.values import shown

_CLASSIC_OPERATION: Final = "insert"
"""The one policy of a classic table that its owner chooses; the others follow from it."""
NAMED_MAX: Final = 20
"""Tables or columns that a refusal lists; whoever has more knows where to look."""


class TableDesign:
    """Changes of the tables of one peer folder. Each returns notes for the owner, sentences on what changed besides."""

    def __init__(self, database: Database, folder: Path) -> None:
        """`database`: guarded, and with nothing open; `folder`: the peer's."""
        self._database = database
        self._folder = folder

    def create(self, name: object, columns: object, access: object = None) -> list[str]:
        """Make a typed table of these columns; there is nothing to note. Raises `StorageError`, also for a name that is taken."""
        table = declared.parse_table({"name": name, "columns": columns, "access": access}, _failing(name))
        self._need_free(table.name)
        with self._database.atomic():
            self._need_free(table.name)
            make_table(self._database, table)
        return []

    def add_column(self, name: object, column: object) -> list[str]:
        """Add a column to a table; the rows that are there get its default."""
        table = self._existing(name)
        typed = self._typed(table)
        (new,) = declared.parse_columns([column], _failing(table))
        self._need_new_column(table, new.name)
        if len(column_names(self._database, table)) - len(SYSTEM_COLUMNS) >= COLUMNS_MAX:
            raise StorageError(f"{table} has {COLUMNS_MAX} columns or more already, and takes no further one")
        if new.key:
            raise StorageError(
                f"{table}.{new.name} cannot be a key: rows without it are there already; make a new table and import the rows"
            )
        if new.required and new.default is None:
            raise StorageError(f"{table}.{new.name} is added to rows that do not have it, so it needs a default or must not be required")
        with self._changing(table, lambda document: _columns_of(document).append(new.plain())) as notes:
            if typed is not None:
                TypedTables(self._database).add_column(table, new)
            else:
                self._add_classic(table, new)
        return notes

    def _add_classic(self, table: str, column: Column) -> None:
        if column.type == "enum" or column.auto:
            raise StorageError(f"{table} is no typed table: its columns know neither enum nor auto; text takes any value")
        plain = {"name": column.name, "type": column.type, "not_null": column.required, "default": column.default}
        CHANGES["add-column"](self._database, {"table": table, "column": plain})

    def rename_column(self, name: object, old: object, new: object) -> list[str]:
        """Rename a column, in indexes, triggers and views too."""
        table = self._existing(name)
        column = self._own_column(table, old)
        if not isinstance(new, str) or not NAME.match(new):
            raise StorageError(f"{table}: the column's new name is {shown(new)}; allowed is {NAME_ALLOWED}")
        self._typed(table)
        if new.lower() != column.lower():
            self._need_new_column(table, new)
        elif new == column:
            raise StorageError(f"{table}.{column} is called so already")

        def renamed(document: dict[str, Any]) -> None:
            for each in _columns_of(document):
                if isinstance(each, dict) and each.get("name") == column:
                    each["name"] = new

        with self._changing(table, renamed) as notes:
            self._database.rows(f"ALTER TABLE {quoted(table)} RENAME COLUMN {quoted(column)} TO {quoted(new)}")
            register_again(self._database, table, renamed)
        return notes

    def drop_column(self, name: object, column: object) -> list[str]:
        """Remove a column with what stands in it, and the indexes that are of it alone."""
        table = self._existing(name)
        own = self._own_column(table, column)
        self._typed(table)
        others = [each for each in column_names(self._database, table) if each != own and each not in SYSTEM_COLUMNS]
        if not others:
            raise StorageError(f"{table}.{own} is the table's last column: drop the table")

        def without(document: dict[str, Any]) -> None:
            document["columns"] = [each for each in _columns_of(document) if not (isinstance(each, dict) and each.get("name") == own)]

        with self._changing(table, without) as notes:
            for index in self._indexes_of(table, own):
                self._database.rows(f"DROP INDEX {quoted(index)}")
                notes.append(f"the index {index} was of that column alone and is gone too")
            CHANGES["drop-column"](self._database, {"table": table, "column": own})
        return notes

    def _indexes_of(self, table: str, column: str) -> list[str]:
        """Return the plain indexes of one column. Raises `StorageError` for one that has the column among others, or makes rows unique."""
        listed = self._database.rows('SELECT name, "unique", origin FROM pragma_index_list(?)', (table,))
        alone = []
        for index, unique, origin in ((str(name), unique, origin) for name, unique, origin in listed):
            of = [each for (each,) in self._database.rows("SELECT name FROM pragma_index_xinfo(?) WHERE key", (index,))]
            if column not in of:
                continue
            typed = TypedTables(self._database).lookup(table)
            if typed is not None and column in typed.key_names:
                continue  # said in words of keys by what drops the column
            if unique or origin != "c" or len(of) > 1:
                raise StorageError(
                    f"{table}.{column} is part of the index {index}, so it stays; make a table without it and import the rows"
                )
            alone.append(index)
        return alone

    def rename(self, name: object, new: object) -> list[str]:
        """Rename a table, in the registries too."""
        table = self._existing(name)
        if isinstance(new, str) and new.lower() == table.lower() and new != table:
            raise StorageError(f"{table} and {shown(new)} differ in capitals alone, which SQLite does not tell apart: take another name")
        with self._changing(table, lambda document: document.update(name=new), stem=new if isinstance(new, str) else "") as notes:
            CHANGES["rename-table"](self._database, {"old_name": table, "new_name": new})
        return notes

    def drop(self, name: object) -> list[str]:
        """Drop a table with its rows. A file that declares it is put aside, else it would make the table anew."""
        table = self._existing(name)
        with self._changing(table, None) as notes:
            CHANGES["delete-table"](self._database, {"table": table})
        return notes

    def allow(self, name: object, policies: Mapping[str, object]) -> list[str]:
        """Set who may do what with a table: operation → policy; what is not named stays."""
        table = self._existing(name)
        for operation, policy in policies.items():
            if operation not in OPERATIONS:
                raise StorageError(f"{table}: {shown(operation)} is not an operation; there are {', '.join(OPERATIONS)}")
            if policy not in POLICIES:
                raise StorageError(f"{table}: the policy for {operation} is {shown(policy)}; allowed is {', '.join(POLICIES)}")
        if not policies:
            raise StorageError(f"{table}: no policy was given; write one as read=open")
        chosen = {operation: str(policy) for operation, policy in policies.items()}
        typed = self._typed(table)
        return self._allow_classic(table, chosen) if typed is None else self._allow_typed(typed, chosen)

    def _allow_typed(self, table: Table, chosen: Mapping[str, str]) -> list[str]:
        access = {**table.access, **chosen}

        def allowed(document: dict[str, Any]) -> None:
            document["access"] = dict(access)

        with self._changing(table.name, allowed) as notes:
            register_again(self._database, table.name, allowed)
            self._database.rows("UPDATE _tables SET insert_policy = ? WHERE name = ?", (access["insert"], table.name))
            self._database.rows("DELETE FROM _py_held_tables WHERE name = ?", (table.name,))
        return notes

    def _allow_classic(self, table: str, chosen: Mapping[str, str]) -> list[str]:
        if chosen.keys() - {_CLASSIC_OPERATION}:
            raise StorageError(f"{table} is no typed table: choose its policy for {_CLASSIC_OPERATION}, and the others follow from it")
        missing = [each for each in SYSTEM_COLUMNS if each not in column_names(self._database, table)]
        if missing:
            raise StorageError(f"{table} has no column {missing[0]}, so nobody but you can use it; make a table and import its rows")
        policy = chosen[_CLASSIC_OPERATION]
        if policy not in CLASSIC:
            raise StorageError(f"{table}: the policy is {shown(policy)}; allowed is {', '.join(CLASSIC)}")
        with self._database.atomic():
            self._database.rows(
                "INSERT OR IGNORE INTO _tables (name, schema) SELECT name, sql FROM sqlite_schema WHERE type = 'table' AND name = ?",
                (table,),
            )
            self._database.rows("UPDATE _tables SET insert_policy = ? WHERE name = ?", (policy, table))
        return []

    # ── what is there ────────────────────────────────────────────────────────────────────────

    @contextmanager
    def _changing(self, table: str, edit: SchemaEdit | None, stem: str = "") -> Iterator[list[str]]:
        """Do what the block does in one transaction, and `edit` the file that declares the table when that is committed."""
        notes: list[str] = []
        file = find_schema_file(self._folder, table)
        new_stem = stem if file is not None and file.path.stem == table else ""
        prepared = PreparedEdit(file, edit, new_stem)
        try:
            with self._database.atomic():
                self._existing(table)  # another program may have been there first
                yield notes
        except BaseException:
            prepared.undo()
            raise
        if said := prepared.finish():
            notes.append(said)

    def _existing(self, name: object) -> str:
        """Return the name of a table that is there, spelt as the database does. Raises `StorageError`."""
        there = user_tables(self._database)
        if isinstance(name, str) and name in there:
            return name
        raise StorageError(f"there is no table {shown(name)}; tables here: {', '.join(there[:NAMED_MAX]) or 'none yet'}")

    def _need_free(self, name: str) -> None:
        if (there := table_there(self._database, name)) is not None:
            raise StorageError(f"there is a table {there} already" + ("" if there == name else "; names differ in more than capitals"))

    def _typed(self, table: str) -> Table | None:
        try:
            return TypedTables(self._database).lookup(table)
        except DeclarationError as error:
            raise StorageError(f"{table} cannot be changed: {error}") from None

    def _own_column(self, table: str, column: object) -> str:
        names = column_names(self._database, table)
        if isinstance(column, str) and column in names and column not in SYSTEM_COLUMNS:
            return column
        if column in SYSTEM_COLUMNS:
            raise StorageError(f"{table}.{column} is the peer's own column, and stays")
        own = [each for each in names if each not in SYSTEM_COLUMNS]
        raise StorageError(f"{table} has no column {shown(column)}; its columns are {', '.join(own[:NAMED_MAX])}")

    def _need_new_column(self, table: str, name: str) -> None:
        there = next((each for each in column_names(self._database, table) if each.lower() == name.lower()), None)
        if there is not None:
            raise StorageError(f"{table} has a column {there} already" + ("" if there == name else "; names differ in more than capitals"))


def _columns_of(document: dict[str, Any]) -> list[Any]:
    columns = document.get("columns")
    return columns if isinstance(columns, list) else []


def _failing(subject: object) -> declared.Fail:
    return declared.failing(subject if isinstance(subject, str) and subject else "the table")


COLUMN_FLAGS: Final = ("required", "key", "auto")


def column_of_text(text: str) -> dict[str, object]:
    """Return the column that a word of the command line describes: `name:type[:required][:key][:auto][:values=a,b][:default=VALUE]`.

    Raises `StorageError`. A default is a number where the type is one.
    """
    head, has_default, default = text.partition(":default=")
    parts = head.split(":")
    if len(parts) < 2 or not all(parts):
        raise StorageError(
            f"the column {shown(text)} is not understood; write name:type, such as title:text:required or points:integer:default=0"
        )
    column: dict[str, object] = {"name": parts[0], "type": parts[1]}
    for part in parts[2:]:
        word, is_list, values = part.partition("=")
        if word == "values" and is_list:
            column["values"] = values.split(",")
        elif word in COLUMN_FLAGS and not is_list:
            column[word] = True
        else:
            raise StorageError(
                f"the column {shown(text)}: {shown(part)} is not known; there are {', '.join(COLUMN_FLAGS)}, values=a,b, default=VALUE"
            )
    if has_default:
        column["default"] = _default_of(parts[1], default)
    return column


def _default_of(kind: str, text: str) -> object:
    if kind not in ("integer", "real"):
        return text
    try:
        return int(text) if kind == "integer" else float(text)
    except ValueError:
        return text  # what is wrong with it is said where types are known


def policies_of_words(words: Sequence[str]) -> dict[str, object]:
    """Return operation → policy of words like `read=open`. Raises `StorageError`."""
    found: dict[str, object] = {}
    for word in words:
        operation, has_policy, policy = word.partition("=")
        if not has_policy:
            raise StorageError(f"{shown(word)} is not understood; write a policy as read=open")
        found[operation] = policy
    return found
