"""Groups, for commands, through an open network: all groups that this peer hosts or is in, whoever made it join."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping

from goop2.control_socket import Answer, ControlError, Operation, Request
from goop2.net.faults import NetworkError
from goop2.services.groups.records import GroupInfo
from goop2.services.groups.service import GroupService, code_of
from goop2.storage.errors import StorageError

Find = Callable[[str], Awaitable[str]]
"""The id of the peer that is meant. Raises `ControlError`."""


class GroupRemote:
    """The owner's operations on groups."""

    def __init__(self, grouping: GroupService, find: Find, label: Callable[[str], str]) -> None:
        self._grouping = grouping
        self._find = find
        self._label = label
        """What a peer calls itself; "" when it is not here."""
        self.operations: Mapping[str, Operation] = {
            "group-list": _told(self.list),
            "group-create": _told(self.create),
            "group-close": _told(self.close),
            "group-invite": _told(self.invite),
            "group-members": _told(self.members),
            "group-remove": _told(self.remove),
            "group-change": _told(self.change),
            "group-set-role": _told(self.set_role),
            "group-default-role": _told(self.set_default_role),
            "group-roles": _told(self.set_roles),
            "group-join": _told(self.join),
            "group-leave": _told(self.leave),
            "group-refuse": _told(self.refuse),
        }

    async def list(self, _request: Request) -> Answer:
        """Return the groups `hosted` and `joined`, and the `invites` that came."""
        groups = self._grouping.groups
        invites = [{"host": one.host, "group": one.group, "name": one.name, "type": one.type} for one in self._grouping.invites()]
        return {
            "hosted": [_shown(one) for one in groups.hosted()],
            "joined": [_shown(one) | {"role": one.roles.get(groups.own_id, "")} for one in groups.joined()],
            "invites": invites,
        }

    async def create(self, request: Request) -> Answer:
        """Create a group from `name, type, max_members, context`; return it."""
        group = await self._grouping.create(
            str(request["name"]), str(request["type"]), _whole(request.get("max_members")) or 0, context=str(request.get("context") or "")
        )
        return _shown(group)

    async def change(self, request: Request) -> Answer:
        """Change `name`, `max_members` and `context` of `group`, as far as they are given; return the group."""
        name, context = request.get("name"), request.get("context")
        changed = await self._grouping.change(
            str(request["group"]),
            name=None if name is None else str(name),
            max_members=_whole(request.get("max_members")),
            context=None if context is None else str(context),
        )
        return _shown(changed)

    async def set_role(self, request: Request) -> Answer:
        """Give the member `peer` of `group` the role `role`; return `peer`, its id. A member need not be here."""
        group = str(request["group"])
        peer = await self._member(group, str(request["peer"]))
        await self._grouping.set_role(group, peer, str(request["role"]))
        return {"peer": peer}

    async def set_default_role(self, request: Request) -> Answer:
        """Give new members of `group` the role `role`."""
        await self._grouping.set_default_role(str(request["group"]), str(request["role"]))
        return {}

    async def set_roles(self, request: Request) -> Answer:
        """Name the `roles` that members of `group` may have; none for any."""
        roles = request["roles"]
        await self._grouping.set_role_names(str(request["group"]), map(str, roles) if isinstance(roles, list) else ())
        return {}

    async def _member(self, group: str, who: str) -> str:
        return who if who in self._grouping.groups.members_since(group) else await self._find(who)

    async def close(self, request: Request) -> Answer:
        """End the group `group`, which is hosted here."""
        await self._grouping.end(str(request["group"]))
        return {}

    async def invite(self, request: Request) -> Answer:
        """Invite `peer` to `group`; return `to`."""
        peer = await self._find(str(request["peer"]))
        await self._grouping.invite(str(request["group"]), peer)
        return {"to": peer}

    async def members(self, request: Request) -> Answer:
        """Return the `members` of `group`, which is hosted here, each `{id, label, here, role}`."""
        group = str(request["group"])
        here = {member for one in self._grouping.groups.hosted() if one.id == group for member in one.members}
        members = self._grouping.groups.members_since(group)
        roles = self._grouping.groups.roles(group)
        return {
            "members": [{"id": member, "label": self._label(member), "here": member in here, "role": roles[member]} for member in members],
            "default_role": self._grouping.groups.hosted_here(group).default_role,
        }

    async def remove(self, request: Request) -> Answer:
        """Remove `peer` from `group`; return `removed`, its id. A member need not be here."""
        group = str(request["group"])
        peer = await self._member(group, str(request["peer"]))
        await self._grouping.remove(group, peer)
        return {"removed": peer}

    async def join(self, request: Request) -> Answer:
        """Join `group` of `peer`; return the group."""
        return _shown(await self._grouping.join(await self._find(str(request["peer"])), str(request["group"])))

    async def leave(self, request: Request) -> Answer:
        """Leave `group`; `peer` names the host where two have a group of this id."""
        group = str(request["group"])
        host = _the_host(request, (one.host for one in self._grouping.groups.joined() if one.id == group), "this peer is in no group")
        self._grouping.leave(host, group)
        return {"host": host}

    async def refuse(self, request: Request) -> Answer:
        """Refuse the invitation to `group`; `peer` names the host where two have invited to one of this id."""
        group = str(request["group"])
        host = _the_host(request, (one.host for one in self._grouping.invites() if one.group == group), "nobody has invited to a group")
        self._grouping.refuse(host, group)
        return {"host": host}


def _the_host(request: Request, of: Iterable[str], nobody: str) -> str:
    """Return who hosts the group that is meant, of those who host one of its id. Raises `ControlError`."""
    group, peer = str(request["group"]), str(request.get("peer") or "")
    hosts = [host for host in of if peer in ("", host)]
    if len(hosts) > 1:
        raise ControlError("bad_request", f"{len(hosts)} peers host a group {group!r}: say which with --host, {' or '.join(hosts)}")
    if not hosts:
        raise ControlError("not_found", f"{nobody} {group!r}; goop2 group list says what there is")
    return hosts[0]


def _told(work: Operation) -> Operation:
    async def operation(request: Request) -> Answer:
        try:
            return await work(request)
        except (NetworkError, StorageError) as fault:
            raise ControlError(code_of(fault), str(fault)) from None

    return operation


def _shown(group: GroupInfo) -> Answer:
    return {
        "id": group.id,
        "host": group.host,
        "name": group.name,
        "type": group.kind,
        "max_members": group.max_members,
        "joined": group.joined,
        "members": list(group.members),
        "away": list(group.away),
        "context": group.context,
        "roles": dict(group.roles),
        "default_role": group.default_role,
        "role_names": list(group.role_names),
    }


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
