"""Columns and tables as they are declared: in goop.schema.create, in schemas/*.json, in `_orm_schemas`.

All three have one form (network.md, "The database"). Parsing checks everything and names the wrong field; a parsed `Table` is trusted. It
must not know a database.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from typing import Final

import msgspec

from goop2.storage.errors import StorageError
from goop2.storage.likeness import hint
from goop2.storage.limits import COLUMNS_MAX
from goop2.storage.values import AUTOMATIC, TYPES, Value, check, shown, stored

NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,62}\Z")
"""A table or column a site may make. `_` in front is the peer's own."""
NAME_ALLOWED: Final = "a letter, then letters, digits and _, at most 63"

OPERATIONS: Final = ("read", "insert", "update", "delete")
POLICIES: Final = ("open", "group", "email", "owner", "local")
DEFAULT_ACCESS: Final = {"read": "open", "insert": "owner", "update": "owner", "delete": "owner"}

SYSTEM_COLUMNS: Final = ("_id", "_owner", "_owner_email", "_created_at", "_updated_at")
SYSTEM_DDL: Final = (
    "_id INTEGER PRIMARY KEY AUTOINCREMENT",
    "_owner TEXT NOT NULL",
    "_owner_email TEXT DEFAULT ''",
    "_created_at DATETIME DEFAULT CURRENT_TIMESTAMP",
    "_updated_at DATETIME DEFAULT CURRENT_TIMESTAMP",
)

CURRENT: Final = {"datetime": "CURRENT_TIMESTAMP", "date": "CURRENT_DATE", "time": "CURRENT_TIME"}
"""Type → the one default of it that is no literal."""

Fail = Callable[[str, str], StorageError]
"""(field, what is wrong with it) → the error."""


class DeclarationSource(Enum):
    """Where a declaration comes from, which decides what is tolerated."""

    SCRIPT = "goop.schema.create, or the owner's hand"
    FILE = "schemas/*.json: fields only other peers know are passed over"
    REGISTRY = "_orm_schemas: the table is there already, perhaps another peer's, so names and defaults are as they are"


class Column(msgspec.Struct, frozen=True, kw_only=True):
    """One column of a typed table."""

    name: str
    type: str
    """A key of `values.TYPES`."""
    required: bool = False
    key: bool = False
    auto: bool = False
    default: Value = None
    values: tuple[tuple[str, str], ...] = ()
    """enum: (key, label) of each value it may take."""

    @property
    def keys(self) -> tuple[str, ...]:
        """Return the values an enum may take; empty for other types."""
        return tuple(key for key, _ in self.values)

    @property
    def ddl(self) -> str:
        """Return the column in a CREATE TABLE."""
        parts = [quoted(self.name), TYPES[self.type].sql]
        if self.required or self.key:
            parts.append("NOT NULL")
        if self.default is not None:
            parts.append(f"DEFAULT {self._default_sql()}")
        return " ".join(parts)

    def _default_sql(self) -> str:
        if self.default == CURRENT.get(self.type):
            return str(self.default)
        return literal(stored(self.type, self.default))

    def plain(self) -> dict[str, object]:
        """Return the column as JSON holds it."""
        shown: dict[str, object] = {"name": self.name, "type": self.type}
        for flag in ("key", "required", "auto"):
            if getattr(self, flag):
                shown[flag] = True
        if self.default is not None:
            shown["default"] = self.default
        if self.values:
            shown["values"] = [{"key": key, "label": label} for key, label in self.values]
        return shown


class Table(msgspec.Struct, frozen=True):
    """A typed table: its columns and policies, as declared."""

    name: str
    columns: tuple[Column, ...]
    access: Mapping[str, str] = msgspec.field(default_factory=lambda: dict(DEFAULT_ACCESS))
    """Operation → policy."""
    context: object = None
    """Kept for peers that use it."""
    roles: object = None
    """Role → operation → whether it may, as declared; `rights` is what holds of it."""

    @property
    def rights(self) -> dict[str, dict[str, bool]] | None:
        """Role → operation → whether it may, under the policy `group`; None without roles. What cannot be read of it opens nothing."""
        if self.roles is None or self.roles == {}:
            return None
        declared = self.roles if isinstance(self.roles, dict) else {}
        return {
            str(role): {operation: allowed.get(operation) is True for operation in OPERATIONS}
            for role, allowed in declared.items()
            if isinstance(allowed, dict)
        }

    def column(self, name: str) -> Column | None:
        """Return the site's own column of that name."""
        return next((column for column in self.columns if column.name == name), None)

    @property
    def all_names(self) -> tuple[str, ...]:
        """Return every column of the table, system columns first."""
        return (*SYSTEM_COLUMNS, *(column.name for column in self.columns))

    @property
    def key_names(self) -> tuple[str, ...]:
        """Return the columns that together name a row, none when `_id` does."""
        return tuple(column.name for column in self.columns if column.key)

    @property
    def ddl(self) -> str:
        """Return the table's CREATE TABLE statement."""
        return f"CREATE TABLE {quoted(self.name)} ({', '.join((*SYSTEM_DDL, *(column.ddl for column in self.columns)))})"

    @property
    def json(self) -> str:
        """Return the JSON text of the table as `_orm_schemas` holds it."""
        document = {
            "name": self.name,
            "columns": [column.plain() for column in self.columns],
            "access": dict(self.access),
            "system_key": not self.key_names,
        }
        if self.context is not None:
            document["context"] = self.context
        if self.roles is not None:
            document["roles"] = self.roles
        return json.dumps(document, ensure_ascii=False)


def quoted(name: str) -> str:
    """Return a name quoted for use in SQL."""
    return '"' + name.replace('"', '""') + '"'


def literal(value: Value) -> str:
    """Return a value in DDL, where nothing can be bound."""
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    return f"x'{value.hex()}'" if isinstance(value, bytes) else repr(value)


def parse_table(document: object, fail: Fail, source: DeclarationSource = DeclarationSource.SCRIPT) -> Table:
    """Return a table from its JSON form. Raises what `fail` makes of the wrong field."""
    if not isinstance(document, dict):
        raise fail("the whole", "must be an object with name and columns")
    name = _name(document.get("name"), "name", fail, source)
    columns = parse_columns(document.get("columns"), fail, source)
    access = parse_access(document.get("access"), fail, source)
    return Table(name, columns, access, document.get("context"), document.get("roles"))


def parse_columns(document: object, fail: Fail, source: DeclarationSource = DeclarationSource.SCRIPT) -> tuple[Column, ...]:
    """Return columns from their JSON form. Raises what `fail` makes."""
    if not isinstance(document, list) or not document:
        raise fail("columns", "must be a list of at least one column")
    if len(document) > COLUMNS_MAX and source is not DeclarationSource.REGISTRY:
        raise fail("columns", f"are {len(document)}, the most is {COLUMNS_MAX}")
    columns = tuple(_column(each, f"columns[{index}]", fail, source) for index, each in enumerate(document, 1))
    seen: set[str] = set()
    for index, column in enumerate(columns, 1):
        if column.name.lower() in seen:
            raise fail(f"columns[{index}].name", f"is {column.name}, as another column's; names differ in more than capitals")
        seen.add(column.name.lower())
    return columns


def parse_access(document: object, fail: Fail, source: DeclarationSource = DeclarationSource.SCRIPT) -> dict[str, str]:
    """Return policies from their JSON form; a missing one is the default. In a registry an unknown policy means `local`: closed."""
    if document is None:
        return dict(DEFAULT_ACCESS)
    if not isinstance(document, dict):
        raise fail("access", "must be an object of read, insert, update and delete")
    access = dict(DEFAULT_ACCESS)
    for operation, policy in document.items():
        if operation not in OPERATIONS:
            if source is DeclarationSource.REGISTRY:
                continue
            raise fail(f"access.{operation}", f"is not an operation; there are {', '.join(OPERATIONS)}")
        if policy in (None, ""):
            continue  # other peers write what they leave at the default so
        if policy not in POLICIES:
            if source is not DeclarationSource.REGISTRY:
                raise fail(f"access.{operation}", f"is {shown(policy)}; allowed is {', '.join(POLICIES)}")
            policy = "local"
        access[operation] = policy
    return access


def _name(value: object, place: str, fail: Fail, source: DeclarationSource) -> str:
    if isinstance(value, str) and (NAME.match(value) or (source is DeclarationSource.REGISTRY and value)):
        return value
    raise fail(place, f"is {shown(value)}; allowed is {NAME_ALLOWED}")


def _column(document: object, place: str, fail: Fail, source: DeclarationSource) -> Column:
    if not isinstance(document, dict):
        raise fail(place, "must be an object with name and type")
    unknown = document.keys() - {"name", "type", "required", "key", "auto", "default", "values"}
    if unknown and source is DeclarationSource.SCRIPT:
        raise fail(f"{place}.{min(unknown)}", "is not known; a column has name, type, required, default, key, auto, values")
    name = _name(document.get("name"), f"{place}.name", fail, source)
    kind = document.get("type")
    if not isinstance(kind, str) or kind not in TYPES:
        raise fail(
            f"{place}.type",
            f"is {shown(kind)}; allowed is {', '.join(TYPES)}{hint(kind, TYPES) if source is DeclarationSource.FILE else ''}",
        )
    flags = {flag: _flag(document, flag, place, fail) for flag in ("required", "key", "auto")}
    if flags["auto"] and kind not in AUTOMATIC:
        raise fail(f"{place}.auto", f"is not for {kind}; it is for {', '.join(AUTOMATIC)}")
    column = Column(name=name, type=kind, **flags, values=_enum_values(document.get("values"), kind, place, fail, source))
    return _with_default(column, document.get("default"), place, fail, source)


def _flag(document: Mapping[str, object], flag: str, place: str, fail: Fail) -> bool:
    value = document.get(flag)
    if value is not None and not isinstance(value, bool):
        raise fail(f"{place}.{flag}", f"is {shown(value)}; allowed is true or false")
    return bool(value)


def _enum_values(document: object, kind: str, place: str, fail: Fail, source: DeclarationSource) -> tuple[tuple[str, str], ...]:
    if kind != "enum":
        if document not in (None, []):
            raise fail(f"{place}.values", "is only for enum")
        return ()
    if document in (None, []) and source is not DeclarationSource.SCRIPT:
        return ()  # a draft of another peer's schema editor: any text is taken
    if not isinstance(document, list) or not document:
        raise fail(f"{place}.values", "must list what the enum may be")
    return tuple(_enum_value(value, f"{place}.values[{index}]", fail) for index, value in enumerate(document, 1))


def _enum_value(value: object, place: str, fail: Fail) -> tuple[str, str]:
    if isinstance(value, str):
        return value, value
    if isinstance(value, dict) and isinstance(value.get("key"), str):
        label = value.get("label")
        return value["key"], label if isinstance(label, str) and label else value["key"]
    raise fail(place, "must be a text, or an object with key and label")


def _with_default(column: Column, value: object, place: str, fail: Fail, source: DeclarationSource) -> Column:
    if value is None:
        return column
    if value == "" and column.type not in ("text", "guid"):
        return column  # other peers write an empty default for none
    if value != CURRENT.get(column.type) and source is not DeclarationSource.REGISTRY:
        message = check(column.type, column.keys, value)
        if not message and isinstance(value, str) and "\0" in value and column.type != "blob":
            message = "cannot hold a NUL character"  # in DDL the text would end there
        if message:
            raise fail(f"{place}.default", message)
    return msgspec.structs.replace(column, default=value)


def failing(subject: str) -> Fail:
    """Return a maker of errors for declarations in a script, which begin with the table's name."""

    def fail(place: str, message: str) -> StorageError:
        return StorageError(f"{subject}: {place} {message}")

    return fail


def names(columns: Sequence[Column]) -> str:
    """Return names of columns, joined for messages."""
    return ", ".join(column.name for column in columns)
