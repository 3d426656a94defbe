"""Groups in the shapes that pages of Goop2 know (existing-sites.md, section 3). Names, contexts and roles are their host's text."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from goop2.protocols.topics import MEMBERS_MAX
from goop2.services.groups.records import GroupChange, GroupInfo, Kind
from goop2.services.groups.service import Invited

Label = Callable[[str], str]
"""What a peer calls itself, "" where that is not known."""

TYPES: Final[Mapping[Kind, str]] = {
    "joined": "welcome",
    "members": "members",
    "meta": "meta",
    "msg": "msg",
    "state": "state",
    "away": "away",
    "hosted": "hosted",
    "refused": "error",
    "ended": "close",
}
"""What happened → the type of the event. `away` and `hosted` are of this program alone."""
INVITE: Final = "invite"


def hosted(group: GroupInfo, since: Mapping[str, int], roles: Mapping[str, str], label: Label) -> dict[str, Any]:
    """Return a group hosted here, as the list of groups has it; `since` and `roles` are of its members, here or away."""
    here = group.host in since
    most = min(group.max_members or MEMBERS_MAX, MEMBERS_MAX)
    return {
        "id": group.id,
        "name": group.name,
        "owner": group.host,
        "group_type": group.kind,
        "group_context": group.context,
        "max_members": group.max_members,
        "default_role": group.default_role,
        "roles": list(group.role_names),
        "volatile": group.volatile,
        "host_joined": here,
        "created_at": group.since,
        "member_count": len(since),
        "members": [{"peer_id": peer, "role": roles[peer], "joined_at": at, "name": label(peer)} for peer, at in since.items()],
        "host_in_group": here,
        "host_can_join": not here and len(since) < most,
    }


def subscription(group: GroupInfo, own_id: str, label: Label, *, reachable: bool) -> dict[str, Any]:
    """Return a group of another peer, as the list of subscriptions has it."""
    return {
        "host_peer_id": group.host,
        "host_name": label(group.host),
        "group_id": group.id,
        "group_name": group.name,
        "group_type": group.kind,
        "app_type": group.kind,
        "group_context": group.context,
        "max_members": group.max_members,
        "volatile": group.volatile,
        "role": group.roles.get(own_id, ""),
        "subscribed_at": group.since,
        "host_reachable": reachable,
        "member_count": len(group.members),
        "members": members(group, label),
    }


def members(group: GroupInfo, label: Label) -> list[dict[str, str]]:
    """Return the members of a group that are here; `role` is "" where its host tells none."""
    return [{"peer_id": peer, "name": label(peer), "role": group.roles.get(peer, "")} for peer in group.members]


def payload(change: GroupChange, label: Label) -> dict[str, Any] | None:
    """Return the payload of what happened; None for a msg or state, whose payload is its sender's."""
    group = change.group
    if change.what in ("msg", "state"):
        return None
    if change.what in ("refused", "ended", "away"):
        return {"code": change.refused.code, "message": change.refused.message}
    about = {
        "group_name": group.name,
        "group_type": group.kind,
        "app_type": group.kind,
        "group_context": group.context,
        "max_members": group.max_members,
    }
    return about if change.what == "meta" else {**about, "volatile": group.volatile, "members": members(group, label)}


def invitation(invited: Invited) -> dict[str, Any]:
    """Return the payload of an invitation."""
    return {
        "group_id": invited.group,
        "group_name": invited.name,
        "host_peer_id": invited.host,
        "group_type": invited.type,
        "app_type": invited.type,
    }
