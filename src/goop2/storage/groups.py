"""The groups of this peer, saved over restarts: those it hosts with their members, those of others it has joined or is invited to.

The tables are our own: we do not know how other implementations lay out `_groups`, and leave it alone. Blocking; the caller chooses the
thread.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from goop2.storage.database import Database, Value
from goop2.storage.registry_schema import make_missing

LAYOUT: Final = (
    "CREATE TABLE IF NOT EXISTS _py_groups (id TEXT PRIMARY KEY, name TEXT NOT NULL, kind TEXT NOT NULL, max_members INTEGER NOT NULL)",
    "CREATE TABLE IF NOT EXISTS _py_group_members (group_id TEXT NOT NULL, peer_id TEXT NOT NULL, joined_at INTEGER NOT NULL, "
    "PRIMARY KEY (group_id, peer_id))",
    "CREATE TABLE IF NOT EXISTS _py_group_removed (group_id TEXT NOT NULL, peer_id TEXT NOT NULL, PRIMARY KEY (group_id, peer_id))",
    "CREATE TABLE IF NOT EXISTS _py_group_roles (group_id TEXT NOT NULL, peer_id TEXT NOT NULL, role TEXT NOT NULL, "
    "PRIMARY KEY (group_id, peer_id))",
    "CREATE TABLE IF NOT EXISTS _py_group_invites (host TEXT NOT NULL, id TEXT NOT NULL, name TEXT NOT NULL, kind TEXT NOT NULL, "
    "PRIMARY KEY (host, id))",
    "CREATE TABLE IF NOT EXISTS _py_group_subscriptions (host TEXT NOT NULL, id TEXT NOT NULL, name TEXT NOT NULL, kind TEXT NOT NULL, "
    "PRIMARY KEY (host, id))",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hosted:
    """A group that this peer hosts, as a row."""

    id: str
    name: str
    kind: str
    max_members: int
    members: Mapping[str, int] = field(default_factory=dict)
    """Peer → since when, milliseconds since 1970."""
    removed: tuple[str, ...] = ()
    """Peers that were members and may not come back by themselves."""
    roles: Mapping[str, str] = field(default_factory=dict)
    """Member that was given a role → which."""


@dataclass(frozen=True, slots=True)
class Subscription:
    """A group of another peer, joined or invited to."""

    host: str
    id: str
    name: str
    kind: str


def create_schema(database: Database) -> None:
    """Create the tables and columns of groups that are missing."""
    make_missing(database, LAYOUT)


def read(database: Database) -> tuple[list[Hosted], list[Subscription], list[Subscription]]:
    """Return all groups that were saved: hosted, joined, invitations."""
    members: dict[str, dict[str, int]] = {}
    for group, peer, at in database.rows("SELECT group_id, peer_id, joined_at FROM _py_group_members ORDER BY joined_at, rowid"):
        members.setdefault(str(group), {})[str(peer)] = _int(at)
    removed: dict[str, list[str]] = {}
    for group, peer in database.rows("SELECT group_id, peer_id FROM _py_group_removed ORDER BY rowid"):
        removed.setdefault(str(group), []).append(str(peer))
    roles: dict[str, dict[str, str]] = {}
    for group, peer, role in database.rows("SELECT group_id, peer_id, role FROM _py_group_roles ORDER BY rowid"):
        roles.setdefault(str(group), {})[str(peer)] = str(role)
    hosted = database.rows("SELECT id, name, kind, max_members FROM _py_groups ORDER BY rowid")
    return (
        [
            Hosted(
                id=str(id_),
                name=str(name),
                kind=str(kind),
                max_members=_int(most),
                members=members.get(str(id_), {}),
                removed=tuple(removed.get(str(id_), ())),
                roles=roles.get(str(id_), {}),
            )
            for id_, name, kind, most in hosted
        ],
        _subscriptions(database, "_py_group_subscriptions"),
        _subscriptions(database, "_py_group_invites"),
    )


def write(database: Database, hosted: Iterable[Hosted], joined: Iterable[Subscription], invites: Iterable[Subscription]) -> None:
    """Save these groups, and remove all others."""
    with database.atomic():
        for table in (
            "_py_groups",
            "_py_group_members",
            "_py_group_removed",
            "_py_group_roles",
            "_py_group_subscriptions",
            "_py_group_invites",
        ):
            database.changed(f"DELETE FROM {table}")
        for group in hosted:
            database.changed(
                "INSERT INTO _py_groups (id, name, kind, max_members) VALUES (?, ?, ?, ?)",
                (group.id, group.name, group.kind, group.max_members),
            )
            for peer, at in group.members.items():
                sql = "INSERT INTO _py_group_members (group_id, peer_id, joined_at) VALUES (?, ?, ?)"
                database.changed(sql, (group.id, peer, at))
            for peer, role in group.roles.items():
                database.changed("INSERT INTO _py_group_roles (group_id, peer_id, role) VALUES (?, ?, ?)", (group.id, peer, role))
            for peer in group.removed:
                database.changed("INSERT INTO _py_group_removed (group_id, peer_id) VALUES (?, ?)", (group.id, peer))
        for table, those in (("_py_group_subscriptions", joined), ("_py_group_invites", invites)):
            for one in those:
                sql = f"INSERT INTO {table} (host, id, name, kind) VALUES (?, ?, ?, ?)"
                database.changed(sql, (one.host, one.id, one.name, one.kind))


def _subscriptions(database: Database, table: str) -> list[Subscription]:
    return [Subscription(*map(str, row)) for row in database.rows(f"SELECT host, id, name, kind FROM {table} ORDER BY rowid")]


def _int(value: Value) -> int:
    return value if isinstance(value, int) else 0
