"""Find unknown keys of a schema file that are probably misspelt known ones.

A misspelt `access` would publish a table that its author meant to close. So a key one or two letters from a known one is distinguished from
a key of a newer program, which resembles nothing and changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from goop2.storage.columns import OPERATIONS, POLICIES
from goop2.storage.likeness import hint, resembled
from goop2.storage.values import SHOWN_CHARACTERS, shown

TABLE_KEYS: Final = ("name", "columns", "access", "roles", "context", "system_key")
COLUMN_KEYS: Final = ("name", "type", "required", "key", "auto", "default", "values")
VALUE_KEYS: Final = ("key", "label")


class Oddity(msgspec.Struct, frozen=True):
    """Something odd in a schema file that does not prevent its table."""

    place: str
    message: str
    closes: bool
    """Whether a new table is `local` until it is mended: the author may have meant a narrower policy."""

    def __str__(self) -> str:
        return f"{self.place} {self.message}"


def oddities(document: object) -> list[Oddity]:
    """Return what is odd in the keys and policies of a schema file's JSON, in the order of the file's parts."""
    if not isinstance(document, dict):
        return []
    return [
        *_unknown(document, TABLE_KEYS, ""),
        *(oddity for place, column in _listed(document.get("columns"), "columns") for oddity in _of_column(column, place)),
        *_of_access(document.get("access")),
        *of_roles(document.get("roles")),
    ]


def _of_column(column: dict[str, object], place: str) -> Iterator[Oddity]:
    yield from _unknown(column, COLUMN_KEYS, f"{place}.")
    for inner, value in _listed(column.get("values"), f"{place}.values"):
        yield from _unknown(value, VALUE_KEYS, f"{inner}.")


def _of_access(access: object) -> Iterator[Oddity]:
    if access is None:
        return
    if not isinstance(access, dict):
        yield Oddity("access", f"is {shown(access)}; it should be an object of {', '.join(OPERATIONS)}", closes=True)
        return
    for operation, policy in access.items():
        if operation not in OPERATIONS:
            message = f"is not an operation; there are {', '.join(OPERATIONS)}{hint(operation, OPERATIONS)}"
            yield Oddity(f"access.{_key(operation)}", message, closes=True)
        elif policy not in (None, "", *POLICIES):
            message = f"is {shown(policy)}; allowed is {', '.join(POLICIES)}{hint(policy, POLICIES)}"
            yield Oddity(f"access.{operation}", message, closes=True)


def of_roles(roles: object) -> Iterator[Oddity]:
    """Return what is odd in the `roles` of a table."""
    if roles is None:
        return
    if not isinstance(roles, dict) or any(not isinstance(allowed, dict) for allowed in roles.values()):
        yield Oddity("roles", "should be an object of roles, each an object of read, insert, update and delete", closes=True)
        return
    for role, allowed in roles.items():
        for operation, may in allowed.items():
            if operation not in OPERATIONS or not isinstance(may, bool):
                message = f"should be one of {', '.join(OPERATIONS)}, true or false{hint(operation, OPERATIONS)}"
                yield Oddity(f"roles.{_key(role)}.{_key(operation)}", message, closes=True)


def _unknown(document: dict[str, object], known: tuple[str, ...], prefix: str) -> Iterator[Oddity]:
    for key in document:
        if key not in known:
            meant = resembled(key, known)
            yield Oddity(f"{prefix}{_key(key)}", f"is not known{hint(key, known)}", closes=bool(meant))


def _key(key: str) -> str:
    """Return a key as a message names it: as it is, unless it is long or could steer a terminal."""
    return key if len(key) <= SHOWN_CHARACTERS and key.isprintable() else shown(key)


def _listed(items: object, place: str) -> Iterator[tuple[str, dict[str, object]]]:
    for number, item in enumerate(items if isinstance(items, list) else [], 1):
        if isinstance(item, dict):
            yield f"{place}[{number}]", item
