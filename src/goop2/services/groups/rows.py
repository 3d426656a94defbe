"""Groups as rows of data.db and back (storage/groups.py): what is kept of a group, and what it is at the next start. No I/O."""

from __future__ import annotations

from collections.abc import Mapping

from goop2.protocols.topics import CONTEXT_MAX_CHARS, ROLE_MAX_CHARS
from goop2.services.groups.limits import NAME_MAX_CHARS
from goop2.services.groups.records import GroupInfo
from goop2.storage.groups import Hosted, Subscription


def group_of(row: Hosted, own_id: str) -> GroupInfo:
    """Return a group that this peer hosted in its last run, or another program for it."""
    return GroupInfo(
        id=row.id,
        host=own_id,
        name=row.name[:NAME_MAX_CHARS],
        kind=row.kind[:NAME_MAX_CHARS],
        max_members=row.max_members,
        context=row.context[:CONTEXT_MAX_CHARS],
        roles={peer: role[:ROLE_MAX_CHARS] for peer, role in row.roles.items()},
        default_role=row.default_role[:ROLE_MAX_CHARS],
        role_names=row.role_names,
        since=row.created_at,
    )


def row_of(group: GroupInfo, since: Mapping[str, int], roles: Mapping[str, str], removed: tuple[str, ...]) -> Hosted:
    """Return the row of a hosted group; `since` and `roles` are of its members."""
    return Hosted(
        id=group.id,
        name=group.name,
        kind=group.kind,
        max_members=group.max_members,
        context=group.context,
        owner=group.host,
        default_role=group.default_role,
        role_names=group.role_names,
        created_at=group.since,
        members=since,
        roles=roles,
        removed=removed,
    )


def joined_group_of(row: Subscription, own_id: str) -> GroupInfo:
    """Return a group of another peer that was joined in the last run; its host is asked again."""
    return GroupInfo(
        id=row.id,
        host=row.host,
        name=row.name[:NAME_MAX_CHARS],
        kind=row.kind[:NAME_MAX_CHARS],
        max_members=row.max_members,
        joined=False,
        context=row.context[:CONTEXT_MAX_CHARS],
        roles={own_id: row.role[:ROLE_MAX_CHARS]} if row.role else {},
        since=row.subscribed_at,
    )


def joined_row_of(group: GroupInfo, own_id: str, host_name: str) -> Subscription:
    """Return the row of a joined group; `host_name` is what its host calls itself."""
    return Subscription(
        host=group.host,
        id=group.id,
        name=group.name,
        kind=group.kind,
        context=group.context,
        max_members=group.max_members,
        role=group.roles.get(own_id, ""),
        host_name=host_name[:NAME_MAX_CHARS],
        subscribed_at=group.since,
    )
