"""Groups under the addresses and names that pages of Goop2 know, `/api/groups…`; groups.py has ours, and says who may do what.

On a visited site's origin they are groups of that site's peer alone, and the list of hosted groups is empty.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar

import msgspec

from goop2.scripting.engine import Failure
from goop2.scripting.invocation import ErrorCode
from goop2.services.groups.errors import UnknownGroupError
from goop2.services.groups.limits import PAYLOAD_MAX_BYTES
from goop2.services.groups.records import TEMPLATE, GroupInfo
from goop2.services.groups.service import GroupService
from goop2.web.http.handlers import JsonBody, Work, as_sent, endpoint, posted_json
from goop2.web.http.origins import Realm
from goop2.web.http.request_context import Handler, RequestContext
from goop2.web.limits import ENVELOPE_MAX_BYTES
from goop2.web.remote.network import RemoteNetwork

T = TypeVar("T")

_MEMBERS_ROLE: Final = "viewer"
"""Of every member: groups have no roles here."""
_SHOWN_CHARS: Final = 64
_BODY_MAX_BYTES: Final = PAYLOAD_MAX_BYTES + ENVELOPE_MAX_BYTES


class _Create(msgspec.Struct):
    name: str
    group_type: str = ""
    app_type: str = ""
    """The older name of `group_type`."""
    group_context: str = ""
    max_members: int = 0


class _Join(msgspec.Struct):
    host_peer_id: str
    group_id: str


class _OneGroup(msgspec.Struct):
    group_id: str
    payload: msgspec.Raw = msgspec.Raw(b"null")


class _Member(msgspec.Struct):
    group_id: str
    peer_id: str


_CREATE: Final = JsonBody(_Create, '{"name": name, "group_type": type}')
_JOIN: Final = JsonBody(_Join, '{"host_peer_id": peer, "group_id": group}')
_GROUP: Final = JsonBody(_OneGroup, '{"group_id": group}')
_MEMBER: Final = JsonBody(_Member, '{"group_id": group, "peer_id": peer}')


class Goop2GroupApi:
    """Endpoints of the groups of this peer, for pages of Goop2."""

    def __init__(self, grouping: GroupService, remote: RemoteNetwork) -> None:
        self._grouping = grouping
        self._groups = grouping.groups
        self._remote = remote
        members: dict[str, Handler] = {
            "groups": _endpoint(self._list_or_create, as_sent, method=""),
            "groups/subscriptions": _endpoint(self._subscriptions, as_sent, method="GET"),
            "groups/join": _endpoint(self._join, _JOIN),
            "groups/leave": _endpoint(self._leave, _GROUP),
            "groups/send": _endpoint(self._send, _GROUP),
        }
        self.api: dict[str, Handler] = {
            **members,
            "groups/close": _endpoint(self._close, _GROUP),
            "groups/invite": _endpoint(self._invite, _MEMBER),
            "groups/kick": _endpoint(self._kick, _MEMBER),
        }
        """Path after `/api/` on the own site's origins → what answers."""
        self.api_of_visits = members
        """The same on the origin of another peer's site."""

    async def _list_or_create(self, call: RequestContext, body: bytes) -> bytes | Failure:
        visit = _only_host(call)
        if call.method == "POST":
            if visit:
                return Failure(ErrorCode.FORBIDDEN, "a page of another peer's site makes no groups here")
            request = _CREATE(body)
            kind = request.group_type or request.app_type or TEMPLATE
            group = await self._grouping.create(request.name, kind, request.max_members)
            return msgspec.json.encode({"status": "created", "id": group.id})
        return msgspec.json.encode([] if visit else [self._hosted(group) for group in self._groups.hosted()])

    def _hosted(self, group: GroupInfo) -> dict[str, Any]:
        own = self._groups.own_id
        since = self._groups.members_since(group.id)
        members = [
            {"peer_id": peer, "role": _MEMBERS_ROLE, "joined_at": at, "name": self._remote.label(peer)} for peer, at in since.items()
        ]
        return {
            "id": group.id,
            "name": group.name,
            "owner": own,
            "group_type": group.kind,
            "group_context": "",
            "max_members": group.max_members,
            "default_role": _MEMBERS_ROLE,
            "roles": [],
            "volatile": group.volatile,
            "host_joined": own in since,
            "created_at": "",
            "member_count": len(members),
            "members": members,
            "host_in_group": own in since,
            "host_can_join": False,
        }

    async def _subscriptions(self, call: RequestContext, _body: bytes) -> bytes:
        host = _only_host(call)
        joined = [group for group in self._groups.joined() if host in ("", group.host)]
        shown = [self._subscription(group) for group in joined if not group.volatile]
        active = [{"group_id": group.id} for group in joined if group.joined]
        return msgspec.json.encode({"subscriptions": shown or None, "active_groups": active})

    def _subscription(self, group: GroupInfo) -> dict[str, Any]:
        network = self._remote.network
        return {
            "host_peer_id": group.host,
            "host_name": self._remote.label(group.host),
            "group_id": group.id,
            "group_name": group.name,
            "group_type": group.kind,
            "app_type": group.kind,
            "max_members": group.max_members,
            "volatile": group.volatile,
            "role": _MEMBERS_ROLE,
            "subscribed_at": "",
            "host_reachable": network is not None and network.roster.get(group.host) is not None,
            "member_count": len(group.members),
        }

    async def _join(self, call: RequestContext, request: _Join) -> bytes | Failure:
        if _only_host(call) not in ("", request.host_peer_id):
            return Failure(ErrorCode.FORBIDDEN, "a page is in groups of the peer whose site it is, and of nobody else")
        if request.host_peer_id != self._groups.own_id:
            await self._grouping.join(request.host_peer_id, request.group_id)
        return _status("joined")

    async def _leave(self, call: RequestContext, request: _OneGroup) -> bytes:
        self._grouping.leave(self._host_of(call, request.group_id), request.group_id)
        return _status("left")

    async def _send(self, call: RequestContext, request: _OneGroup) -> bytes:
        # In one line, as the network wants it.
        payload = msgspec.json.format(bytes(request.payload), indent=-1)
        self._grouping.send(self._host_of(call, request.group_id), request.group_id, payload)
        return _status("sent")

    async def _close(self, _call: RequestContext, request: _OneGroup) -> bytes:
        await self._grouping.end(request.group_id)
        return _status("closed")

    async def _invite(self, _call: RequestContext, request: _Member) -> bytes:
        await self._grouping.invite(request.group_id, request.peer_id)
        return _status("invited")

    async def _kick(self, _call: RequestContext, request: _Member) -> bytes:
        await self._grouping.remove(request.group_id, request.peer_id)
        return _status("kicked")

    def _host_of(self, call: RequestContext, group: str) -> str:
        """Return the host of a group this page may touch. Raises `UnknownGroupError`."""
        only = _only_host(call)
        for each in (*self._groups.joined(), *self._groups.hosted()):
            if each.id == group and only in ("", each.host):
                return each.host
        raise UnknownGroupError(f"this peer is in no group {group[:_SHOWN_CHARS]!r}")


def _endpoint(work: Work[T], decode: Callable[[bytes], T], method: str = "POST") -> Handler:
    return endpoint(work, decode, read=posted_json(_BODY_MAX_BYTES), method=method, check=_refusal)


def _refusal(call: RequestContext) -> Failure | None:
    """Return why the caller gets nothing of groups, or None."""
    if call.origin.realm in (Realm.VISITED_SITE, Realm.OWN_SITE):
        return None
    return Failure(ErrorCode.FORBIDDEN, "groups are for peers: a visitor is in none")


def _only_host(call: RequestContext) -> str:
    """Return the one host whose groups this page may touch; "" for the owner's own pages: any."""
    return call.origin.peer_id if call.origin.realm is Realm.VISITED_SITE else ""


def _status(status: str) -> bytes:
    return msgspec.json.encode({"status": status})
