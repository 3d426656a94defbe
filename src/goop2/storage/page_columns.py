"""Parse the columns that pages and other peers give to create-table and add-column, where types and defaults are SQL text.

    {"name": "state", "type": "VARCHAR(20)", "not_null": true, "default": "'new'"}    a column of a classic table
    {"name": "slug", "type": "text", "key": true}                                    of a typed one

A table is typed when a column has `key`, `required`, `auto` or `values`, which classic tables do not know. It knows no database.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from goop2.storage.columns import CURRENT, NAME, NAME_ALLOWED, SYSTEM_COLUMNS, literal, quoted
from goop2.storage.errors import StorageError
from goop2.storage.limits import COLUMNS_MAX
from goop2.storage.values import TYPES, Value, shown

_TYPE: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]*( [A-Za-z][A-Za-z0-9_]*){0,3} ?(\([0-9]{1,9}( ?, ?[0-9]{1,9})?\))?")
_NOT_TYPES: Final = frozenset(
    ("primary", "key", "not", "null", "unique", "check", "default", "collate", "references", "generated", "always", "as", "constraint")
)
"""Words that begin something else of a column in SQL."""
_OF_TYPED: Final = ("key", "required", "auto", "values")
_KEYS: Final = frozenset({"name", "type", "not_null", "default", *_OF_TYPED})
_NUMBER: Final = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")
_TEXT: Final = re.compile(r"'((?:[^']|'')*)'", re.DOTALL)
_BLOB: Final = re.compile(r"[xX]'((?:[0-9A-Fa-f]{2})*)'")
_KEYWORDS: Final[Mapping[str, Value]] = {"TRUE": 1, "FALSE": 0}
_MOMENTS: Final = frozenset(CURRENT.values())
_AFFINITIES: Final = (
    ("integer", ("int", "bool")),
    ("text", ("char", "clob", "text")),
    ("blob", ("blob",)),
    ("real", ("real", "floa", "doub", "num", "dec")),
    ("datetime", ("timestamp",)),
)
"""Type of a typed table → what an SQL type word contains that means it, as SQLite reads such words."""


def is_typed(columns: object) -> bool:
    """Return whether a table of these columns is a typed one."""
    return isinstance(columns, list) and any(isinstance(each, dict) and any(each.get(key) for key in _OF_TYPED) for each in columns)


def typed_columns(columns: object) -> object:
    """Return columns as a declaration of a typed table has them: types of ours, defaults as values; `parse_columns` checks the rest."""
    if not isinstance(columns, list):
        return columns
    return [typed_column(each) if isinstance(each, dict) else each for each in columns]


def typed_column(column: Mapping[str, object]) -> dict[str, object]:
    """Return one column as a declaration of a typed table has it."""
    plain = {key: value for key, value in column.items() if key not in ("not_null", "type", "default") and value not in (None, False, [])}
    plain["type"] = kind = _typed_kind(column.get("type"))
    if column.get("not_null"):
        plain["required"] = True
    default = _value(column.get("default"))
    if default is not None:
        if kind in ("text", "guid", "enum") and not isinstance(default, str | bytes):
            default = str(column["default"]).strip()
        plain["default"] = default
    return plain


def _typed_kind(kind: object) -> object:
    if not isinstance(kind, str):
        return kind
    word = kind.strip().lower()
    if word in TYPES:
        return word
    return next((ours for ours, parts in _AFFINITIES if any(part in word for part in parts)), word)


def classic_ddl(columns: object, table: str) -> tuple[str, ...]:
    """Return the columns of a classic table in DDL. Raises `StorageError`, which names the column that is wrong."""
    if not isinstance(columns, list) or not columns:
        raise StorageError(f"{table}: columns must be a list of at least one column")
    if len(columns) > COLUMNS_MAX:
        raise StorageError(f"{table}: columns has {len(columns)}; the most is {COLUMNS_MAX}")
    names = [_name(each, f"{table}: columns[{place}]") for place, each in enumerate(columns, 1)]
    _refuse_repeats(names, table)
    return tuple(classic_column(each, f"{table}: columns[{place}]") for place, each in enumerate(columns, 1))


def classic_column(column: Mapping[str, object], place: str) -> str:
    """Return one column of a classic table in DDL: its type is any SQL type word, its default an SQL literal. Raises `StorageError`."""
    name = _name(column, place)
    if unknown := sorted(column.keys() - _KEYS):
        raise StorageError(f"{place}.{unknown[0]} is not known; a column has name, type, not_null, default")
    default = _default_ddl(column.get("default"), f"{place}.default")
    return " ".join(
        (
            quoted(name),
            _type_word(column.get("type"), f"{place}.type"),
            *(["NOT NULL"] if column.get("not_null") else []),
            *([f"DEFAULT {default}"] if default else []),
        )
    )


def has_default(column: Mapping[str, object]) -> bool:
    """Return whether a column of a classic table has a default."""
    return bool(_default_ddl(column.get("default"), "default"))


def _name(column: object, place: str) -> str:
    if not isinstance(column, dict):
        raise StorageError(f"{place} must be an object with name and type")
    name = column.get("name")
    if not isinstance(name, str) or not NAME.match(name) or name in SYSTEM_COLUMNS:
        raise StorageError(f"{place}.name is {shown(name)}; allowed is {NAME_ALLOWED}")
    return name


def _refuse_repeats(names: Sequence[str], table: str) -> None:
    seen: set[str] = set()
    for place, name in enumerate(names, 1):
        if name.lower() in seen:
            raise StorageError(f"{table}: columns[{place}].name is {name}, as another column's; names differ in more than capitals")
        seen.add(name.lower())


def _type_word(kind: object, place: str) -> str:
    word = kind.strip() if isinstance(kind, str) else kind
    if isinstance(word, str) and word.lower() in TYPES:
        return TYPES[word.lower()].sql
    if not isinstance(word, str) or not _TYPE.fullmatch(word) or _NOT_TYPES & set(re.split(r"[^a-z0-9_]+", word.lower())):
        raise StorageError(f"{place} is {shown(kind)}; allowed is an SQL type, such as TEXT, INTEGER, REAL, BLOB, BOOLEAN or VARCHAR(20)")
    return word


def _default_ddl(default: object, place: str) -> str:
    """Return a default in DDL; "" for none."""
    if isinstance(default, list | dict):
        raise StorageError(f"{place} must be a plain value, or an SQL literal in a text")
    if isinstance(default, str) and default.strip().upper() in _MOMENTS:
        return default.strip().upper()
    value = _value(default)
    if isinstance(value, str) and "\0" in value:
        raise StorageError(f"{place} cannot hold a NUL character")
    return "" if value is None else literal(value)


def _value(default: object) -> Value:
    """Return what a default is: a text that is an SQL literal means its value, another text itself, "" and NULL none."""
    if isinstance(default, bool):
        return int(default)
    if not isinstance(default, str):
        return default if isinstance(default, int | float) else None
    text = default.strip()
    if text == "" or text.upper() == "NULL":
        return None
    if text.upper() in _MOMENTS:
        return text.upper()
    if text.upper() in _KEYWORDS:
        return _KEYWORDS[text.upper()]
    if quoted_text := _TEXT.fullmatch(text):
        return quoted_text[1].replace("''", "'")
    if blob := _BLOB.fullmatch(text):
        return bytes.fromhex(blob[1])
    if _NUMBER.fullmatch(text):
        return float(text) if re.search(r"[.eE]", text) else int(text)
    return default
