"""What the host of a joined group says of it, as the state of groups takes it: bounded, and of the host's word alone. No I/O."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from dataclasses import replace

from goop2.protocols import listen
from goop2.protocols.topics import GroupErrorPayload, Member, Meta, Plain, Welcome
from goop2.protocols.untrusted_json import InvalidJsonError, decode
from goop2.services.groups.limits import ID_MAX_CHARS, NAME_MAX_CHARS
from goop2.services.groups.records import GroupInfo


def welcomed(group: GroupInfo, welcome: Welcome) -> GroupInfo:
    """Return a group that this peer was let into."""
    kind = (welcome.app_type or welcome.group_type)[:NAME_MAX_CHARS]
    return replace(
        with_members(group, welcome.members),
        name=welcome.group_name[:NAME_MAX_CHARS] or group.id,
        kind=kind,
        context=welcome.group_context,
        max_members=max(0, welcome.max_members),
        volatile=welcome.volatile or kind == listen.APP_TYPE,
        joined=True,
    )


def with_members(group: GroupInfo, members: Iterable[Member]) -> GroupInfo:
    """Return the group with the members that its host lists. Roles it does not tell are not known here."""
    listed = {member.peer_id: member.role for member in members if 0 < len(member.peer_id) <= ID_MAX_CHARS}
    return replace(group, members=tuple(listed), roles={peer: role for peer, role in listed.items() if role})


def with_meta(group: GroupInfo, meta: Meta) -> GroupInfo:
    """Return the group as its host calls it now."""
    name, context = meta.group_name[:NAME_MAX_CHARS] or group.name, meta.group_context or group.context
    return replace(group, name=name, context=context, max_members=max(0, meta.max_members))


def why_over(event: object) -> GroupErrorPayload:
    """Return what a host of ours says with a `close`; others say nothing."""
    with contextlib.suppress(InvalidJsonError):
        return decode(event.json if isinstance(event, Plain) else b"", GroupErrorPayload)
    return GroupErrorPayload()
