"""The groups of a running peer: the state machine (services/groups/state.py), its storage, and its subscribers.

It must not know pages or libp2p: whoever brings the network passes in `post` and `carry`. web/api/groups.py decides what a page may do.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

import msgspec
import structlog

from goop2.net.faults import NetworkError, UnreachableError
from goop2.protocols import listen, topics
from goop2.scripting.invocation import ErrorCode
from goop2.scripting.subscribers import Subscribers
from goop2.services.groups import checks, rows
from goop2.services.groups.errors import InvalidGroupError, JoinRefusedError, UnknownGroupError
from goop2.services.groups.limits import HOSTED_MAX, ID_MAX_CHARS, JOINED_MAX, NAME_MAX_CHARS
from goop2.services.groups.records import NOT_FOUND, REMOVED, GroupChange, GroupInfo, Outgoing
from goop2.services.groups.state import GroupState
from goop2.storage import groups as storage
from goop2.storage.async_database import AsyncDatabase
from goop2.storage.database import Database, open_database
from goop2.storage.errors import DatabaseFileError, StorageError
from goop2.storage.file_quota import CARELESS, FileCare
from goop2.storage.groups import SavedGroups, Subscription
from goop2.storage.template_group import TEMPLATE, VIEWER, default_role, role_in

JOIN_SECONDS: Final = 10.0
"""For the host to let us in: a message there, and one back."""
SAVE_SECONDS: Final = 1.0
"""Between two writings of what changes by itself: members come and go."""
INVITES_MAX: Final = 64
INVITES_PER_PEER_MAX: Final = 8
_CHANGES_SAVED: Final = frozenset(("hosted", "joined", "members", "meta", "refused", "ended"))

Check = Callable[[str], object]
"""Raises `AddressError` for what is no peer's id."""


class Invited(msgspec.Struct, frozen=True):
    """An invitation from another peer, with its text."""

    host: str
    """Who sent it, which the connection proved, and hosts the group."""
    group: str
    name: str
    type: str


class GroupService:
    """The groups a peer hosts and has joined."""

    def __init__(self, own_id: str, path: Path, care: FileCare = CARELESS) -> None:
        self.groups = GroupState(own_id, lambda: time.time_ns() // 1_000_000)
        self._database = AsyncDatabase("goop2-groups", partial(open_database, path, guarded=False, care=care), storage.create_schema)
        self.problem = ""
        """Why the groups cannot be read or kept; "" when they can."""
        self._post: Callable[[Iterable[Outgoing]], None] | None = None
        self._carry: Callable[[str, str, bytes], Awaitable[object]] | None = None
        self._check: Check = str
        self._answers: dict[tuple[str, str], list[asyncio.Future[GroupChange]]] = {}
        self._has_groups = asyncio.Event()
        """Set when a group is asked for or changes; cleared by who waits for it."""
        self.favorites: frozenset[str] = frozenset()
        """Peers that the owner marked in another program, which keeps them beside its groups."""
        self._saved = SavedGroups()
        """What data.db holds of groups."""
        self._invites: dict[tuple[str, str], Invited] = {}
        self._invited: Subscribers[Invited] = Subscribers()
        self._changed = False
        self._unsaved = False
        """Something may not be written yet: a change, or a writing that was not seen to end."""
        self._saving: asyncio.Task[None] | None = None
        self._log = structlog.get_logger("goop2.groups").bind()
        self._unsubscribe = self.groups.subscribe(self._take)

    async def open(self) -> None:
        """Load what was saved before this start. If that cannot be read, `problem` says why, and nothing is written over it."""
        try:
            saved = await asyncio.shield(self._database.run(storage.read))
            self.favorites = await asyncio.shield(self._database.run(storage.favorites))
        except StorageError as error:
            self.problem = str(error)
            await self._database.close()  # which is how `save` knows
            return
        # What a folder of another program holds beyond the bounds stays there: only what is in `_saved` is ever removed.
        saved = self._saved = replace(
            saved,
            hosted=dict(list(saved.hosted.items())[-HOSTED_MAX:]),
            joined=dict(list(saved.joined.items())[-JOINED_MAX:]),
        )
        own = self.groups.own_id
        self.groups.restore(
            [(rows.group_of(one, own), one.members, one.removed) for one in saved.hosted.values()],
            [rows.joined_group_of(one, own) for one in saved.joined.values()],
        )
        self._invites = {place: Invited(one.host, one.id, one.name, one.kind) for place, one in saved.invites.items()}

    async def close(self) -> None:
        """Save what has changed, and close the database."""
        self._unsubscribe()
        if self._saving is not None:
            self._saving.cancel()
            await asyncio.gather(self._saving, return_exceptions=True)
        # A command beside the running peer has read what was then: it writes nothing over what the peer has kept since.
        if self._database.is_open and (self._unsaved or self._post is not None):
            with contextlib.suppress(StorageError):
                await self.save()
        await self._database.close()

    def attach(
        self,
        post: Callable[[Iterable[Outgoing]], None],
        carry: Callable[[str, str, bytes], Awaitable[object]],
        check: Check,
        label: Callable[[str], str] | None = None,
    ) -> None:
        """Use the network from now on.

        `post` queues messages of groups. `carry` (peer, topic, payload) sends one message now, and raises `NetworkError`. `check` raises
        `AddressError` for what is no peer's id. `label` gives what a peer calls itself, "" where that is not known.
        """
        self._post, self._carry, self._check = post, carry, check
        if label is not None:
            self.groups.label = label

    def detach(self) -> None:
        """Forget the network, which has closed."""
        self._post = self._carry = None

    # The owner's.

    async def create(
        self, name: str, kind: str, max_members: int = 0, *, volatile: bool = False, take_part: bool = False, context: str = ""
    ) -> GroupInfo:
        """Create a group hosted here; `take_part`: this peer is in it, as its owner. `context`: what it is for.

        New members of a group of type `template` get the default role of the site's template, of others `viewer`.

        Raises `InvalidGroupError`, `TooManyGroupsError` and `StorageError`.
        """
        kind = checks.kind(kind)
        known = self.groups.host(
            checks.name(name),
            kind,
            max_members=checks.max_members(max_members),
            volatile=volatile,
            take_part=take_part,
            context=checks.context(context),
            default_role=await self._database.run(default_role) if kind == TEMPLATE and self._database.is_open else VIEWER,
        )
        await self.save()
        return known

    async def end(self, group: str) -> None:
        """End a group hosted here. Raises `UnknownGroupError`, `InvalidGroupError` (a listening session ends its group itself) and
        `StorageError`.
        """
        if listen.is_session(group) and any(one.id == group for one in self.groups.hosted()):
            raise InvalidGroupError("the group of a listening session ends with the session: end that")
        self._send_all(self.groups.close(group))
        await self.save()

    async def remove(self, group: str, peer: str) -> None:
        """Remove a member from a group hosted here; it cannot return unless it is invited. Raises `NetworkError` and `StorageError`."""
        self._send_all(self.groups.remove(group, peer))
        await self.save()

    async def set_role(self, group: str, peer: str, role: str) -> None:
        """Give a member of a group hosted here a role. Raises `NetworkError` and `StorageError`."""
        self._send_all(self.groups.set_role(group, peer, checks.role(role, self.groups.hosted_here(group))))
        await self.save()

    async def set_default_role(self, group: str, role: str) -> None:
        """Give those who join a group hosted here from now on this role. Raises `NetworkError` and `StorageError`."""
        known = self.groups.hosted_here(group)
        self._send_all(self.groups.set_role_rules(group, checks.role(role, known), known.role_names))
        await self.save()

    async def set_role_names(self, group: str, names: Iterable[str]) -> None:
        """Name the roles of a group hosted here; none for any. Nobody's role changes. Raises `NetworkError` and `StorageError`."""
        known = self.groups.hosted_here(group)
        self._send_all(self.groups.set_role_rules(group, known.default_role, checks.role_names(names)))
        await self.save()

    async def set_role_rules(self, group: str, default_role: str, names: Iterable[str]) -> None:
        """Take the names of the roles and what new members get, which is one of them whatever they are, or neither.

        Raises `NetworkError` and `StorageError`.
        """
        known = self.groups.hosted_here(group)
        role, found = checks.role(default_role, replace(known, role_names=())), checks.role_names(names)
        self._send_all(self.groups.set_role_rules(group, role, found))
        await self.save()

    async def change(self, group: str, *, name: str | None = None, max_members: int | None = None, context: str | None = None) -> GroupInfo:
        """Change name, bound or context of a group hosted here; None leaves them. Raises `NetworkError` and `StorageError`."""
        known = self.groups.hosted_here(group)
        outgoing = self.groups.change(
            group,
            known.name if name is None else checks.name(name),
            known.max_members if max_members is None else checks.max_members(max_members),
            known.context if context is None else checks.context(context),
        )
        self._send_all(outgoing)
        await self.save()
        return self.groups.hosted_here(group)

    async def enter(self, group: str) -> None:
        """Put this peer on the list of a group hosted here. Raises `NetworkError` and `StorageError`."""
        self._send_all(self.groups.enter(group))
        await self.save()

    async def step_out(self, group: str) -> None:
        """Take this peer off the list of a group hosted here. Raises `NetworkError` and `StorageError`."""
        self._send_all(self.groups.step_out(group))
        await self.save()

    async def role_of(self, peer: str) -> str:
        """Return a peer's role in the template group, "" when it is in none. Raises `StorageError`."""
        roles = self.groups.template_roles(peer)
        if all(role is None for role in roles.values()):
            return ""
        return await self._database.run(lambda database: role_in(database, roles))

    async def invite(self, group: str, peer: str) -> None:
        """Invite a peer to a group. Raises `NetworkError`."""
        if self._carry is None:
            raise _not_up()
        invitation = self.groups.invitation(group, peer)
        self._save_soon()
        await self._carry(peer, topics.INVITE, invitation)

    def invites(self) -> tuple[Invited, ...]:
        """Return the invitations to groups that this peer is not in, the oldest first."""
        joined = {(one.host, one.id) for one in self.groups.joined()}
        return tuple(invited for place, invited in self._invites.items() if place not in joined)

    def refuse(self, host: str, group: str) -> None:
        """Drop an invitation; its sender is not notified. Raises `UnknownGroupError`."""
        if self._invites.pop((host, group), None) is None:
            raise UnknownGroupError(f"no invitation of {host[:ID_MAX_CHARS]} to the group {group[:ID_MAX_CHARS]!r} is here")
        self._save_soon()

    def subscribe_invites(self, callback: Callable[[Invited], None]) -> Callable[[], None]:
        """Call `callback` with each invitation that comes; return the function that unsubscribes."""
        return self._invited.add(callback)

    # A member's.

    async def join(self, host: str, group: str) -> GroupInfo:
        """Ask the host for membership in a group; return the group.

        Raises `NetworkError`, whose `code` says whose fault it is.
        """
        if self._post is None:
            raise _not_up()
        self._check(host)
        known_before = any((one.host, one.id) == (host, group) for one in self.groups.joined())
        asking = self.groups.join(host, group)
        self._has_groups.set()  # no change tells of it: the host has not answered
        answer: asyncio.Future[GroupChange] = asyncio.get_running_loop().create_future()
        waiting = self._answers.setdefault((host, group), [])
        # Registered before the request is sent: the host's answer may arrive at once.
        waiting.append(answer)
        try:
            self._post(asking)
            async with asyncio.timeout(JOIN_SECONDS):
                change = await answer
        except TimeoutError:
            # Who never answered is not asked again by itself; a group that was joined before stays, and is asked for when its host is back.
            if not known_before:
                self._forget(host, group)
            raise UnreachableError(f"the host of the group {group!r} does not answer: it may be away, or have no such group") from None
        finally:
            waiting.remove(answer)
            if not waiting:
                self._answers.pop((host, group), None)
        if change.what != "joined":
            said = (change.refused.message or change.refused.code)[:NAME_MAX_CHARS]
            fault = UnknownGroupError if change.refused.code == NOT_FOUND else JoinRefusedError
            raise fault(f"the host does not let this peer into the group {group!r}{f': {said}' if said else ''}")
        return change.group

    async def rejoin(self, host: str, group: str) -> GroupInfo:
        """Ask again to be let into a group that was joined; return the group. Raises `NetworkError`."""
        if not any((one.host, one.id) == (host, group) for one in self.groups.joined()):
            raise UnknownGroupError(f"the group {group[:ID_MAX_CHARS]!r} of {host[:ID_MAX_CHARS]} is not joined: join it")
        return await self.join(host, group)

    def leave(self, host: str, group: str) -> None:
        """Leave a group that another peer hosts. Raises `UnknownGroupError`."""
        self._send_all(self.groups.leave(host, group))

    def send(self, host: str, group: str, payload: bytes) -> None:
        """Send `payload`, JSON text, to all members of a group. Raises `NetworkError`."""
        if self._post is None:
            raise _not_up()
        self._post(self.groups.send(host, group, payload))

    def ping(self, host: str, group: str) -> None:
        """Ping the host of a group, so that a host that is gone is noticed. Raises `UnknownGroupError`."""
        self._send_all(self.groups.ping(host, group))

    # What the network brings.

    def received(self, sender: str, said: topics.Group) -> None:
        """Take a group message; the connection has proved `sender`."""
        self._send_all(self.groups.received(sender, said))

    def invited(self, sender: str, invite: topics.Invite) -> None:
        """Take an invitation; one that is not from the host of the group is dropped."""
        # A peer may invite to its own groups only: a forged host would make this peer send its join there.
        if invite.host_peer_id not in ("", sender) or not 0 < len(invite.group_id) <= NAME_MAX_CHARS:
            return
        new = Invited(sender, invite.group_id, invite.group_name[:NAME_MAX_CHARS], invite.kind[:NAME_MAX_CHARS])
        self._invites.pop((sender, new.group), None)
        of_sender = [key for key in self._invites if key[0] == sender]
        # The oldest of the same sender goes first, so one peer cannot push out the invitations of others.
        if len(of_sender) >= INVITES_PER_PEER_MAX:
            del self._invites[of_sender[0]]
        self._invites[sender, new.group] = new
        if len(self._invites) > INVITES_MAX:
            del self._invites[next(iter(self._invites))]
        self._invited.notify(new)
        self._save_soon()

    def gone(self, peer: str) -> None:
        """Tell the groups that a peer is offline."""
        self._send_all(self.groups.gone(peer))

    def connected(self, peer: str) -> None:
        """Tell the groups that there is a new connection to a peer."""
        self._send_all(self.groups.connected(peer))

    def back(self, peer: str) -> None:
        """Tell the groups that a peer is online again."""
        self._send_all(self.groups.back(peer))

    def tick(self) -> None:
        """Do the periodic work of the groups; call it every second."""
        self._send_all(self.groups.tick())

    def post(self, outgoing: Iterable[Outgoing]) -> None:
        """Send messages about groups to peers, in their order; nothing while this peer is not on the network."""
        self._send_all(outgoing)

    def post_later(self, outgoing: list[Outgoing]) -> None:
        """Send messages behind those that what happens now leads to, such as the welcome of a new member."""
        # What is posted by the caller's caller in this turn of the loop goes first.
        asyncio.get_running_loop().call_soon(self._send_all, outgoing)

    def _send_all(self, outgoing: Iterable[Outgoing]) -> None:
        if self._post is not None:
            self._post(outgoing)

    def _forget(self, host: str, group: str) -> None:
        with contextlib.suppress(UnknownGroupError):
            self.leave(host, group)

    async def wait_for_groups(self, seconds: float) -> None:
        """Wait until a group is asked for or changes, at most so long: without any, `tick` has nothing to do."""
        self._has_groups.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._has_groups.wait()

    def _take(self, change: GroupChange) -> None:
        self._has_groups.set()
        if change.what in ("joined", "refused", "ended"):
            for answer in self._answers.get((change.group.host, change.group.id), ()):
                if not answer.done():
                    answer.set_result(change)
        if _settles_invitation(change):
            self._invites.pop((change.group.host, change.group.id), None)
        if change.what in _CHANGES_SAVED and not change.group.volatile:
            self._save_soon()

    # What is saved.

    async def save(self) -> None:
        """Save the groups now. Raises `StorageError`."""
        # Before the write: a change during the write sets it again and is saved with the next.
        self._changed, self._unsaved = False, True
        now = self._to_save()
        if not self._database.is_open:
            raise DatabaseFileError(f"the groups cannot be saved: {self.problem}")
        # Shielded: cancelling the caller must not cancel the write.
        await asyncio.shield(self._database.run(partial(self._write, now=now)))
        self._unsaved = self._changed

    def _write(self, database: Database, now: SavedGroups) -> None:
        """Write what has changed. On the thread of the database, one after the other, so that each knows what the last one wrote."""
        # Most changes are members that come and go, and the next change often takes one back: then nothing has to be written.
        if now != self._saved:
            storage.write(database, self._saved, now)
            self._saved = now

    def _to_save(self) -> SavedGroups:
        groups = self.groups
        hosted = {
            one.id: rows.row_of(one, groups.members_since(one.id), groups.roles(one.id), groups.removed(one.id))
            for one in groups.hosted()
            if not one.volatile
        }
        # Who has never let us in has no name yet.
        joined = {
            (one.host, one.id): rows.joined_row_of(one, groups.own_id, groups.label(one.host) or self.host_name(one.host))
            for one in groups.joined()
            if one.name and not one.volatile
        }
        invites = [Subscription(host=one.host, id=one.group, name=one.name, kind=one.type) for one in self._invites.values()]
        return SavedGroups(
            hosted=hosted,
            joined=joined,
            invites={(one.host, one.id): one for one in invites},
        )

    def host_name(self, host: str) -> str:
        """Return what the host of a joined group called itself when that was last saved; "" where it is not known."""
        return next((one.host_name for one in self._saved.joined.values() if one.host == host and one.host_name), "")

    def _save_soon(self) -> None:
        self._changed = self._unsaved = True
        if self._saving is None or self._saving.done():
            self._saving = asyncio.get_running_loop().create_task(self._keep_changes())

    async def _keep_changes(self) -> None:
        while self._changed:
            try:
                await self.save()
            except StorageError as error:
                self._log.warning("the groups cannot be saved", why=str(error))
            # Changes that come meanwhile are saved together.
            await asyncio.sleep(SAVE_SECONDS)


def code_of(fault: NetworkError | StorageError) -> ErrorCode:
    """Return the error class of a failure with a group. A failure to save is not the caller's fault."""
    return ErrorCode(fault.code) if isinstance(fault, NetworkError) else ErrorCode.UNAVAILABLE


def _settles_invitation(change: GroupChange) -> bool:
    """Return whether an invitation is used up. One to a session stays: its site offers it again (peers/followed_session.py)."""
    if change.what == "refused":
        return change.refused.code in (NOT_FOUND, REMOVED)
    return change.what == "joined" and not listen.is_session(change.group.id)


def _not_up() -> UnreachableError:
    return UnreachableError("this peer is not on the network yet; try again in a moment")


@contextlib.asynccontextmanager
async def open_groups(own_id: str, path: Path, care: FileCare = CARELESS) -> AsyncIterator[GroupService]:
    """Open the groups of the peer `own_id`, which are saved in the database at `path`, until the block is left."""
    grouping = GroupService(own_id, path, care)
    try:
        await grouping.open()
        yield grouping
    finally:
        await grouping.close()
