"""Groups: those the owner hosts, with their members, those of other peers, and invitations that came.

GET  /groups      {up, id, hosted: [{id, name, type, context, max_members, default_role, roles, session, count, away,
                                    members: [{id, label, here, role}]}],
                   joined: [{id, host, label, name, type, context, role, joined, session, count, members: [{id, label, role}]}],
                   invites: [{group, host, label, name, type, session}], peers: [{id, label}], avatars: {peer: hash of its picture}}
POST /groups/do   {action, group?, host?, peer?, name?, type?, max_members?, role?, roles?} → the same; action is one of `_ACTIONS`

`label` is what a peer calls itself, "" when that is not known; `session` marks the group of a listening session; `count` is of all
members, of whom the first MEMBERS_SHOWN are named; `peers` are here to be invited. Every change is also published as the event `group`.
"""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from goop2.protocols import listen
from goop2.services.avatars import Avatars
from goop2.services.groups.records import GroupInfo
from goop2.services.groups.service import GroupService
from goop2.services.peer import Peer
from goop2.storage.template_group import TEMPLATE
from goop2.web.console.controls.replies import action_of, reply, route, sent
from goop2.web.remote.network import RemoteNetwork

MEMBERS_SHOWN: Final = 200
"""Of a group: it may have a thousand, and the page asks every few seconds."""


class GroupAction(msgspec.Struct, kw_only=True):
    """What to do with a group; each action takes of the other keys what it needs."""

    action: str
    group: str = ""
    host: str = ""
    peer: str = ""
    name: str = ""
    type: str = TEMPLATE
    max_members: int = 0
    role: str = ""
    roles: list[str] = []


@dataclass(frozen=True, slots=True)
class _Groups:
    """What the actions and the overview work with."""

    own_id: str
    service: GroupService
    remote: RemoteNetwork
    avatars: Avatars


def routes(peer: Peer, remote: RemoteNetwork) -> list[BaseRoute]:
    """Return the routes of the groups page's controls."""
    groups = _Groups(peer.identity.peer_id, peer.grouping, remote, peer.avatars)

    async def overview(_request: Request) -> Response:
        return reply(_overview(groups))

    async def act(request: Request) -> Response:
        wanted = await sent(request, GroupAction)
        await action_of(_ACTIONS, wanted.action, "groups")(groups, wanted)
        return reply(_overview(groups))

    return [route("/groups", overview), route("/groups/do", act, methods=["POST"])]


async def _create(groups: _Groups, wanted: GroupAction) -> None:
    await groups.service.create(wanted.name, wanted.type, wanted.max_members)


async def _close(groups: _Groups, wanted: GroupAction) -> None:
    await groups.service.end(wanted.group)


async def _invite(groups: _Groups, wanted: GroupAction) -> None:
    await groups.service.invite(wanted.group, wanted.peer)


async def _remove(groups: _Groups, wanted: GroupAction) -> None:
    await groups.service.remove(wanted.group, wanted.peer)


async def _set_role(groups: _Groups, wanted: GroupAction) -> None:
    await groups.service.set_role(wanted.group, wanted.peer, wanted.role)


async def _set_roles(groups: _Groups, wanted: GroupAction) -> None:
    await groups.service.set_role_rules(wanted.group, wanted.role, wanted.roles)


async def _join(groups: _Groups, wanted: GroupAction) -> None:
    """Join a group. To join the group of a session is to listen to it: its sound is fetched too."""
    network = groups.remote.network
    if network is None or not listen.is_session(wanted.group):
        await groups.service.join(wanted.host, wanted.group)
    else:
        await network.followed.join(wanted.host, wanted.group)


async def _leave(groups: _Groups, wanted: GroupAction) -> None:
    groups.service.leave(wanted.host, wanted.group)


async def _refuse(groups: _Groups, wanted: GroupAction) -> None:
    groups.service.refuse(wanted.host, wanted.group)


_ACTIONS: Final[dict[str, Callable[[_Groups, GroupAction], Awaitable[None]]]] = {
    "create": _create,
    "close": _close,
    "invite": _invite,
    "remove": _remove,
    "set-role": _set_role,
    "set-roles": _set_roles,
    "join": _join,
    "leave": _leave,
    "refuse": _refuse,
}


def _overview(groups: _Groups) -> dict[str, object]:
    state, network = groups.service.groups, groups.remote.network
    hosts = (*(one.host for one in state.joined()), *(one.host for one in groups.service.invites()))
    named = (*hosts, *(peer for group in state.hosted() for peer in state.roles(group.id)))
    return {
        "up": network is not None,
        "id": groups.own_id,
        "hosted": [_hosted(groups.remote, group, state.roles(group.id)) for group in state.hosted()],
        "joined": [_joined(groups.remote, group, state.own_id) for group in state.joined()],
        "invites": [
            {"group": one.group, "host": one.host, "label": groups.remote.label(one.host), "name": one.name, "type": one.type}
            | {"session": listen.is_session(one.group)}
            for one in groups.service.invites()
        ],
        "peers": [{"id": one.id, "label": groups.remote.label(one.id)} for one in network.roster.peers()] if network is not None else [],
        "avatars": {peer: hash_ for peer in named if (hash_ := groups.avatars.hash_of(peer))},
    }


def _hosted(remote: RemoteNetwork, group: GroupInfo, everybody: Mapping[str, str]) -> dict[str, object]:
    """Return a group hosted here; `everybody` are its members, here or away, with their roles."""
    here = set(group.members)
    members = [
        {"id": each, "label": remote.label(each), "here": each in here, "role": role}
        for each, role in itertools.islice(everybody.items(), MEMBERS_SHOWN)
    ]
    about = {"id": group.id, "name": group.name, "type": group.kind, "context": group.context, "max_members": group.max_members}
    about |= {"default_role": group.default_role, "roles": list(group.role_names)}
    counts = {"count": len(everybody), "away": len(everybody) - len(here)}
    return {**about, **counts, "session": listen.is_session(group.id), "members": members}


def _joined(remote: RemoteNetwork, group: GroupInfo, own_id: str) -> dict[str, object]:
    members = [{"id": each, "label": remote.label(each), "role": group.roles.get(each, "")} for each in group.members[:MEMBERS_SHOWN]]
    about = {"id": group.id, "host": group.host, "label": remote.label(group.host), "name": group.name, "type": group.kind}
    about |= {"context": group.context, "role": group.roles.get(own_id, "")}
    joined = {"joined": group.joined, "count": len(group.members), "session": listen.is_session(group.id)}
    return {**about, **joined, "members": members}
