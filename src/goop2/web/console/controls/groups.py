"""Groups: those the owner hosts, with their members, those of other peers, and invitations that came.

GET  /groups      {up, id, hosted: [{id, name, type, max_members, session, count, away, members: [{id, label, here}]}],
                   joined: [{id, host, label, name, type, joined, session, count, members: [{id, label}]}],
                   invites: [{group, host, label, name, type, session}], peers: [{id, label}]}
POST /groups/do   {action, group?, host?, peer?, name?, type?, max_members?} → the same; action is one of `_ACTIONS`

`label` is what a peer calls itself, "" when that is not known; `session` marks the group of a listening session; `count` is of all
members, of whom the first MEMBERS_SHOWN are named; `peers` are here to be invited. What changes is told as the event `group`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from goop2.protocols import listen
from goop2.services.groups.state import TEMPLATE, GroupInfo
from goop2.web.app import Parts
from goop2.web.console.controls.replies import BadRequestError, reply, route, sent

MEMBERS_SHOWN: Final = 200
"""Of a group: it may have a thousand, and the page asks every few seconds."""


class Asked(msgspec.Struct):
    """What to do; each action takes of the others what it needs."""

    action: str
    group: str = ""
    host: str = ""
    peer: str = ""
    name: str = ""
    type: str = TEMPLATE
    max_members: int = 0


def routes(parts: Parts) -> list[BaseRoute]:
    """Return the routes of the groups page's controls."""

    async def overview(_request: Request) -> Response:
        return reply(_overview(parts))

    async def act(request: Request) -> Response:
        asked = await sent(request, Asked)
        action = _ACTIONS.get(asked.action)
        if action is None:
            raise BadRequestError(f"groups have no action {asked.action[:40]!r}; they have {', '.join(_ACTIONS)}")
        await action(parts, asked)
        return reply(_overview(parts))

    return [route("/groups", overview), route("/groups/do", act, methods=["POST"])]


async def _create(parts: Parts, asked: Asked) -> None:
    await parts.grouping.create(asked.name, asked.type, asked.max_members)


async def _close(parts: Parts, asked: Asked) -> None:
    await parts.grouping.end(asked.group)


async def _invite(parts: Parts, asked: Asked) -> None:
    await parts.grouping.invite(asked.group, asked.peer)


async def _remove(parts: Parts, asked: Asked) -> None:
    await parts.grouping.remove(asked.group, asked.peer)


async def _join(parts: Parts, asked: Asked) -> None:
    """Who joins a session wants to hear it."""
    network = parts.abroad.network
    if network is None or not listen.is_session(asked.group):
        await parts.grouping.join(asked.host, asked.group)
        return
    await network.followed.join(asked.host, asked.group)


async def _leave(parts: Parts, asked: Asked) -> None:
    parts.grouping.leave(asked.host, asked.group)


async def _refuse(parts: Parts, asked: Asked) -> None:
    parts.grouping.refuse(asked.host, asked.group)


_ACTIONS: Final[dict[str, Callable[[Parts, Asked], Awaitable[None]]]] = {
    "create": _create,
    "close": _close,
    "invite": _invite,
    "remove": _remove,
    "join": _join,
    "leave": _leave,
    "refuse": _refuse,
}


def _overview(parts: Parts) -> dict[str, object]:
    groups, network = parts.grouping.groups, parts.abroad.network
    return {
        "up": network is not None,
        "id": parts.peer_id,
        "hosted": [_hosted(parts, group, tuple(groups.members_since(group.id))) for group in groups.hosted()],
        "joined": [_joined(parts, group) for group in groups.joined()],
        "invites": [
            {"group": one.group, "host": one.host, "label": parts.abroad.label(one.host), "name": one.name, "type": one.type}
            | {"session": listen.is_session(one.group)}
            for one in parts.grouping.invites()
        ],
        "peers": [{"id": one.id, "label": parts.abroad.label(one.id)} for one in network.roster.peers()] if network is not None else [],
    }


def _hosted(parts: Parts, group: GroupInfo, everybody: tuple[str, ...]) -> dict[str, object]:
    here = set(group.members)
    members = [{"id": each, "label": parts.abroad.label(each), "here": each in here} for each in everybody[:MEMBERS_SHOWN]]
    about = {"id": group.id, "name": group.name, "type": group.kind, "max_members": group.max_members}
    counts = {"count": len(everybody), "away": len(everybody) - len(here)}
    return {**about, **counts, "session": listen.is_session(group.id), "members": members}


def _joined(parts: Parts, group: GroupInfo) -> dict[str, object]:
    members = [{"id": each, "label": parts.abroad.label(each)} for each in group.members[:MEMBERS_SHOWN]]
    about = {"id": group.id, "host": group.host, "label": parts.abroad.label(group.host), "name": group.name, "type": group.kind}
    joined = {"joined": group.joined, "count": len(group.members), "session": listen.is_session(group.id)}
    return {**about, **joined, "members": members}
