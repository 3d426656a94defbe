"""Groups for pages: those hosted here and those joined, with their messages as events. Who may do what:

the own site, opened by the owner    acts as this peer: every group, and making and ending its own, inviting and removing
a visited site's pages               a stranger's code: only groups hosted by that site's peer; join, leave, send and hear there
visitors of the own site             nothing: members are peers
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

import msgspec

from goop2.scripting.engine import Failure
from goop2.scripting.invocation import ErrorCode
from goop2.services.groups.errors import UnknownGroupError
from goop2.services.groups.limits import PAYLOAD_MAX_BYTES
from goop2.services.groups.records import GroupChange, GroupInfo
from goop2.services.groups.service import GroupService, Invited
from goop2.web.api import goop2_shapes
from goop2.web.http.event_log import Events
from goop2.web.http.handlers import JsonBody, Work, as_sent, endpoint, posted_json
from goop2.web.http.origins import Realm
from goop2.web.http.request_context import Handler, RequestContext
from goop2.web.limits import ENVELOPE_MAX_BYTES
from goop2.web.remote.sites import audience

T = TypeVar("T")

KIND: Final = "group"
INVITE: Final = "group-invite"
_DONE: Final = b'{"ok":true}'
_BODY_MAX_BYTES: Final = PAYLOAD_MAX_BYTES + ENVELOPE_MAX_BYTES


class GroupRequest(msgspec.Struct):
    """The request about a group; `host` is the page's own peer when it is left out."""

    group: str
    host: str = ""


class GroupMessageRequest(GroupRequest, kw_only=True):
    """The request to send a message, any JSON, to a group."""

    payload: msgspec.Raw = msgspec.Raw(b"null")


class CreateGroupRequest(msgspec.Struct):
    """The request to create a group."""

    name: str
    type: str = "template"
    max_members: int = 0
    volatile: bool = False
    context: str = ""


class MemberRequest(msgspec.Struct):
    """The request to invite a peer to a group hosted here, or to remove it."""

    group: str
    peer: str


class GroupView(msgspec.Struct, frozen=True, kw_only=True):
    """A group as pages see it. Names and types are its host's text."""

    id: str
    host: str
    name: str
    type: str
    max_members: int
    volatile: bool
    joined: bool
    members: tuple[str, ...]
    away: tuple[str, ...]


class GroupEvent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename={"sender": "from"}):
    """An event of a group. The sender of a message is known only where the group is hosted: hosts pass messages on without it."""

    type: str
    """One of `goop2_shapes.TYPES`."""
    group: str
    host: str
    sender: str = ""
    payload: object = msgspec.UNSET
    """Of a msg or state its sender's; of others what pages of Goop2 read there."""
    members: tuple[str, ...] | None = None
    message: str = ""


def shown(group: GroupInfo) -> GroupView:
    """Return a group as pages see it."""
    return GroupView(
        id=group.id,
        host=group.host,
        name=group.name,
        type=group.kind,
        max_members=group.max_members,
        volatile=group.volatile,
        joined=group.joined,
        members=group.members,
        away=group.away,
    )


class GroupApi:
    """Endpoints and events of the groups of this peer."""

    def __init__(self, grouping: GroupService, events: Events, owners_pages: str, label: goop2_shapes.Label) -> None:
        self._grouping = grouping
        self._label = label
        self._groups = grouping.groups
        self._events = events
        self._owners_pages = owners_pages
        of_members: dict[str, Handler] = {
            "group/subscriptions": _endpoint(self._subscriptions, as_sent),
            "group/join": _endpoint(self._join, _GROUP),
            "group/leave": _endpoint(self._leave, _GROUP),
            "group/send": _endpoint(self._say, _SAY),
        }
        of_owners: dict[str, Handler] = {
            "group/create": _endpoint(self._create, _CREATE),
            "group/close": _endpoint(self._close, _GROUP),
            "group/invite": _endpoint(self._invite, _WHOM),
            "group/invites": _endpoint(self._invites, as_sent),
            "group/refuse": _endpoint(self._refuse, _GROUP),
            "group/remove": _endpoint(self._remove, _WHOM),
        }
        self.api = {**of_members, **of_owners}
        """Path after `/api/` on the own site's origins → what answers."""
        self.api_of_visits = of_members
        """The same on the origin of another peer's site."""
        self._unsubscribe = (self._groups.subscribe(self._publish), grouping.subscribe_invites(self._publish_invite))

    def unsubscribe(self) -> None:
        """Unsubscribe from the events of groups."""
        for each in self._unsubscribe:
            each()

    # For members: also called by pages of visited sites, so each takes its host from `_which`.

    async def _subscriptions(self, call: RequestContext, _body: bytes) -> bytes:
        host = _only_host(call)
        groups = (*self._groups.hosted(), *self._groups.joined())
        return msgspec.json.encode([shown(group) for group in groups if host in ("", group.host)])

    async def _join(self, call: RequestContext, request: GroupRequest) -> bytes:
        host, group = _which(call, request)
        if host != self._groups.own_id:
            return msgspec.json.encode(shown(await self._grouping.join(host, group)))
        hosted = next((each for each in self._groups.hosted() if each.id == group), None)
        if hosted is None:
            raise UnknownGroupError(f"no group {group[:64]!r} is hosted here")
        return msgspec.json.encode(shown(hosted))

    async def _leave(self, call: RequestContext, request: GroupRequest) -> bytes:
        self._grouping.leave(*_which(call, request))
        return _DONE

    async def _say(self, call: RequestContext, request: GroupMessageRequest) -> bytes:
        # In one line, as the network wants it.
        self._grouping.send(*_which(call, request), msgspec.json.format(bytes(request.payload), indent=-1))
        return _DONE

    # For the owner alone: web/api/endpoints.py keeps everybody else out.

    async def _create(self, _call: RequestContext, request: CreateGroupRequest) -> bytes:
        group = await self._grouping.create(
            request.name, request.type, request.max_members, volatile=request.volatile, context=request.context
        )
        return msgspec.json.encode(shown(group))

    async def _close(self, _call: RequestContext, request: GroupRequest) -> bytes:
        await self._grouping.end(request.group)
        return _DONE

    async def _invite(self, _call: RequestContext, request: MemberRequest) -> bytes:
        await self._grouping.invite(request.group, request.peer)
        return _DONE

    async def _remove(self, _call: RequestContext, request: MemberRequest) -> bytes:
        await self._grouping.remove(request.group, request.peer)
        return _DONE

    async def _invites(self, _call: RequestContext, _body: bytes) -> bytes:
        return msgspec.json.encode(self._grouping.invites())

    async def _refuse(self, _call: RequestContext, request: GroupRequest) -> bytes:
        self._grouping.refuse(request.host, request.group)
        return _DONE

    # Events.

    def _publish(self, change: GroupChange) -> None:
        group = change.group
        has_payload = change.what in ("msg", "state")
        about = goop2_shapes.payload(change, self._label)
        event = GroupEvent(
            type=goop2_shapes.TYPES[change.what],
            group=group.id,
            host=group.host,
            sender=change.sender if group.host == self._groups.own_id else "",
            payload=msgspec.Raw(change.payload) if about is None else about,
            members=None if has_payload else group.members,
            message=change.refused.message or change.refused.code,
        )
        self._events.publish(KIND, event, self._owners_pages)
        # Pages of a visited site get events of their own peer's groups alone.
        if group.host != self._groups.own_id:
            self._events.publish(KIND, event, audience(group.host))

    def _publish_invite(self, invited: Invited) -> None:
        self._events.publish(INVITE, invited, self._owners_pages)


_GROUP: Final = JsonBody(GroupRequest)
_SAY: Final = JsonBody(GroupMessageRequest)
_CREATE: Final = JsonBody(CreateGroupRequest)
_WHOM: Final = JsonBody(MemberRequest)


def _endpoint(work: Work[T], decode: Callable[[bytes], T]) -> Handler:
    return endpoint(work, decode, read=posted_json(_BODY_MAX_BYTES), check=_refusal)


def _refusal(call: RequestContext) -> Failure | None:
    """Return why the caller gets nothing of groups, or None."""
    if call.origin.realm in (Realm.VISITED_SITE, Realm.OWN_SITE):
        return None
    return Failure(ErrorCode.FORBIDDEN, "groups are for peers: a visitor is in none")


class _OtherHostError(Exception):
    """A visited site's page named a group of another host than its own peer."""

    code = "forbidden"


def _only_host(call: RequestContext) -> str:
    """Return the one host whose groups this page may touch; "" for the owner's own pages: any."""
    return call.origin.peer_id if call.origin.realm is Realm.VISITED_SITE else ""


def _which(call: RequestContext, request: GroupRequest) -> tuple[str, str]:
    """Return host and id of a group this page may touch. Raises `_OtherHostError`."""
    only = _only_host(call)
    if only and request.host not in ("", only):
        raise _OtherHostError("a page is in groups of the peer whose site it is, and of nobody else")
    return request.host or call.origin.peer_id, request.group
