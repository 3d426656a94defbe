"""Who may do what with a table: behaviour.md, "Who may do what from outside", as tables of data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

from goop2.storage.columns import DEFAULT_ACCESS


@dataclass(frozen=True, slots=True)
class Visitor:
    """A caller from outside. `id` is authenticated; who is a member or the owner is for the caller of storage to know."""

    id: str
    email: str = ""
    member: bool = False
    """Of a group of type `template` hosted here."""
    owner: bool = False
    """The owner of the site."""


class Scope(Enum):
    """The rows of a table somebody may read or change."""

    ALL = "all rows"
    OWN = "the rows they created"
    NONE = "no row"


def _for_all(allowed: bool) -> Scope:
    return Scope.ALL if allowed else Scope.NONE


SCOPES: Final[Mapping[str, Callable[[Visitor], Scope]]] = {
    "open": lambda _: Scope.ALL,
    "group": lambda visitor: _for_all(visitor.member),
    "email": lambda visitor: _for_all(bool(visitor.email)),
    "owner": lambda _: Scope.OWN,
    "local": lambda _: Scope.NONE,
}
"""Policy of an operation → the rows it opens to somebody who is not the site owner."""

WANTS_EMAIL: Final = "this site wants your e-mail address: allow it in Settings, profile.share_email"
"""To a caller without one, where the policy is `email`. It is a courtesy: an e-mail address is what its caller says."""

ROLES_NOT_OBEYED: Final = "roles are not obeyed by this version: insert, update and delete are read as the policy owner"

LOCAL: Final = dict.fromkeys(DEFAULT_ACCESS, "local")
"""Of a table no registry names, or whose policy nobody knows: closed."""

CLASSIC: Final[Mapping[str, Mapping[str, str]]] = {
    "owner": DEFAULT_ACCESS,
    "open": {**DEFAULT_ACCESS, "insert": "open"},
    "public": {**DEFAULT_ACCESS, "insert": "open"},
    "group": {**DEFAULT_ACCESS, "insert": "group"},
    "email": {**DEFAULT_ACCESS, "read": "owner", "insert": "email"},
    "local": LOCAL,
}
"""`insert_policy` of a classic table → its policies (network.md, "The database")."""


def scope(access: Mapping[str, str], operation: str, visitor: Visitor) -> Scope:
    """Return which rows `visitor` may `operation` (read, update, delete; for insert: ALL or NONE)."""
    if visitor.owner:
        return Scope.ALL
    found = SCOPES[access[operation]](visitor)
    # There is no row yet that could be theirs: to insert, `owner` means the site owner.
    return Scope.NONE if operation == "insert" and found is Scope.OWN else found


def refusal(access: Mapping[str, str], operation: str, visitor: Visitor, otherwise: str) -> str:
    """Return the sentence for a visitor who may not `operation`: what would help, or `otherwise`."""
    return WANTS_EMAIL if access[operation] == "email" and not visitor.email else otherwise
