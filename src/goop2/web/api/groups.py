"""Groups from pages: those hosted here and those joined, their messages as events. Who may do what:

the own site, opened by the owner    acts as this peer: every group, and making and ending its own, inviting and removing
a visited site's pages               a stranger's code: only groups hosted by that site's peer; join, leave, send and hear there
visitors of the own site             nothing: members are peers
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

import msgspec

from goop2.net.faults import NetworkError
from goop2.protocols.untrusted_json import InvalidJsonError, decode
from goop2.scripting.engine import Failure
from goop2.scripting.invocation import ErrorCode
from goop2.services.groups.service import GroupService, Invited, code_of
from goop2.services.groups.state import PAYLOAD_MAX_BYTES, GroupChange, GroupInfo, UnknownGroupError
from goop2.storage.errors import StorageError
from goop2.web.http.bodies import read_json
from goop2.web.http.event_log import Events
from goop2.web.http.origins import Realm
from goop2.web.http.request_context import Handler, RequestContext
from goop2.web.http.responses import send_failure, send_json
from goop2.web.limits import ENVELOPE_MAX_BYTES
from goop2.web.remote.sites import audience

KIND: Final = "group"
INVITE: Final = "group-invite"
_DONE: Final = b'{"ok":true}'


class GroupRequest(msgspec.Struct):
    """A group; `host` is the peer whose page asks when it is left out."""

    group: str
    host: str = ""


class Say(GroupRequest, kw_only=True):
    """Something to say to a group: any JSON."""

    payload: msgspec.Raw = msgspec.Raw(b"null")


class Create(msgspec.Struct):
    """The request to create a group."""

    name: str
    type: str = "template"
    max_members: int = 0
    volatile: bool = False


class Whom(msgspec.Struct):
    """A peer, and a group hosted here: to be invited to it, or removed from it."""

    group: str
    peer: str


class GroupView(msgspec.Struct, frozen=True):
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


class Happened(msgspec.Struct, frozen=True, omit_defaults=True, rename={"sender": "from"}):
    """Something happened in a group. A message's sender is known where the group is hosted; a host hands it on without."""

    type: str
    group: str
    host: str
    sender: str = ""
    payload: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    members: tuple[str, ...] | None = None
    message: str = ""


def shown(group: GroupInfo) -> GroupView:
    """Return a group as pages see it."""
    return GroupView(
        group.id, group.host, group.name, group.kind, group.max_members, group.volatile, group.joined, group.members, group.away
    )


class GroupApi:
    """The groups of this peer, for pages."""

    def __init__(self, grouping: GroupService, events: Events, owners_pages: str) -> None:
        self._grouping = grouping
        self._groups = grouping.groups
        self._events = events
        self._owners_pages = owners_pages
        of_members: dict[str, Handler] = {
            "group/subscriptions": self._answering(self._subscriptions),
            "group/join": self._answering(self._join),
            "group/leave": self._answering(self._leave),
            "group/send": self._answering(self._say),
        }
        of_owners: dict[str, Handler] = {
            "group/create": self._answering(self._create),
            "group/close": self._answering(self._close),
            "group/invite": self._answering(self._invite),
            "group/invites": self._answering(self._invites),
            "group/refuse": self._answering(self._refuse),
            "group/remove": self._answering(self._remove),
        }
        self.api = {**of_members, **of_owners}
        """Path after `/api/` on the own site's origins → what answers."""
        self.api_of_visits = of_members
        """The same on the origin of another peer's site."""
        self._ends = (self._groups.subscribe(self._tell), grouping.subscribe_invites(self._tell_invite))

    def end(self) -> None:
        """Unsubscribe from the events of groups."""
        for each in self._ends:
            each()

    # A member's.

    async def _subscriptions(self, call: RequestContext, _body: bytes) -> bytes:
        host = _only_host(call)
        groups = (*self._groups.hosted(), *self._groups.joined())
        return msgspec.json.encode([shown(group) for group in groups if host in ("", group.host)])

    async def _join(self, call: RequestContext, body: bytes) -> bytes:
        host, group = _which(call, decode(body, GroupRequest))
        if host != self._groups.own_id:
            return msgspec.json.encode(shown(await self._grouping.join(host, group)))
        found = next((each for each in self._groups.hosted() if each.id == group), None)
        if found is None:
            raise UnknownGroupError(f"no group {group[:64]!r} is hosted here")
        return msgspec.json.encode(shown(found))

    async def _leave(self, call: RequestContext, body: bytes) -> bytes:
        self._grouping.leave(*_which(call, decode(body, GroupRequest)))
        return _DONE

    async def _say(self, call: RequestContext, body: bytes) -> bytes:
        asked = decode(body, Say)
        # In one line, as the network wants it.
        self._grouping.send(*_which(call, asked), msgspec.json.format(bytes(asked.payload), indent=-1))
        return _DONE

    # The owner's.

    async def _create(self, _call: RequestContext, body: bytes) -> bytes:
        asked = decode(body, Create)
        known = await self._grouping.create(asked.name, asked.type, asked.max_members, volatile=asked.volatile)
        return msgspec.json.encode(shown(known))

    async def _close(self, _call: RequestContext, body: bytes) -> bytes:
        await self._grouping.end(decode(body, GroupRequest).group)
        return _DONE

    async def _invite(self, _call: RequestContext, body: bytes) -> bytes:
        asked = decode(body, Whom)
        await self._grouping.invite(asked.group, asked.peer)
        return _DONE

    async def _remove(self, _call: RequestContext, body: bytes) -> bytes:
        asked = decode(body, Whom)
        await self._grouping.remove(asked.group, asked.peer)
        return _DONE

    async def _invites(self, _call: RequestContext, _body: bytes) -> bytes:
        return msgspec.json.encode(self._grouping.invites())

    async def _refuse(self, _call: RequestContext, body: bytes) -> bytes:
        asked = decode(body, GroupRequest)
        self._grouping.refuse(asked.host, asked.group)
        return _DONE

    # Events.

    def _tell(self, change: GroupChange) -> None:
        group = change.group
        said = change.what in ("msg", "state")
        happened = Happened(
            change.what,
            group.id,
            group.host,
            change.sender if group.host == self._groups.own_id else "",
            msgspec.Raw(change.payload) if said else msgspec.UNSET,
            None if said else group.members,
            change.refused.message or change.refused.code,
        )
        self._events.publish(KIND, happened, self._owners_pages)
        if group.host != self._groups.own_id:
            self._events.publish(KIND, happened, audience(group.host))

    def _tell_invite(self, invited: Invited) -> None:
        self._events.publish(INVITE, invited, self._owners_pages)

    def _answering(self, work: Callable[[RequestContext, bytes], Awaitable[bytes]]) -> Handler:
        """`work` with the body read, and every refusal sent."""

        async def answer(call: RequestContext) -> None:
            try:
                _only_host(call)
                body = await read_json(call.scope, call.receive, PAYLOAD_MAX_BYTES + ENVELOPE_MAX_BYTES) if call.method == "POST" else b""
                result: bytes | Failure = await work(call, body)
            except _ForbiddenError as why:
                result = Failure(ErrorCode.FORBIDDEN, str(why))
            except InvalidJsonError as error:
                result = Failure(ErrorCode.BAD_REQUEST, str(error))
            except (NetworkError, StorageError) as fault:
                result = Failure(code_of(fault), str(fault))
            if isinstance(result, Failure):
                await send_failure(call.send, result, call.headers)
            else:
                await send_json(call.send, result, headers=call.headers)

        return answer


class _ForbiddenError(Exception):
    """Not for this caller; a sentence."""


def _only_host(call: RequestContext) -> str:
    """The one host whose groups this page may touch; "" for the owner's own pages: any. Raises `_ForbiddenError`."""
    if call.origin.realm is Realm.VISITED_SITE:
        return call.origin.peer_id
    if call.origin.realm is Realm.OWN_SITE:
        return ""
    raise _ForbiddenError("groups are for peers: a visitor is in none")


def _which(call: RequestContext, asked: GroupRequest) -> tuple[str, str]:
    """Host and id of a group this page may touch. Raises `_ForbiddenError`."""
    only = _only_host(call)
    if only and asked.host not in ("", only):
        raise _ForbiddenError("a page is in groups of the peer whose site it is, and of nobody else")
    return asked.host or call.origin.peer_id, asked.group
