"""The tables for callers from outside: every operation of the data protocol, under the tables' policies.

The policy is in a temporary view (row_visibility.py), and the guard lets a visitor's statement read the table through that view only. So
nothing in `where` or `order` can widen it or be computed for a row it hides; `columns` and the keys of `data` must be names of columns. The
view's name is random: a CTE of the same name would pass as the view. Errors are `AccessError`s; a table that a caller may not know of is
reported as missing.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from goop2.storage import error_masking, row_visibility, table_changes
from goop2.storage import request_parser as read
from goop2.storage.columns import OPERATIONS as OPERATION_NAMES
from goop2.storage.columns import quoted
from goop2.storage.data_operations import BY_NAME, TABLE_OPERATIONS
from goop2.storage.database import Database, Value
from goop2.storage.datetimes import in_one_form
from goop2.storage.errors import AccessError, DeclarationError, RefusedError, StorageError
from goop2.storage.guard import QUERY, SCRIPT_WRITES, VISITOR, Role, is_private
from goop2.storage.limits import ROWS_MAX
from goop2.storage.policies import CLASSIC, LOCAL, Scope, Visitor, refusal, scope
from goop2.storage.registry_schema import names_and_computed, user_tables
from goop2.storage.request_parser import Request
from goop2.storage.row_visibility import VisibleRows, Ways
from goop2.storage.target_table import TargetTable
from goop2.storage.template_group import OWNER, role_in
from goop2.storage.typed_tables import Owner, TypedTables
from goop2.storage.values import shown

NAME_BYTES: Final = 16
VIEWS_KEPT: Final = 256


class TableAccess:
    """The tables of one database, for callers from outside."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._typed = TypedTables(database)
        self._views: dict[tuple[object, ...], str] = {}
        self._ways: dict[tuple[str, tuple[str, ...]], Ways] = {}
        self._caller = ""
        self._key: Value = None
        self._condition = ""
        self._conflict = ""
        """In statements of strangers: the ON CONFLICT REPLACE of a table that another program made would remove rows of others."""
        database.connection.create_scalar_function(row_visibility.CALLER_FUNCTION, self._who, 0, deterministic=True)
        database.connection.create_scalar_function(row_visibility.KEY_FUNCTION, self._which, 0, deterministic=True)

    def perform(self, operation: str, visitor: Visitor, request: Request, *, condition: str = "") -> object:
        """Do an operation of the data protocol (network.md, "Data"); return its answer for JSON. Raises `AccessError`.

        `condition`: SQL of the site that every row read or written must meet, before and after (`filter` in api.json); never the caller's.
        """
        work = OPERATIONS.get(operation)
        if work is None:
            raise AccessError("bad_request", f"unknown operation {shown(operation)}")
        if BY_NAME[operation].owner_only and not visitor.owner:
            raise AccessError("forbidden", f"{operation} is for the owner of the site")
        self._caller, self._condition, self._key = visitor.id, condition, None
        # ON CONFLICT REPLACE of a table's own declaration would delete a row the caller may not touch.
        self._conflict = "" if visitor.owner else "OR ABORT "
        # One connection serves many callers: changes() and last_insert_rowid() must not tell of the caller before.
        self._database.begin_anew()
        try:
            return work(self, visitor, request)
        except AccessError:
            raise
        except StorageError as error:
            # A trigger's refusal names tables the caller may not know of.
            hidden = isinstance(error, RefusedError) and not visitor.owner
            raise AccessError(error.code, "a trigger of the table does what is refused to it" if hidden else str(error)) from None

    def _who(self, *_: object) -> str:
        return self._caller

    def _which(self, *_: object) -> Value:
        return self._key

    # ── what there is ────────────────────────────────────────────────────────────────────────

    def tables(self, visitor: Visitor, _request: Request) -> list[dict[str, object]]:
        """Return the tables that the visitor may know of."""
        rows = self._database.rows("SELECT name, insert_policy, created_at FROM _tables ORDER BY name")
        # A registry may name a table that another program has dropped since.
        registered: list[dict[str, object]] = [
            {"name": name, "insert_policy": policy, "created_at": created, "mode": subject.mode}
            for name, policy, created in rows
            if (subject := self._find(str(name))) is not None and subject.visible_to(visitor)
        ]
        return registered + (self._unregistered({str(name) for name, _, _ in rows}) if visitor.owner else [])

    def _unregistered(self, registered: set[str]) -> list[dict[str, object]]:
        """Return the tables that another program made and no registry names, for the owner only."""
        return [
            {"name": name, "insert_policy": "local", "created_at": None, "mode": subject.mode}
            for name in user_tables(self._database)
            if name not in registered and (subject := self._find(name)) is not None
        ]

    def describe(self, visitor: Visitor, request: Request) -> dict[str, object]:
        """Return the declaration of a typed table the visitor may see, and the columns of a classic one."""
        subject = self._subject(visitor, request)
        if subject.typed:
            return {"mode": subject.mode, "schema": subject.declaration}
        rows = self._database.rows(f"PRAGMA table_xinfo({quoted(subject.name)})")
        keys = ("cid", "name", "type", "not_null", "default", "pk")
        columns = [
            {
                **dict(zip(keys, (cid, name, kind, bool(not_null), default, bool(pk)), strict=True)),
                **({"computed": True} if name in subject.computed else {}),
            }
            for cid, name, kind, not_null, default, pk, _ in rows
        ]
        return {"mode": subject.mode, "columns": columns}

    def orm_schema(self, visitor: Visitor, request: Request) -> dict[str, object]:
        """Return the declaration of a typed table; without `table` those of all the visitor may know of, by name."""
        if not request.get("table"):
            names = self._database.rows("SELECT table_name FROM _orm_schemas ORDER BY table_name")
            subjects = [subject for (name,) in names if (subject := self._find(str(name))) is not None]
            return {one.name: one.declaration for one in subjects if one.typed is not None and one.visible_to(visitor)}
        subject = self._subject(visitor, request)
        subject.need_declaration()
        if subject.typed is None:
            raise AccessError("not_found", f"{subject.name} is not a typed table")
        return subject.declaration

    # ── reading ──────────────────────────────────────────────────────────────────────────────

    def query(self, visitor: Visitor, request: Request) -> list[dict[str, object]]:
        """Return rows by columns, where, args, order, limit, offset."""
        subject = self._subject(visitor, request)
        return self._select(visitor, subject, read.columns(subject, request), request)

    def query_one(self, visitor: Visitor, request: Request) -> dict[str, object] | None:
        """Return the first row of `query`, or None."""
        return next(iter(self.query(visitor, {**request, "limit": 1})), None)

    def count(self, visitor: Visitor, request: Request) -> dict[str, int]:
        """Return how many rows `query` would find."""
        subject = self._subject(visitor, request)
        found = self._select(visitor, subject, "count(*) AS n", {**request, "order": None, "limit": None, "offset": None})[0]["n"]
        assert isinstance(found, int)
        return {"count": found}

    def exists(self, visitor: Visitor, request: Request) -> dict[str, bool]:
        """Return whether `query` would find a row."""
        return {"exists": self.query_one(visitor, {**request, "columns": ["_id"]}) is not None}

    def pluck(self, visitor: Visitor, request: Request) -> list[object]:
        """Return one column of the rows of `query`."""
        column = read.one_column(self._subject(visitor, request), request)
        return [row[column] for row in self.query(visitor, {**request, "columns": [column]})]

    def distinct(self, visitor: Visitor, request: Request) -> list[object]:
        """Return the different values of one column."""
        subject = self._subject(visitor, request)
        column = read.one_column(subject, request)
        rows = self._select(visitor, subject, f"DISTINCT {quoted(column)}", {"order": quoted(column), **request})
        return [row[column] for row in rows]

    def aggregate(self, visitor: Visitor, request: Request) -> list[dict[str, object]]:
        """Return `expr`, such as `sum(points)`, over the rows of `query`, for each `group_by`."""
        subject = self._subject(visitor, request)
        aggregates = read.aggregates(subject, request)
        selected = ", ".join(f"{each.sql} AS {quoted(each.alias)}" for each in aggregates)
        group = request.get("group_by")
        if group is None:
            return self._select(visitor, subject, selected, request)
        if read.column(subject, group) in [each.alias for each in aggregates]:
            raise AccessError("bad_request", f"group_by cannot be {group}: the answer has the {aggregates[0].function} under that name")
        by = quoted(str(group))
        return self._select(visitor, subject, f"{by}, {selected}", request, f" GROUP BY {by}")

    def _select(self, visitor: Visitor, subject: TargetTable, selected: str, request: Request, group: str = "") -> list[dict[str, object]]:
        (where, arguments), order = _compared(subject, read.sql(request, "where"), read.arguments(request)), read.sql(request, "order")
        rows = self._visible(visitor, subject, where, order, arguments)
        view = self._view(subject, rows)
        # A line of its own for what the caller wrote: a comment in it ends there.
        sql = f'SELECT {selected} FROM temp."{view}" AS {quoted(subject.name)}'
        sql += f" WHERE (\n{where}\n)" if where else ""
        sql += group
        sql += f" ORDER BY\n{order}\n" if order else ""
        sql += f" LIMIT {read.whole(request, 'limit', ROWS_MAX + 1)} OFFSET {read.whole(request, 'offset', 0)}"
        role = Role(VISITOR, f"a query of {subject.name}", subject.name, view, not rows.hides)
        try:
            return self._database.records(role, sql, arguments)
        except StorageError as error:
            # The view's random name must not appear in any message: whoever knows it could read past the guard.
            message = str(error) if visitor.owner else self._told(error, sql, view, subject)
            raise AccessError(error.code, message.replace(view, subject.name)) from None

    def _visible(self, visitor: Visitor, subject: TargetTable, where: str, order: str, arguments: Sequence[Value]) -> VisibleRows:
        """Return the rows that the visitor may read, and the part of the request that the view is told."""
        allowed = self._scope(subject, "read", visitor)
        if allowed is Scope.NONE:
            raise AccessError("forbidden", refusal(subject.access, "read", visitor, f"you may not read {subject.name}"))
        rows = VisibleRows(allowed is Scope.OWN, self._condition)
        if not rows.hides:
            return rows
        # Only what reveals nothing is passed into the view (row_visibility.py); the rest stays outside it.
        rows = row_visibility.with_request(rows, self._ways_of(subject), subject, where, order, arguments)
        self._key = arguments[0] if rows.key else None
        return rows

    def _told(self, error: StorageError, sql: str, view: str, subject: TargetTable) -> str:
        """Return the error for a stranger: nothing in it depends on what else is in the database."""
        refused = f"a query of {subject.name} has its columns, plain values and functions of these, and nothing else"
        return error_masking.masked_error(sql, view, subject.columns) or (refused if isinstance(error, RefusedError) else str(error))

    def _ways_of(self, subject: TargetTable) -> Ways:
        key = (subject.name, subject.columns)
        if key not in self._ways:
            # Cleared whole: they are asked for again in one statement.
            if len(self._ways) >= VIEWS_KEPT:
                self._ways.clear()
            self._ways[key] = row_visibility.ways(self._database, subject.name)
        return self._ways[key]

    def _view(self, subject: TargetTable, rows: VisibleRows) -> str:
        """Return the view that shows these rows of the table."""
        key = (subject.name, subject.columns, rows)
        if key not in self._views:
            self._views[key] = self._make_view(subject, rows)
        return self._views[key]

    def _make_view(self, subject: TargetTable, rows: VisibleRows) -> str:
        if len(self._views) >= VIEWS_KEPT:
            oldest = next(iter(self._views))
            # Each view costs memory and makes SQLite read its schema again, so old ones are dropped.
            self._database.rows(f'DROP VIEW temp."{self._views.pop(oldest)}"')
        # A secret name: the guard takes what is read inside this view for allowed, so no caller may name it.
        name = f"v{secrets.token_hex(NAME_BYTES)}"
        self._database.rows(f'CREATE TEMP VIEW "{name}" AS {row_visibility.select(subject, rows)}')
        return name

    def _forget_views(self) -> None:
        self._ways.clear()
        while self._views:
            _, name = self._views.popitem()
            self._database.rows(f'DROP VIEW temp."{name}"')

    # ── writing ──────────────────────────────────────────────────────────────────────────────

    def insert(self, visitor: Visitor, request: Request) -> dict[str, object]:
        """Insert a row that belongs to the visitor."""
        subject = self._subject(visitor, request)
        if self._scope(subject, "insert", visitor) is Scope.NONE:
            raise AccessError("forbidden", refusal(subject.access, "insert", visitor, f"you may not add to {subject.name}"))
        with self._database.atomic():
            row = self._insert(subject, read.data(subject, request), Owner(visitor.id, visitor.email))
            self._check_condition(subject, row)
        return {"status": "inserted", "id": row}

    def update(self, visitor: Visitor, request: Request) -> dict[str, object]:
        """Change columns of a row by its id."""
        subject = self._subject(visitor, request)
        data = read.data(subject, request)
        condition, arguments = self._only(visitor, subject, "update")
        row = read.whole(request, "id", None)
        with self._database.atomic():
            found = self._update(subject, data, f"_id = ?{condition}", (row, *arguments))
            if found:
                self._check_condition(subject, row)
        return _done(bool(found), subject, request, "updated")

    def delete(self, visitor: Visitor, request: Request) -> dict[str, object]:
        """Delete a row, named by its id, that the visitor may delete."""
        subject = self._subject(visitor, request)
        condition, arguments = self._only(visitor, subject, "delete")
        sql = f"DELETE FROM {quoted(subject.name)} WHERE _id = ?{condition}"
        found = self._database.change(_writing(subject), sql, (read.whole(request, "id", None), *arguments))
        return _done(bool(found), subject, request, "deleted")

    def _scope(self, subject: TargetTable, operation: str, visitor: Visitor) -> Scope:
        # The role is looked up for tables that ask for it alone.
        role = role_in(self._database, visitor.roles) if subject.rights is not None and not visitor.owner else ""
        return scope(subject.access, operation, visitor, subject.rights, role)

    def _only(self, visitor: Visitor, subject: TargetTable, operation: str) -> tuple[str, tuple[Value, ...]]:
        """Return the condition for a row as SQL, and its arguments."""
        allowed = self._scope(subject, operation, visitor)
        if allowed is Scope.NONE:
            raise AccessError("forbidden", refusal(subject.access, operation, visitor, f"you may not {operation} rows of {subject.name}"))
        site = f"(\n{self._condition}\n)" if self._condition else "1"
        if allowed is Scope.ALL:
            return f" AND {site}", ()
        # By CASE, as in row_visibility.py: the site's condition is not computed for a row of somebody else's.
        return f" AND CASE WHEN _owner = ? COLLATE BINARY THEN {site} ELSE 0 END", (visitor.id,)

    def _check_condition(self, subject: TargetTable, row: int) -> None:
        """Check that written rows still meet the site's own condition; inside `atomic`, so that a refusal undoes it."""
        if self._condition:
            sql = f"SELECT 1 FROM {quoted(subject.name)} WHERE _id = ? AND (\n{self._condition}\n)"
            if not self._database.query(QUERY, sql, (row,)).values:
                raise AccessError("forbidden", f"a row of {subject.name} like this is not for this resource")

    def _insert(self, subject: TargetTable, data: Mapping[str, Value], owner: Owner) -> int:
        subject.need_declaration()
        if subject.typed:
            return self._typed.insert(subject.name, data, owner)
        values = {**subject.settable(data), "_owner": owner.id, "_owner_email": owner.email}
        into, holes = ", ".join(map(quoted, values)), ", ".join("?" * len(values))
        sql = f"INSERT {self._conflict}INTO {quoted(subject.name)} ({into}) VALUES ({holes})"
        self._database.change(_writing(subject), sql, tuple(values.values()))
        return self._database.last_id

    def _update(self, subject: TargetTable, data: Mapping[str, Value], where: str, arguments: Sequence[Value]) -> int:
        subject.need_declaration()
        if subject.typed:
            return self._typed.update_where(subject.name, data, where, arguments)
        values = subject.settable(data)
        assignments = ", ".join((*(f"{quoted(name)} = ?" for name in values), "_updated_at = CURRENT_TIMESTAMP"))
        sql = f"UPDATE {self._conflict}{quoted(subject.name)} SET {assignments} WHERE {where}"
        return self._database.change(_writing(subject), sql, (*values.values(), *arguments))

    def role(self, visitor: Visitor, request: Request) -> dict[str, object]:
        """Return the visitor's role in the template group, what it may by the table's `roles`, and which rows each operation opens."""
        subject = self._subject(visitor, request)
        opened = {operation: _OPENED[self._scope(subject, operation, visitor)] for operation in subject.access}
        role = OWNER if visitor.owner else role_in(self._database, visitor.roles)
        permissions = None
        if role and subject.rights is not None:
            permissions = dict.fromkeys(OPERATION_NAMES, True) if role == OWNER else subject.rights.get(role)
        # The policies themselves are for who may change them.
        return {"role": role, "permissions": permissions, **opened, **({"policies": dict(subject.access)} if visitor.owner else {})}

    # ── the owner's ──────────────────────────────────────────────────────────────────────────

    def update_where(self, visitor: Visitor, request: Request) -> dict[str, object]:
        """Change columns of every row that meets `where`; there must be one: all rows are `1`."""
        subject = self._subject(visitor, request)
        data = read.data(subject, request)
        changed = self._update(subject, data, *_compared(subject, read.needed_where(request), read.arguments(request)))
        return {"affected": changed}

    def delete_where(self, visitor: Visitor, request: Request) -> dict[str, object]:
        """Remove every row that meets `where`; there must be one: all rows are `1`."""
        subject = self._subject(visitor, request)
        where, arguments = _compared(subject, read.needed_where(request), read.arguments(request))
        changed = self._database.change(_writing(subject), f"DELETE FROM {quoted(subject.name)} WHERE {where}", arguments)
        return {"affected": changed}

    def upsert(self, visitor: Visitor, request: Request) -> dict[str, object]:
        """Change the row whose `key_col` is that of `data`; without one, add it. Several such rows are an error."""
        subject = self._subject(visitor, request)
        data = read.data(subject, request)
        column = read.column(subject, request.get("key_col"))
        if data.get(column) is None:
            raise AccessError("bad_request", f"data has no {column}, and the row is looked for by it")
        with self._database.atomic():
            sql = f"SELECT _id FROM {quoted(subject.name)} WHERE {quoted(column)} = ? LIMIT 2"
            rows = self._database.rows(sql, (data[column],))
            if len(rows) > 1:
                raise AccessError("bad_request", f"several rows of {subject.name} have this {column}")
            if not rows:
                return {"status": "ok", "id": self._insert(subject, data, Owner(visitor.id, visitor.email))}
            (row,) = rows[0]
            self._update(subject, data, "_id = ?", (row,))
            return {"status": "ok", "id": row}

    def change_structure(self, operation: str, request: Request) -> dict[str, object]:
        """Make, rename or remove tables and columns."""
        self._forget_views()  # SQLite would make those of a renamed table follow it, and they are kept under its old name
        with self._database.atomic():
            return table_changes.CHANGES[operation](self._database, request)

    # ── which table ──────────────────────────────────────────────────────────────────────────

    def _subject(self, visitor: Visitor, request: Request) -> TargetTable:
        name = request.get("table")
        subject = self._find(name) if isinstance(name, str) else None
        if subject is None or not subject.known_to(visitor):
            raise AccessError("not_found", f"there is no table {shown(name)}")
        return subject

    def _find(self, name: str) -> TargetTable | None:
        """Return the user table of exactly that name."""
        if is_private(name):
            return None
        # A virtual table (fts5, rtree) has no page of its own: what it reads of others inside itself SQLite asks about only once.
        if self._database.scalar("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ? AND rootpage > 0", (name,)) is None:
            return None
        columns, computed = names_and_computed(self._database, name)
        try:
            typed = self._typed.lookup(name)
        except DeclarationError as error:
            return TargetTable(name=name, columns=columns, access=LOCAL, typed=None, computed=computed, damage=str(error))
        if typed is not None:
            return TargetTable(name=name, columns=columns, access=typed.access, typed=typed, rights=typed.rights, computed=computed)
        policy = self._database.scalar("SELECT insert_policy FROM _tables WHERE name = ?", (name,))
        access = CLASSIC.get(str(policy), LOCAL)
        return TargetTable(name=name, columns=columns, access=access, typed=None, computed=computed)


def _compared(subject: TargetTable, where: str, arguments: Sequence[Value]) -> tuple[str, Sequence[Value]]:
    """Return a condition and its arguments with times as the table holds them."""
    return in_one_form(subject.typed, where, arguments) if subject.typed else (where, arguments)


def _writing(subject: TargetTable) -> Role:
    return Role(SCRIPT_WRITES, f"a change of {subject.name}")


def _done(found: bool, subject: TargetTable, request: Request, status: str) -> dict[str, object]:
    if not found:
        raise AccessError("not_found", f"{subject.name} has no row {shown(request.get('id'))} that you may change")
    return {"status": status}


Operation = Callable[[TableAccess, Visitor, Request], object]


def _structural(operation: str) -> Operation:
    return lambda access, _visitor, request: access.change_structure(operation, request)


_OPENED: Final = {Scope.ALL: "all", Scope.OWN: "own", Scope.NONE: "none"}


def _implementation(name: str) -> Operation:
    """Return what does the operation `name`: a change of table_changes.py, else the method of `TableAccess` that is called like it."""
    if name in table_changes.CHANGES:
        return _structural(name)
    method: Operation = getattr(TableAccess, name.replace("-", "_"))
    return method


OPERATIONS: Final[Mapping[str, Operation]] = {name: _implementation(name) for name in TABLE_OPERATIONS}
"""Every operation on tables that data_operations.py declares → what does it."""
