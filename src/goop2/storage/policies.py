"""Who may do what with a table: behaviour.md, "Who may do what from outside", as tables of data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from goop2.storage.columns import DEFAULT_ACCESS
from goop2.storage.template_group import OWNER


@dataclass(frozen=True, slots=True)
class Visitor:
    """A caller from outside. `id` is authenticated; the caller of storage knows who is a member or the owner."""

    id: str
    email: str = ""
    member: bool = False
    """Of a group of type `template` hosted here."""
    owner: bool = False
    """The owner of the site."""
    roles: Mapping[str, str | None] = field(default_factory=dict)
    """The visitor's role in each group of type `template` hosted here (template_group.py, `Roles`)."""


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


Rights = Mapping[str, Mapping[str, bool]]
"""Role → operation → whether it may: the `roles` of a typed table."""


def scope(access: Mapping[str, str], operation: str, visitor: Visitor, rights: Rights | None = None, role: str = "") -> Scope:
    """Return which rows `visitor` may `operation` (read, update, delete; for insert: ALL or NONE).

    `rights`: of a table that has roles, under the policy `group`; `role`: the visitor's, "" for none.
    """
    if visitor.owner:
        return Scope.ALL
    if rights is not None and access[operation] == "group":
        return _scope_of_role(rights, operation, role)
    found = SCOPES[access[operation]](visitor)
    # There is no row yet that could be theirs: to insert, `owner` means the site owner.
    return Scope.NONE if operation == "insert" and found is Scope.OWN else found


def _scope_of_role(rights: Rights, operation: str, role: str) -> Scope:
    if role == OWNER:
        return Scope.ALL
    if not role or not rights.get(role, {}).get(operation, False):
        return Scope.NONE
    return Scope.OWN if operation in ("update", "delete") else Scope.ALL


def refusal(access: Mapping[str, str], operation: str, visitor: Visitor, otherwise: str) -> str:
    """Return the sentence for a visitor who may not `operation`: what would help, or `otherwise`."""
    return WANTS_EMAIL if access[operation] == "email" and not visitor.email else otherwise
