"""goop.group in the peer: the roles in the template group, and groups that scripts open and end.

A script acts as the owner, who wrote it; the script decides for whom it does so.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import wraps
from typing import Final

from goop2.net.faults import NetworkError
from goop2.sandbox.answers import Answer, err, json, ok
from goop2.sandbox.messages import Scalar
from goop2.scripting.invocation import Caller, Invocation, PeerOperation
from goop2.services.groups.errors import UnknownGroupError
from goop2.services.groups.service import GroupService
from goop2.storage.errors import StorageError
from goop2.storage.template_group import OWNER
from goop2.storage.values import shown, whole_number

TYPES: Final = ("template", "listen", "chat", "cluster", "files", "data-federation")
"""The types that programs know; a script may open a group of any."""


def _managing(work: Callable[..., Awaitable[Answer]], does: str) -> PeerOperation:
    """Return an operation whose failures say what it `does`: `create group: …`."""

    @wraps(work)
    async def operation(invocation: Invocation, *arguments: Scalar) -> Answer:
        try:
            return await work(invocation, *(_text(one) if isinstance(one, bytes) else one for one in arguments))
        except (NetworkError, StorageError) as error:
            return err(f"{does}: {error}")

    return operation


class GroupOperations:
    """The operations of goop.group over the groups of one peer."""

    def __init__(self, grouping: GroupService) -> None:
        self._grouping = grouping

    @property
    def by_name(self) -> Mapping[str, PeerOperation]:
        """Return name in the goop table → operation."""
        return {
            "group.is_member": self.is_member,
            "group.member.role": self.role,
            "group.owner": self.owner,
            "group.members": _managing(self.members, "members"),
            "group.list": self.list,
            "group.grouptypes": self.grouptypes,
            "group.create": _managing(self.create, "create group"),
            "group.close": _managing(self.close, "close group"),
            "group.add": _managing(self.add, "add member"),
            "group.remove": _managing(self.remove, "remove member"),
            "group.set_role": _managing(self.set_role, "set role"),
            "group.send": _managing(self.send, "send to group"),
        }

    async def is_member(self, invocation: Invocation) -> Answer:
        """Do goop.group.is_member(): whether the caller is in the template's group; the owner always is."""
        return ok(bool(await self._role(invocation.caller)))

    async def role(self, invocation: Invocation) -> Answer:
        """Do goop.group.member.role()."""
        return ok((await self._role(invocation.caller)).encode())

    async def _role(self, caller: Caller) -> str:
        return OWNER if caller.owner else await self._grouping.role_of(caller.id)

    async def owner(self, _invocation: Invocation) -> Answer:
        """Do goop.group.owner(): the template group is one hosted here."""
        return ok(self._grouping.groups.own_id.encode())

    async def list(self, _invocation: Invocation) -> Answer:
        """Do goop.group.list(): the groups hosted here, each `{id, name, group_type}`."""
        return json([{"id": one.id, "name": one.name, "group_type": one.kind} for one in self._grouping.groups.hosted()])

    async def grouptypes(self, _invocation: Invocation) -> Answer:
        """Do goop.group.grouptypes(): the types that programs know, see TYPES."""
        return json(TYPES)

    async def members(self, _invocation: Invocation, group: str) -> Answer:
        """Do goop.group.members(id): each `{peer_id, role [, name]}`; none for a group that is not here."""
        groups = self._grouping.groups
        try:
            roles = groups.roles(group)
        except UnknownGroupError:
            roles = {}
        named = {peer: groups.label(peer) for peer in roles}
        return json([{"peer_id": peer, "role": role} | ({"name": named[peer]} if named[peer] else {}) for peer, role in roles.items()])

    async def create(self, _invocation: Invocation, name: str, kind: str, context: str, most: Scalar) -> Answer:
        """Do goop.group.create(name, type [, context [, max]])."""
        number = whole_number(most)
        if number is None:
            return err(f"create group: max is a whole number from 0, not {shown(most)}")
        opened = await self._grouping.create(name, kind, number, take_part=True, context=context)
        return ok(opened.id.encode())

    async def close(self, _invocation: Invocation, group: str) -> Answer:
        """Do goop.group.close(id): end a group that is hosted here, for all its members."""
        await self._grouping.end(group)
        return ok(True)

    async def add(self, _invocation: Invocation, group: str, peer: str) -> Answer:
        """Do goop.group.add(id, peer)."""
        await self._grouping.invite(group, peer)
        return ok(True)

    async def remove(self, _invocation: Invocation, group: str, peer: str) -> Answer:
        """Do goop.group.remove(id, peer)."""
        await self._grouping.remove(group, peer)
        return ok(True)

    async def set_role(self, _invocation: Invocation, group: str, peer: str, role: str) -> Answer:
        """Do goop.group.set_role(id, peer, role)."""
        await self._grouping.set_role(group, peer, role)
        return ok(True)

    async def send(self, _invocation: Invocation, group: str, payload: str) -> Answer:
        """Do goop.group.send(id, payload)."""
        self._grouping.send(self._grouping.groups.own_id, group, payload.encode())
        return ok(True)


def _text(value: bytes) -> str:
    return value.decode("utf-8", "replace")
