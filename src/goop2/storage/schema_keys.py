"""Keys of a schema file that nobody knows: which of them are probably a known one, misspelt.

A misspelt `access` would publish a table its author meant to close. So a key one or two letters from a known one is told apart from a
key of a newer program, which resembles nothing and changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from goop2.storage.columns import OPERATIONS, POLICIES
from goop2.storage.values import SHOWN_CHARACTERS, shown

TABLE_KEYS: Final = ("name", "columns", "access", "roles", "context", "system_key")
COLUMN_KEYS: Final = ("name", "type", "required", "key", "auto", "default", "values")
VALUE_KEYS: Final = ("key", "label")
LETTERS_APART_MAX: Final = 2
SHORT_KEY_LETTERS: Final = 3
"""A known key of so few letters is resembled by one letter's difference alone: at two, most words of three would resemble it."""


@dataclass(frozen=True, slots=True)
class Oddity:
    """Something in a schema file that is not understood, and not reason enough to make no table."""

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
        *_of_roles(document.get("roles")),
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
            yield Oddity(f"access.{_key(operation)}", f"is not an operation; there are {', '.join(OPERATIONS)}", closes=True)
        elif policy not in (None, "", *POLICIES):
            yield Oddity(f"access.{operation}", f"is {shown(policy)}; allowed is {', '.join(POLICIES)}", closes=True)


def _of_roles(roles: object) -> Iterator[Oddity]:
    if roles is None:
        return
    if not isinstance(roles, dict) or any(not isinstance(allowed, dict) for allowed in roles.values()):
        yield Oddity("roles", "should be an object of roles, each an object of read, insert, update and delete", closes=True)
        return
    for role, allowed in roles.items():
        for operation, may in allowed.items():
            if operation not in OPERATIONS or not isinstance(may, bool):
                yield Oddity(
                    f"roles.{_key(role)}.{_key(operation)}", f"should be one of {', '.join(OPERATIONS)}, true or false", closes=True
                )


def _unknown(document: dict[str, object], known: tuple[str, ...], prefix: str) -> Iterator[Oddity]:
    for key in document:
        if key not in known:
            meant = resembled(key, known)
            hint = f"; did you mean {meant}?" if meant else ""
            yield Oddity(f"{prefix}{_key(key)}", f"is not known{hint}", closes=bool(meant))


def _key(key: str) -> str:
    """Return a key as a message names it: as it is, unless it is long or could steer a terminal."""
    return key if len(key) <= SHOWN_CHARACTERS and key.isprintable() else shown(key)


def _listed(items: object, place: str) -> Iterator[tuple[str, dict[str, object]]]:
    for number, item in enumerate(items if isinstance(items, list) else [], 1):
        if isinstance(item, dict):
            yield f"{place}[{number}]", item


def resembled(key: str, known: Iterable[str]) -> str:
    """Return the known key that `key` is one or two letters from, "" when there is none."""
    apart = {name: letters_apart(key.casefold(), name) for name in known}
    near = [name for name, letters in apart.items() if letters <= (LETTERS_APART_MAX if len(name) > SHORT_KEY_LETTERS else 1)]
    return min(near, key=apart.__getitem__, default="")


def letters_apart(one: str, other: str) -> int:
    """Return how many letters must be added, dropped, replaced or swapped with their neighbour; exact up to LETTERS_APART_MAX."""
    if abs(len(one) - len(other)) > LETTERS_APART_MAX:
        return LETTERS_APART_MAX + 1
    before, row = list[int](), list(range(len(other) + 1))
    for i, letter in enumerate(one, 1):
        earlier, before, row = before, row, [i]
        for j, against in enumerate(other, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (letter != against))
            if i > 1 and j > 1 and letter == other[j - 2] and one[i - 2] == against:
                cost = min(cost, earlier[j - 2] + 1)
            row.append(cost)
    return row[-1]
