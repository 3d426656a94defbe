"""Groups of peers, hosted here and joined elsewhere, as a state machine: events in, messages to send out. No I/O, no clock.

The host keeps the member list. The sender of a message is the peer that the connection proved; what a payload claims is ignored.

    at the host    join → welcome to it and members to all, or error `full`, `not_found`;  leave, or gone → members to all
                   msg of a member → to all other members;  msg of anybody else → nothing;  ping → pong
                   a member removed → close to it alone and members to all others;  then join → error `removed`, msg or ping → close
    at a member    welcome, members, meta, msg, state, close and error count only from the host that we asked to join

The wire has no message for the removal of one member: for that member the group is closed. It can join again after a new invitation.

A member that is gone keeps its place (`away`) until it leaves, unless the group is volatile. A joined group whose host is gone is asked for
again when the host is back. In a listening session only the host speaks. The member list is sent at most once a second, and each peer's
changes and messages are counted; a peer that floods gets no answer.

`Outgoing` messages must be sent in their order (peers/outbox.py does).
"""

from __future__ import annotations

import contextlib
import secrets
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Final

import msgspec

from goop2.protocols import listen, topics
from goop2.protocols.topics import MEMBERS_MAX, Group, GroupErrorPayload, Member, Members, Meta, Plain, Welcome
from goop2.protocols.untrusted_json import InvalidJsonError, decode
from goop2.scripting.subscribers import Subscribers
from goop2.services.groups.errors import InvalidGroupMessageError, TooManyGroupsError, UnknownGroupError, UnknownMemberError
from goop2.services.groups.limits import (
    BUDGET_PER_MINUTE,
    CHANGE_COSTS,
    HOSTED_MAX,
    ID_BYTES,
    ID_MAX_CHARS,
    JOINED_MAX,
    JOINED_PER_HOST_MAX,
    LIST_EVERY_MS,
    NAME_MAX_CHARS,
    PAYLOAD_MAX_BYTES,
    REMOVED_MAX,
)
from goop2.services.groups.records import FULL, NOT_FOUND, REMOVED, TEMPLATE, GroupChange, GroupInfo, Kind, Outgoing
from goop2.storage.template_group import OWNER

_REMOVED: Final = GroupErrorPayload(REMOVED, "the host has removed this peer")


HostedBefore = tuple[GroupInfo, Mapping[str, int], Iterable[str], Mapping[str, str]]
"""A hosted group of the last run: its members and since when, who was removed, and the roles that were given."""


class GroupState:
    """All groups of this peer. `now_ms` gives milliseconds since 1970, for the list's `joined_at`."""

    def __init__(self, own_id: str, now_ms: Callable[[], int]) -> None:
        self.own_id = own_id
        self._now_ms = now_ms
        self._hosted: dict[str, GroupInfo] = {}
        self._joined_at: dict[str, dict[str, int]] = {}
        """Hosted group → member, here or away → when it came."""
        self._roles: dict[str, dict[str, str]] = {}
        """Hosted group → member that was given a role → which."""
        self._removed: dict[str, dict[str, None]] = {}
        """Hosted group → who was removed from it, the last one last."""
        self._listed_at: dict[str, int] = {}
        """Hosted group → when its list went to all."""
        self._unlisted: set[str] = set()
        """Hosted groups whose list is to go when a second is over since then."""
        self._minute = 0
        self._spent: Counter[str] = Counter()
        """Peer → what it has taken of its budget this minute."""
        self._joined: dict[tuple[str, str], GroupInfo] = {}
        """By host and id: two hosts may have chosen the same id."""
        self._subscribers: Subscribers[GroupChange] = Subscribers()

    def subscribe(self, callback: Callable[[GroupChange], None]) -> Callable[[], None]:
        """Call `callback` with every change from now on; return the function that unsubscribes."""
        return self._subscribers.add(callback)

    def hosted(self) -> tuple[GroupInfo, ...]:
        """Return the groups that this peer hosts."""
        return tuple(self._hosted.values())

    def joined(self) -> tuple[GroupInfo, ...]:
        """Return the groups of others that this peer is in or has asked to join."""
        return tuple(self._joined.values())

    def is_member(self, peer: str, kind: str = TEMPLATE) -> bool:
        """Return whether a peer is a member of a group of this kind hosted here."""
        return any(peer in self._joined_at[group.id] for group in self._hosted.values() if group.kind == kind)

    def template_roles(self, peer: str) -> dict[str, str | None]:
        """Return a peer's role in each group of type `template` hosted here (storage/template_group.py, `Roles`)."""
        return {
            group.id: self._roles[group.id].get(peer, "") if peer in self._joined_at[group.id] else None
            for group in self._hosted.values()
            if group.kind == TEMPLATE
        }

    def roles(self, group: str) -> dict[str, str]:
        """Return the members of a group hosted here that were given a role, and which. Raises `UnknownGroupError`."""
        self._hosted_here(group)
        return dict(self._roles[group])

    def set_role(self, group: str, peer: str, role: str) -> list[Outgoing]:
        """Give a member of a group hosted here a role. Raises `UnknownGroupError` and `UnknownMemberError`."""
        known = self._hosted_here(group)
        if peer not in self._joined_at[group]:
            raise UnknownMemberError(f"{peer[:ID_MAX_CHARS]!r} is no member of the group {known.name!r}")
        self._roles[group][peer] = role
        return self._told("members", known, [])

    def members_since(self, group: str) -> dict[str, int]:
        """Return the members of a group hosted here, online or away, and since when. Raises `UnknownGroupError`."""
        self._hosted_here(group)
        return dict(self._joined_at[group])

    def removed(self, group: str) -> tuple[str, ...]:
        """Return who was removed from a group hosted here and not invited since. Raises `UnknownGroupError`."""
        self._hosted_here(group)
        return tuple(self._removed[group])

    def was_removed(self, group: str, peer: str) -> bool:
        """Return whether a peer may not return to a group hosted here."""
        return peer in self._removed.get(group, ())

    def restore(self, hosted: Iterable[HostedBefore], joined: Iterable[GroupInfo]) -> None:
        """Take the groups of the last run, with members, roles and removed peers; no member is online yet."""
        for group, members, removed, roles in hosted:
            self._roles[group.id] = {peer: role for peer, role in roles.items() if peer in members}
            self._joined_at[group.id], self._removed[group.id] = dict(members), dict.fromkeys(removed)
            here = (self.own_id,) if self.own_id in members else ()
            self._hosted[group.id] = replace(group, members=here, away=tuple(peer for peer in members if peer not in here))
        self._joined.update({(group.host, group.id): replace(group, joined=False) for group in joined})

    # As a host.

    def host(
        self, name: str, kind: str, *, max_members: int = 0, volatile: bool = False, group: str = "", take_part: bool = False
    ) -> GroupInfo:
        """Open a new group here. `take_part`: this peer is a member. Raises `TooManyGroupsError`."""
        if len(self._hosted) >= HOSTED_MAX:
            raise TooManyGroupsError(f"{HOSTED_MAX} groups are hosted here, the most there may be: close one")
        id_ = group or secrets.token_hex(ID_BYTES)
        if id_ in self._hosted:
            raise TooManyGroupsError(f"a group {id_!r} is hosted here already")
        self._joined_at[id_], self._removed[id_] = {self.own_id: self._now_ms()} if take_part else {}, {}
        self._roles[id_] = {self.own_id: OWNER} if take_part else {}
        self._hosted[id_] = GroupInfo(
            id=id_, host=self.own_id, name=name, kind=kind, max_members=max_members, volatile=volatile, members=tuple(self._joined_at[id_])
        )
        self._subscribers.notify(GroupChange("hosted", self._hosted[id_]))
        return self._hosted[id_]

    def invitation(self, group: str, peer: str) -> bytes:
        """Return the invitation for a peer, which may then join even if it was removed before; JSON. Raises `UnknownGroupError`."""
        known = self._hosted_here(group)
        self._removed[group].pop(peer, None)
        return msgspec.json.encode(topics.Invite(known.id, known.name, self.own_id, known.kind, known.kind, known.volatile))

    def change(self, group: str, name: str, max_members: int = 0) -> list[Outgoing]:
        """Change a group's name or limit; no member is removed. Raises `UnknownGroupError`."""
        known = self._hosted[group] = replace(self._hosted_here(group), name=name, max_members=max_members)
        meta = Meta(known.name, known.kind, known.kind, known.max_members)
        return self._told("meta", known, self._to_all(known, "meta", msgspec.json.encode(meta)))

    def remove(self, group: str, peer: str) -> list[Outgoing]:
        """Remove a member, who can return only by an invitation. Raises `UnknownGroupError` and `UnknownMemberError`."""
        known = self._hosted_here(group)
        if peer == self.own_id or peer not in self._joined_at[group]:
            raise UnknownMemberError(f"{peer[:ID_MAX_CHARS]!r} is no member of the group {known.name!r} that could be removed")
        self._removed[group][peer] = None
        # Bounded; the peer removed longest ago may then join again.
        if len(self._removed[group]) > REMOVED_MAX:
            del self._removed[group][next(iter(self._removed[group]))]
        farewell = [self._farewell(group, peer)] if peer in known.members else []
        return [*farewell, *self._without(known, peer, left=True)]

    def close(self, group: str) -> list[Outgoing]:
        """End a group hosted here. Raises `UnknownGroupError`."""
        known = self._hosted_here(group)
        del self._hosted[group], self._joined_at[group], self._removed[group], self._roles[group]
        self._listed_at.pop(group, None)
        self._unlisted.discard(group)
        return self._told("ended", known, self._to_all(known, "close", topics.envelope("close", group, sender=self.own_id)))

    # As a member.

    def join(self, host: str, group: str) -> list[Outgoing]:
        """Ask to join a group; `joined` or `refused` follows, or nothing. Raises `TooManyGroupsError`."""
        if (host, group) not in self._joined:
            if len(self._joined) >= JOINED_MAX:
                raise TooManyGroupsError(f"{JOINED_MAX} groups are joined, the most there may be: leave one")
            if sum(known == host for known, _ in self._joined) >= JOINED_PER_HOST_MAX:
                raise TooManyGroupsError(f"{JOINED_PER_HOST_MAX} groups of {host} are joined, the most there may be of one peer: leave one")
            if not group or len(group) > ID_MAX_CHARS or ":" in group:
                raise UnknownGroupError(f"{group[:ID_MAX_CHARS]!r} is no group's id: 1 to {ID_MAX_CHARS} characters without a colon")
            self._joined[host, group] = GroupInfo(id=group, host=host, joined=False)
        return [self._enveloped(host, group, "join")]

    def leave(self, host: str, group: str) -> list[Outgoing]:
        """Leave a group. Raises `UnknownGroupError`."""
        known = self._joined.pop((host, group), None)
        if known is None:
            raise UnknownGroupError(f"the group {group!r} of {host} is not joined")
        return self._told("ended", known, [self._enveloped(host, group, "leave")])

    def ping(self, host: str, group: str) -> list[Outgoing]:
        """Ask the host for a sign of life; if the message cannot be delivered, the host is lost and its groups are over. Raises
        `UnknownGroupError`.
        """
        if (host, group) not in self._joined:
            raise UnknownGroupError(f"the group {group!r} of {host} is not joined")
        return [self._enveloped(host, group, "ping")]

    def send(self, host: str, group: str, payload: bytes) -> list[Outgoing]:
        """Send a message to all members of a group, hosted here or joined; this peer does not get it back. Raises `UnknownGroupError`."""
        if len(payload) > PAYLOAD_MAX_BYTES:
            raise InvalidGroupMessageError(f"the message has {len(payload)} bytes; the most is {PAYLOAD_MAX_BYTES}")
        if host == self.own_id:
            return self._to_all(self._hosted_here(group), "msg", payload)
        if (host, group) not in self._joined or not self._joined[host, group].joined:
            raise UnknownGroupError(f"the group {group!r} of {host} is not joined")
        return [Outgoing(host, topics.group_topic(group, "msg"), payload)]

    # What comes.

    def received(self, sender: str, said: Group) -> list[Outgoing]:
        """Apply a group message of a peer, which the connection proved; return the messages to send because of it."""
        if (sender, said.id) in self._joined:
            return self._from_host(self._joined[sender, said.id], said)
        if said.id in self._hosted:
            return self._at_host(self._hosted[said.id], sender, said)
        if said.type == "join" and self._affords(sender, CHANGE_COSTS):
            return [self._refusal(sender, said.id, GroupErrorPayload(NOT_FOUND, "no such group is hosted here"))]
        return []

    def gone(self, peer: str) -> list[Outgoing]:
        """Note that a peer is offline: it is away from the groups here, and its own groups are over or away."""
        for key, group in [(key, group) for key, group in self._joined.items() if key[0] == peer]:
            if group.volatile or not group.name:  # what never let us in is not waited for
                self._told("ended", self._joined.pop(key), [])
            elif group.joined:
                self._update("away", replace(group, joined=False, members=()))
        return [sent for group in tuple(self._hosted.values()) if peer in group.members for sent in self._without(group, peer)]

    def back(self, peer: str) -> list[Outgoing]:
        """Note that a peer is online again: ask again to join its groups."""
        return [self._enveloped(*key, "join") for key, group in self._joined.items() if key[0] == peer and not group.joined]

    def tick(self) -> list[Outgoing]:
        """Return the member lists that were held back; call it every second."""
        waiting, self._unlisted = self._unlisted, set()
        return [sent for group in waiting for sent in self._list_to_all(self._hosted[group])]

    # At the host.

    def _at_host(self, group: GroupInfo, sender: str, said: Group) -> list[Outgoing]:
        was_removed = self.was_removed(group.id, sender)
        if not self._affords(sender, CHANGE_COSTS if was_removed or said.type in ("join", "leave") else 1):
            return []
        if was_removed:
            return self._kept_out(group, sender, said)
        if said.type == "join":
            return self._with(group, sender)
        if sender not in self._joined_at[group.id]:
            return []
        if said.type == "leave":
            return self._without(group, sender, left=True)
        # It is here, though it did not notice that we, or it, were away.
        back = [] if sender in group.members else self._with(group, sender)
        if said.type == "ping":
            return [*back, self._enveloped(sender, group.id, "pong")]
        if said.type == "msg" and isinstance(said.event, Plain) and _may_be_said(group, said.event.json):
            self._subscribers.notify(GroupChange("msg", group, sender, said.event.json))
            return [*back, *self._to_all(group, "msg", said.event.json, without=sender)]
        return back

    def _affords(self, peer: str, cost: int) -> bool:
        minute = self._now_ms() // 60_000
        # All budgets start anew each minute, so this needs no memory of earlier peers.
        if minute != self._minute:
            self._minute, self._spent = minute, Counter()
        self._spent[peer] += cost
        return self._spent[peer] <= BUDGET_PER_MINUTE

    def _with(self, group: GroupInfo, peer: str) -> list[Outgoing]:
        if peer in group.members:
            return [self._welcome(group, peer)]
        members = self._joined_at[group.id]
        bound = min(group.max_members or MEMBERS_MAX, MEMBERS_MAX)
        if peer not in members and len(members) >= bound:
            return [self._refusal(peer, group.id, GroupErrorPayload(FULL, f"the group has {bound} members, the most there may be"))]
        # A member that comes back keeps its first time, by which others list it.
        members.setdefault(peer, self._now_ms())
        group = self._with_members(group, {*group.members, peer})
        return self._told("members", group, [self._welcome(group, peer), *self._list_to_all(group, without=peer)])

    def _kept_out(self, group: GroupInfo, peer: str, said: Group) -> list[Outgoing]:
        """Answer a removed peer that asks again, or that was away when it was removed and does not know."""
        if said.type == "join":
            return [self._refusal(peer, group.id, _REMOVED)]
        return [self._farewell(group.id, peer)] if said.type in ("msg", "ping") else []

    def _farewell(self, group: str, peer: str) -> Outgoing:
        payload = topics.envelope("close", group, msgspec.json.encode(_REMOVED), self.own_id)
        return Outgoing(peer, topics.group_topic(group, "close"), payload)

    def _refusal(self, peer: str, group: str, why: GroupErrorPayload) -> Outgoing:
        payload = topics.envelope("error", group, msgspec.json.encode(why), self.own_id)
        return Outgoing(peer, topics.group_topic(group, "error"), payload)

    def _without(self, group: GroupInfo, peer: str, *, left: bool = False) -> list[Outgoing]:
        was_here = peer in group.members
        if left or group.volatile:
            del self._joined_at[group.id][peer]
            self._roles[group.id].pop(peer, None)  # whoever comes back is a new member
        group = self._with_members(group, {*group.members} - {peer})
        return self._told("members", group, self._list_to_all(group) if was_here else [])

    def _with_members(self, group: GroupInfo, here: set[str]) -> GroupInfo:
        everybody = self._joined_at[group.id]
        members, away = (tuple(peer for peer in everybody if (peer in here) is present) for present in (True, False))
        self._hosted[group.id] = replace(group, members=members, away=away)
        return self._hosted[group.id]

    def _listed(self, group: GroupInfo) -> list[Member]:
        return [Member(peer, msgspec.Raw(b"%d" % self._joined_at[group.id][peer])) for peer in group.members]

    def _welcome(self, group: GroupInfo, peer: str) -> Outgoing:
        welcome = Welcome(group.name, group.kind, group.kind, group.max_members, group.volatile, self._listed(group))
        return Outgoing(peer, topics.group_topic(group.id, "welcome"), msgspec.json.encode(welcome))

    def _list_to_all(self, group: GroupInfo, without: str = "") -> list[Outgoing]:
        """Send the member list to all members now, or a second after the last time."""
        if self._now_ms() - self._listed_at.get(group.id, -LIST_EVERY_MS) >= LIST_EVERY_MS:
            self._listed_at[group.id] = self._now_ms()
            return self._to_all(group, "members", msgspec.json.encode(Members(self._listed(group))), without)
        self._unlisted.add(group.id)
        return []

    def _to_all(self, group: GroupInfo, type_: str, payload: bytes, without: str = "") -> list[Outgoing]:
        topic = topics.group_topic(group.id, type_)
        return [Outgoing(peer, topic, payload) for peer in group.members if peer not in (without, self.own_id)]

    # At a member.

    def _from_host(self, group: GroupInfo, said: Group) -> list[Outgoing]:
        if said.type == "ping":
            return [self._enveloped(group.host, group.id, "pong")]
        if isinstance(said.event, GroupErrorPayload) or said.type == "close":
            # `close` and `error` are the host's last word; later messages of this group find it gone.
            del self._joined[group.host, group.id]
            refused = said.event if isinstance(said.event, GroupErrorPayload) else _why_over(said.event)
            self._subscribers.notify(GroupChange("refused" if said.type == "error" else "ended", group, refused=refused))
        elif isinstance(said.event, Welcome):
            self._update("joined", _welcomed(group, said.event))
        elif not group.joined or not self._affords(group.host, 1):
            # Who has not let us in has nothing to tell us, and a flood is not handed on.
            return []
        elif isinstance(said.event, Members):
            self._update("members", replace(group, members=_ids(said.event.members)))
        elif isinstance(said.event, Meta):
            self._update("meta", replace(group, name=said.event.group_name[:NAME_MAX_CHARS], max_members=said.event.max_members))
        elif said.type in ("msg", "state") and len(said.event.json) <= PAYLOAD_MAX_BYTES:
            self._subscribers.notify(GroupChange("msg" if said.type == "msg" else "state", group, group.host, said.event.json))
        return []

    def _update(self, what: Kind, group: GroupInfo) -> None:
        self._joined[group.host, group.id] = group
        self._subscribers.notify(GroupChange(what, group))

    # Both.

    def _hosted_here(self, group: str) -> GroupInfo:
        if group not in self._hosted:
            raise UnknownGroupError(f"no group {group!r} is hosted here")
        return self._hosted[group]

    def _enveloped(self, peer: str, group: str, type_: str) -> Outgoing:
        return Outgoing(peer, topics.group_topic(group, type_), topics.envelope(type_, group, sender=self.own_id))

    def _told(self, what: Kind, group: GroupInfo, outgoing: list[Outgoing]) -> list[Outgoing]:
        self._subscribers.notify(GroupChange(what, group))
        return outgoing


def _welcomed(group: GroupInfo, said: Welcome) -> GroupInfo:
    name, kind = said.group_name[:NAME_MAX_CHARS] or group.id, (said.app_type or said.group_type)[:NAME_MAX_CHARS]
    volatile = said.volatile or kind == listen.APP_TYPE
    return GroupInfo(
        id=group.id, host=group.host, name=name, kind=kind, max_members=said.max_members, volatile=volatile, members=_ids(said.members)
    )


def _why_over(said: object) -> GroupErrorPayload:
    """Return the reason in a host's `close`; other implementations give none."""
    with contextlib.suppress(InvalidJsonError):
        return decode(said.json if isinstance(said, Plain) else b"", GroupErrorPayload)
    return GroupErrorPayload()


def _ids(members: Iterable[Member]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(member.peer_id for member in members if len(member.peer_id) <= ID_MAX_CHARS))


def _may_be_said(group: GroupInfo, payload: bytes) -> bool:
    """Return whether a member may send this. Members take a message about a session for their host's word, so no member may send one."""
    return len(payload) <= PAYLOAD_MAX_BYTES and group.kind != listen.APP_TYPE
