"""Groups under the addresses and names that pages of Goop2 know, `/api/groups…`; groups.py has ours, and says who may do what.

On a visited site's origin they are groups of that site's peer alone, and the list of hosted groups is empty. A request without a group
means the current one, as older pages have it: the group that this page may touch and that was joined last.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

import msgspec

from goop2.scripting.engine import Failure
from goop2.scripting.invocation import ErrorCode
from goop2.services.groups.errors import InvalidGroupError, UnknownGroupError
from goop2.services.groups.limits import PAYLOAD_MAX_BYTES
from goop2.services.groups.records import GroupChange, GroupInfo
from goop2.services.groups.service import GroupService, Invited
from goop2.storage.template_group import TEMPLATE
from goop2.web.api import goop2_shapes
from goop2.web.http.event_log import Events
from goop2.web.http.event_stream import send_events
from goop2.web.http.handlers import JsonBody, Work, as_sent, endpoint, posted_json
from goop2.web.http.origins import Realm
from goop2.web.http.request_context import Handler, RequestContext
from goop2.web.http.responses import send_failure
from goop2.web.limits import ENVELOPE_MAX_BYTES
from goop2.web.remote.network import RemoteNetwork
from goop2.web.remote.sites import audience

T = TypeVar("T")

_SHOWN_CHARS: Final = 64
_BODY_MAX_BYTES: Final = PAYLOAD_MAX_BYTES + ENVELOPE_MAX_BYTES
_OPENING: Final = b"connected"
"""The first event of the stream."""


class _Create(msgspec.Struct):
    name: str
    group_type: str = ""
    app_type: str = ""
    """The older name of `group_type`."""
    group_context: str = ""
    max_members: int = 0


class _RemoteGroup(msgspec.Struct):
    host_peer_id: str
    group_id: str


class _OneGroup(msgspec.Struct):
    group_id: str = ""
    """"": the current one."""
    payload: msgspec.Raw = msgspec.Raw(b"null")


class _HostedGroup(msgspec.Struct):
    group_id: str


class _Member(msgspec.Struct):
    group_id: str
    peer_id: str


class _MemberRole(msgspec.Struct):
    group_id: str
    peer_id: str
    role: str


class _DefaultRole(msgspec.Struct):
    group_id: str
    role: str = ""
    default_role: str = ""


class _Roles(msgspec.Struct):
    group_id: str
    roles: list[str]


class _MaxMembers(msgspec.Struct):
    group_id: str
    max_members: int


class _Meta(msgspec.Struct):
    group_id: str
    name: str | None = None
    group_name: str | None = None
    group_context: str | None = None
    max_members: int | None = None


_CREATE: Final = JsonBody(_Create, '{"name": name, "group_type": type}')
_REMOTE: Final = JsonBody(_RemoteGroup, '{"host_peer_id": peer, "group_id": group}')
_ONE: Final = JsonBody(_OneGroup, '{"group_id": group}')
_HOSTED: Final = JsonBody(_HostedGroup, '{"group_id": group}')
_MEMBER: Final = JsonBody(_Member, '{"group_id": group, "peer_id": peer}')
_MEMBER_ROLE: Final = JsonBody(_MemberRole, '{"group_id": group, "peer_id": peer, "role": role}')
_DEFAULT_ROLE: Final = JsonBody(_DefaultRole, '{"group_id": group, "role": role}')
_ROLES: Final = JsonBody(_Roles, '{"group_id": group, "roles": [role, …]}')
_MAX_MEMBERS: Final = JsonBody(_MaxMembers, '{"group_id": group, "max_members": number}')
_META: Final = JsonBody(
    _Meta, '{"group_id": group, "name": name, "max_members": number, "group_context": text}, all but the group optional'
)


class _Event(msgspec.Struct, frozen=True, omit_defaults=True, rename={"sender": "from"}):
    """An event of the stream, as pages written for Goop2 read it: `{type, group [, from] [, payload]}`."""

    type: str
    group: str
    sender: str = ""
    payload: object = msgspec.UNSET


class Goop2GroupApi:
    """Endpoints and events of the groups of this peer, for pages of Goop2."""

    def __init__(self, grouping: GroupService, remote: RemoteNetwork, events: Events, owners_pages: str) -> None:
        self._grouping = grouping
        self._groups = grouping.groups
        self._remote = remote
        self._events = events
        self._owners_pages = owners_pages
        members: dict[str, Handler] = {
            "groups": _endpoint(self._list_or_create, as_sent, method=""),
            "groups/subscriptions": _endpoint(self._subscriptions, as_sent, method="GET"),
            "groups/join": _endpoint(self._join, _REMOTE),
            "groups/rejoin": _endpoint(self._rejoin, _REMOTE),
            "groups/leave": _endpoint(self._leave, _ONE),
            "groups/subscriptions/remove": _endpoint(self._unsubscribe_from, _REMOTE),
            "groups/send": _endpoint(self._send, _ONE),
            "groups/events": self._stream,
        }
        self.api: dict[str, Handler] = {
            **members,
            "groups/join-own": _endpoint(self._join_own, _HOSTED),
            "groups/leave-own": _endpoint(self._leave_own, _HOSTED),
            "groups/close": _endpoint(self._close, _HOSTED),
            "groups/invite": _endpoint(self._invite, _MEMBER),
            "groups/kick": _endpoint(self._kick, _MEMBER),
            "groups/set-role": _endpoint(self._set_role, _MEMBER_ROLE),
            "groups/set-default-role": _endpoint(self._set_default_role, _DEFAULT_ROLE),
            "groups/set-roles": _endpoint(self._set_roles, _ROLES),
            "groups/max-members": _endpoint(self._set_max_members, _MAX_MEMBERS),
            "groups/meta": _endpoint(self._set_meta, _META),
        }
        """Path after `/api/` on the own site's origins → what answers."""
        self.api_of_visits = members
        """The same on the origin of another peer's site."""
        self._subscribed = (self._groups.subscribe(self._publish), grouping.subscribe_invites(self._publish_invite))

    def unsubscribe(self) -> None:
        """Unsubscribe from the events of groups."""
        for each in self._subscribed:
            each()

    # For members: also called by pages of visited sites.

    async def _list_or_create(self, call: RequestContext, body: bytes) -> bytes | Failure:
        visit = _only_host(call)
        if call.method == "POST":
            if visit:
                return Failure(ErrorCode.FORBIDDEN, "a page of another peer's site makes no groups here")
            request = _CREATE(body)
            kind = request.group_type or request.app_type or TEMPLATE
            group = await self._grouping.create(request.name, kind, request.max_members, context=request.group_context)
            return msgspec.json.encode({"status": "created", "id": group.id})
        return msgspec.json.encode([] if visit else [self._hosted(group) for group in self._groups.hosted()])

    def _hosted(self, group: GroupInfo) -> dict[str, object]:
        return goop2_shapes.hosted(group, self._groups.members_since(group.id), self._groups.roles(group.id), self._remote.label)

    async def _subscriptions(self, call: RequestContext, _body: bytes) -> bytes:
        host = _only_host(call)
        joined = [group for group in self._groups.joined() if host in ("", group.host)]
        shown = [self._subscription(group) for group in joined if not group.volatile]
        active = [{"group_id": group.id, "host_peer_id": group.host} for group in joined if group.joined]
        return msgspec.json.encode({"subscriptions": shown or None, "active_groups": active})

    def _subscription(self, group: GroupInfo) -> dict[str, object]:
        network = self._remote.network
        reachable = network is not None and network.roster.get(group.host) is not None
        return goop2_shapes.subscription(group, self._groups.own_id, self._host_label, reachable=reachable)

    def _host_label(self, peer: str) -> str:
        return self._remote.label(peer) or self._grouping.host_name(peer)

    async def _join(self, call: RequestContext, request: _RemoteGroup) -> bytes | Failure:
        if (refusal := _other_host(call, request.host_peer_id)) is not None:
            return refusal
        # Nobody is asked for a group of this peer itself; `join-own` puts it on the group's list.
        if request.host_peer_id == self._groups.own_id:
            self._groups.hosted_here(request.group_id)
        else:
            await self._grouping.join(request.host_peer_id, request.group_id)
        return _status("joined")

    async def _rejoin(self, call: RequestContext, request: _RemoteGroup) -> bytes | Failure:
        if (refusal := _other_host(call, request.host_peer_id)) is not None:
            return refusal
        await self._grouping.rejoin(request.host_peer_id, request.group_id)
        return _status("joined")

    async def _leave(self, call: RequestContext, request: _OneGroup) -> bytes:
        group = self._which(call, request.group_id, self._groups.joined())
        self._grouping.leave(group.host, group.id)
        return _status("left")

    async def _unsubscribe_from(self, call: RequestContext, request: _RemoteGroup) -> bytes | Failure:
        if (refusal := _other_host(call, request.host_peer_id)) is not None:
            return refusal
        self._grouping.leave(request.host_peer_id, request.group_id)
        return _status("removed")

    async def _send(self, call: RequestContext, request: _OneGroup) -> bytes:
        group = self._which(call, request.group_id, (*self._groups.hosted(), *self._groups.joined()))
        # In one line, as the network wants it.
        self._grouping.send(group.host, group.id, msgspec.json.format(bytes(request.payload), indent=-1))
        return _status("sent")

    async def _stream(self, call: RequestContext) -> None:
        if (refusal := _refusal(call)) is not None:
            await send_failure(call.send, refusal, call.headers)
            return
        visit = _only_host(call)
        name = visit or call.caller.tenant
        await send_events(call, self._events, name, [_goop2(audience(visit) if visit else self._owners_pages)], opening=_OPENING)

    # For the owner alone: web/api/endpoints.py keeps everybody else out.

    async def _join_own(self, _call: RequestContext, request: _HostedGroup) -> bytes:
        await self._grouping.enter(request.group_id)
        return _status("joined")

    async def _leave_own(self, _call: RequestContext, request: _HostedGroup) -> bytes:
        await self._grouping.step_out(request.group_id)
        return _status("left")

    async def _close(self, _call: RequestContext, request: _HostedGroup) -> bytes:
        await self._grouping.end(request.group_id)
        return _status("closed")

    async def _invite(self, _call: RequestContext, request: _Member) -> bytes:
        await self._grouping.invite(request.group_id, request.peer_id)
        return _status("invited")

    async def _kick(self, _call: RequestContext, request: _Member) -> bytes:
        await self._grouping.remove(request.group_id, request.peer_id)
        return _status("kicked")

    async def _set_role(self, _call: RequestContext, request: _MemberRole) -> bytes:
        await self._grouping.set_role(request.group_id, request.peer_id, request.role)
        return _status("ok")

    async def _set_default_role(self, _call: RequestContext, request: _DefaultRole) -> bytes:
        await self._grouping.set_default_role(request.group_id, request.role or request.default_role)
        return _status("ok")

    async def _set_roles(self, _call: RequestContext, request: _Roles) -> bytes:
        await self._grouping.set_role_names(request.group_id, request.roles)
        return _status("ok")

    async def _set_max_members(self, _call: RequestContext, request: _MaxMembers) -> bytes:
        await self._grouping.change(request.group_id, max_members=request.max_members)
        return _status("ok")

    async def _set_meta(self, _call: RequestContext, request: _Meta) -> bytes:
        # Pages of different ages send one or the other.
        name = request.name if request.group_name is None else request.group_name
        if name is None and request.group_context is None and request.max_members is None:
            raise InvalidGroupError("nothing to change is given: give name, max_members or group_context")
        await self._grouping.change(request.group_id, name=name, max_members=request.max_members, context=request.group_context)
        return _status("ok")

    def _which(self, call: RequestContext, group: str, those: tuple[GroupInfo, ...]) -> GroupInfo:
        """Return the group of this id among those, as far as this page may touch it; the newest one for "". Raises `UnknownGroupError`."""
        only = _only_host(call)
        found = [each for each in those if group in ("", each.id) and only in ("", each.host)]
        if not found:
            raise UnknownGroupError(f"this peer is in no group {group[:_SHOWN_CHARS]!r}" if group else "no group is joined: join one first")
        return found[0] if group else found[-1]

    # Events.

    def _publish(self, change: GroupChange) -> None:
        label, group = self._remote.label, change.group
        own = group.host == self._groups.own_id
        audiences = [self._owners_pages] if own else [self._owners_pages, audience(group.host)]
        # Nearly always there is none, and the payload need not be made.
        wanted = [_goop2(each) for each in audiences if self._events.has_reader(_goop2(each))]
        if not wanted:
            return
        about = goop2_shapes.payload(change, label)
        payload = msgspec.Raw(change.payload) if about is None else about
        event = _Event(goop2_shapes.TYPES[change.what], group.id, change.sender or group.host, payload)
        for each in wanted:
            self._events.publish(event.type, event, each)

    def _publish_invite(self, invited: Invited) -> None:
        event = _Event(goop2_shapes.INVITE, invited.group, invited.host, goop2_shapes.invitation(invited))
        self._events.publish(goop2_shapes.INVITE, event, _goop2(self._owners_pages))


def _goop2(pages: str) -> str:
    """Return the audience of the stream that these pages may open."""
    return f"goop2-groups:{pages}"


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


def _other_host(call: RequestContext, host: str) -> Failure | None:
    """Return why this page may touch no groups of that host, or None."""
    if _only_host(call) in ("", host):
        return None
    return Failure(ErrorCode.FORBIDDEN, "a page is in groups of the peer whose site it is, and of nobody else")


def _status(status: str) -> bytes:
    return msgspec.json.encode({"status": status})
