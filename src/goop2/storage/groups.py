"""The groups of this peer, kept over restarts: those it hosts with their members, those of others it has joined or is invited to.

Hosted groups, members and subscriptions are in tables that other programs write too (existing-sites.md, section 3), so that they move with
the folder; what those have no place for is in tables of ours. Only rows that changed here are written. Blocking; whose thread it runs on
is for the caller to know.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import msgspec

from goop2.protocols import untrusted_json
from goop2.storage.database import Database, Value
from goop2.storage.registry_schema import make_missing
from goop2.storage.shared_table import SharedColumn, SharedTable
from goop2.storage.template_group import OWNER, TEMPLATE, VIEWER, default_role

_TEXT: Final = "TEXT DEFAULT ''"
_NUMBER: Final = "INTEGER DEFAULT 0"
_VIEWER: Final = f"TEXT DEFAULT '{VIEWER}'"
_NOW: Final = "DATETIME"
"""Without a default: SQLite adds no column whose default is a function."""
_TYPE: Final = SharedColumn(_TEXT, ("app_type",))
GROUPS: Final = SharedTable(
    "_groups",
    ("id",),
    {
        "id": SharedColumn("TEXT NOT NULL", ()),
        "name": SharedColumn(_TEXT),
        "owner": SharedColumn(_TEXT),
        "group_type": _TYPE,
        "group_context": SharedColumn(_TEXT),
        "max_members": SharedColumn(_NUMBER),
        "default_role": SharedColumn(_VIEWER),
        "roles": SharedColumn("TEXT DEFAULT '[]'"),
        "host_joined": SharedColumn(_NUMBER),
        "volatile": SharedColumn(_NUMBER),
        "created_at": SharedColumn(_NOW),
    },
)
MEMBERS: Final = SharedTable(
    "_group_members",
    ("group_id", "peer_id"),
    {
        "group_id": SharedColumn("TEXT NOT NULL"),
        "peer_id": SharedColumn("TEXT NOT NULL"),
        "role": SharedColumn(_VIEWER),
        "joined_at": SharedColumn(_NUMBER),
    },
)
SUBSCRIPTIONS: Final = SharedTable(
    "_group_subscriptions",
    ("host_peer_id", "group_id"),
    {
        "host_peer_id": SharedColumn("TEXT NOT NULL"),
        "group_id": SharedColumn("TEXT NOT NULL"),
        "group_name": SharedColumn(_TEXT),
        "host_name": SharedColumn(_TEXT),
        "group_type": _TYPE,
        "group_context": SharedColumn(_TEXT),
        "max_members": SharedColumn(_NUMBER),
        "volatile": SharedColumn(_NUMBER),
        "role": SharedColumn(_TEXT),
        "subscribed_at": SharedColumn(_NOW),
    },
)
FAVORITES: Final = SharedTable("_favorites", ("peer_id",), {"peer_id": SharedColumn("TEXT NOT NULL")})
OURS: Final = (
    "CREATE TABLE IF NOT EXISTS _py_group_removed (group_id TEXT NOT NULL, peer_id TEXT NOT NULL, PRIMARY KEY (group_id, peer_id))",
    "CREATE TABLE IF NOT EXISTS _py_group_invites (host TEXT NOT NULL, id TEXT NOT NULL, name TEXT NOT NULL, kind TEXT NOT NULL, "
    "PRIMARY KEY (host, id))",
)
_BEFORE: Final = ("_py_groups", "_py_group_members", "_py_group_roles", "_py_group_subscriptions")
"""Where versions before 0.2 kept what is in the shared tables now."""
ROWS_MAX: Final = 64 * 1024
"""Read of a table: what a folder of another program holds beyond it stays there and is not shown."""
FAVORITES_MAX: Final = 2048
"""As many as there may be peers here at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hosted:
    """A group that this peer hosts, as a row."""

    id: str
    name: str
    kind: str
    max_members: int = 0
    context: str = ""
    owner: str = ""
    """The peer that hosts it: this one."""
    default_role: str = VIEWER
    role_names: tuple[str, ...] = ()
    created_at: str = ""
    members: Mapping[str, int] = field(default_factory=dict)
    """Peer → since when, milliseconds since 1970."""
    roles: Mapping[str, str] = field(default_factory=dict)
    """Member → its role."""
    removed: tuple[str, ...] = ()
    """Peers that were members and may not come back by themselves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """A group of another peer, joined or invited to."""

    host: str
    id: str
    name: str
    kind: str
    context: str = ""
    max_members: int = 0
    role: str = ""
    host_name: str = ""
    subscribed_at: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedGroups:
    """All that is kept of groups: those hosted here, those joined elsewhere, and the invitations that came."""

    hosted: Mapping[str, Hosted] = field(default_factory=dict)
    """By id."""
    joined: Mapping[tuple[str, str], Subscription] = field(default_factory=dict)
    """By host and id."""
    invites: Mapping[tuple[str, str], Subscription] = field(default_factory=dict)
    """The same."""


def create_schema(database: Database) -> None:
    """Create what is missing of the tables of groups, and move into them what versions before 0.2 kept elsewhere."""
    make_missing(database, OURS)
    there = {name for (name,) in database.rows("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    before = [name for name in _BEFORE if name in there]
    if before:
        with database.atomic():
            _move(database, before)


def read(database: Database) -> SavedGroups:
    """Return all groups that were saved. Those that do not outlive a program are left out, and left where they are."""
    own: dict[str, dict[str, tuple[int, str]]] = {}
    for row in MEMBERS.rows(database, ROWS_MAX):
        own.setdefault(_text(row["group_id"]), {})[_text(row["peer_id"])] = _int(row["joined_at"]), _text(row["role"])
    removed: dict[str, list[str]] = {}
    for group, peer in database.rows("SELECT group_id, peer_id FROM _py_group_removed ORDER BY rowid"):
        removed.setdefault(_text(group), []).append(_text(peer))
    hosted = [_hosted(row, own.get(_text(row["id"]), {}), removed) for row in GROUPS.rows(database, ROWS_MAX) if not _int(row["volatile"])]
    joined = [_subscription(row) for row in SUBSCRIPTIONS.rows(database, ROWS_MAX) if not _int(row["volatile"])]
    return SavedGroups(
        # Any program may have written a row without an id; it is left where it is.
        hosted={one.id: one for one in hosted if one.id},
        joined={(one.host, one.id): one for one in joined if one.host and one.id},
        invites={(one.host, one.id): one for one in _invites(database)},
    )


def write(database: Database, before: SavedGroups, now: SavedGroups) -> None:
    """Write what is not in `now` as it was in `before`, and nothing else."""
    with database.atomic():
        for id_ in before.hosted.keys() - now.hosted.keys():
            GROUPS.remove(database, {"id": id_})
            MEMBERS.remove(database, {"group_id": id_})
            database.changed("DELETE FROM _py_group_removed WHERE group_id = ?", (id_,))
        for id_, group in now.hosted.items():
            _write_hosted(database, before.hosted.get(id_), group)
        for host, id_ in before.joined.keys() - now.joined.keys():
            SUBSCRIPTIONS.remove(database, {"host_peer_id": host, "group_id": id_})
        for place, one in now.joined.items():
            if before.joined.get(place) != one:
                SUBSCRIPTIONS.put(database, _subscription_row(one))
        # Written anew as a whole, since their order matters: the oldest is dropped first.
        if before.invites != now.invites:
            database.changed("DELETE FROM _py_group_invites")
            for one in now.invites.values():
                sql = "INSERT INTO _py_group_invites (host, id, name, kind) VALUES (?, ?, ?, ?)"
                database.changed(sql, (one.host, one.id, one.name, one.kind))


def favorites(database: Database) -> frozenset[str]:
    """Return the peers that the owner marked in another program; none where that was never used here."""
    return frozenset(_text(row["peer_id"]) for row in FAVORITES.rows(database, FAVORITES_MAX))


def _hosted(row: Mapping[str, Value], members: Mapping[str, tuple[int, str]], removed: Mapping[str, list[str]]) -> Hosted:
    id_, owner, default = _text(row["id"]), _text(row["owner"]), _text(row["default_role"]) or VIEWER
    listed = dict(members)
    # Other programs keep the owner's own membership as a column of the group, and no row of a member.
    if _int(row["host_joined"]) and owner and owner not in listed:
        listed[owner] = 0, OWNER
    return Hosted(
        id=id_,
        name=_text(row["name"]) or id_,
        kind=_text(row["group_type"]),
        max_members=max(0, _int(row["max_members"])),
        context=_text(row["group_context"]),
        owner=owner,
        default_role=default,
        role_names=_names(_text(row["roles"])),
        created_at=_text(row["created_at"]),
        members={peer: at for peer, (at, _) in listed.items() if peer},
        roles={peer: role or default for peer, (_, role) in listed.items() if peer},
        removed=tuple(removed.get(id_, ())),
    )


def _subscription(row: Mapping[str, Value]) -> Subscription:
    return Subscription(
        host=_text(row["host_peer_id"]),
        id=_text(row["group_id"]),
        name=_text(row["group_name"]) or _text(row["group_id"]),
        kind=_text(row["group_type"]),
        context=_text(row["group_context"]),
        max_members=max(0, _int(row["max_members"])),
        role=_text(row["role"]),
        host_name=_text(row["host_name"]),
        subscribed_at=_text(row["subscribed_at"]),
    )


def _invites(database: Database) -> list[Subscription]:
    rows = database.rows("SELECT host, id, name, kind FROM _py_group_invites ORDER BY rowid")
    return [Subscription(host=_text(host), id=_text(id_), name=_text(name), kind=_text(kind)) for host, id_, name, kind in rows]


def _write_hosted(database: Database, before: Hosted | None, now: Hosted) -> None:
    if before is None or _alone(before) != _alone(now) or _host_joined(before) != _host_joined(now):
        GROUPS.put(database, _hosted_row(now))
    then = {peer: (before.members[peer], before.roles.get(peer)) for peer in before.members} if before else {}
    for peer in then.keys() - now.members.keys():
        MEMBERS.remove(database, {"group_id": now.id, "peer_id": peer})
    for peer, at in now.members.items():
        if then.get(peer) != (at, now.roles.get(peer)):
            role = now.roles.get(peer, now.default_role)
            MEMBERS.put(database, {"group_id": now.id, "peer_id": peer, "role": role, "joined_at": at})
    if now.removed != (before.removed if before else ()):
        database.changed("DELETE FROM _py_group_removed WHERE group_id = ?", (now.id,))
        for peer in now.removed:
            database.changed("INSERT INTO _py_group_removed (group_id, peer_id) VALUES (?, ?)", (now.id, peer))


def _alone(group: Hosted) -> Hosted:
    return replace(group, members={}, roles={}, removed=())


def _host_joined(group: Hosted) -> bool:
    return group.owner in group.members


def _hosted_row(group: Hosted) -> dict[str, Value]:
    return {
        "id": group.id,
        "name": group.name,
        "owner": group.owner,
        "group_type": group.kind,
        "group_context": group.context,
        "max_members": group.max_members,
        "default_role": group.default_role,
        "roles": msgspec.json.encode(group.role_names).decode(),
        "host_joined": int(_host_joined(group)),
        "volatile": 0,
        "created_at": group.created_at,
    }


def _subscription_row(one: Subscription) -> dict[str, Value]:
    return {
        "host_peer_id": one.host,
        "group_id": one.id,
        "group_name": one.name,
        "host_name": one.host_name,
        "group_type": one.kind,
        "group_context": one.context,
        "max_members": one.max_members,
        "volatile": 0,
        "role": one.role,
        "subscribed_at": one.subscribed_at,
    }


def _move(database: Database, before: Sequence[str]) -> None:
    """Move rows of versions before 0.2 into the shared tables, and drop their tables. Inside `Database.atomic`."""
    given: dict[tuple[str, str], str] = {}
    if "_py_group_roles" in before:
        rows = database.rows("SELECT group_id, peer_id, role FROM _py_group_roles")
        given = {(_text(group), _text(peer)): _text(role) for group, peer, role in rows}
    kinds: dict[str, str] = {}
    if "_py_groups" in before:
        # Versions before 0.2 knew no default role: it is what new members got then.
        for id_, name, kind, most in database.rows("SELECT id, name, kind, max_members FROM _py_groups ORDER BY rowid"):
            kinds[_text(id_)] = default_role(database) if kind == TEMPLATE else VIEWER
            moved = Hosted(id=_text(id_), name=_text(name), kind=_text(kind), max_members=_int(most), default_role=kinds[_text(id_)])
            GROUPS.put(database, _hosted_row(moved))
    if "_py_group_members" in before:
        for group, peer, at in database.rows("SELECT group_id, peer_id, joined_at FROM _py_group_members ORDER BY joined_at, rowid"):
            role = given.get((_text(group), _text(peer)), "") or kinds.get(_text(group), VIEWER)
            MEMBERS.put(database, {"group_id": group, "peer_id": peer, "role": role, "joined_at": at})
    if "_py_group_subscriptions" in before:
        for host, id_, name, kind in database.rows("SELECT host, id, name, kind FROM _py_group_subscriptions ORDER BY rowid"):
            SUBSCRIPTIONS.put(
                database, _subscription_row(Subscription(host=_text(host), id=_text(id_), name=_text(name), kind=_text(kind)))
            )
    for name in before:
        database.rows(f"DROP TABLE {name}")


def _names(text: str) -> tuple[str, ...]:
    """Return the role names of a group, JSON in its row; none where that is no list of texts."""
    try:
        found: object = untrusted_json.decode(text or "[]")
    except untrusted_json.InvalidJsonError:
        return ()
    return tuple(one for one in found if isinstance(one, str)) if isinstance(found, list) else ()


def _text(value: Value) -> str:
    return value if isinstance(value, str) else "" if value is None or isinstance(value, bytes) else str(value)


def _int(value: Value) -> int:
    return value if isinstance(value, int) else 0
