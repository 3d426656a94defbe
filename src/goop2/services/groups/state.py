"""Groups of peers: those hosted here and those joined elsewhere, as a state machine. Events in, messages to send out; no I/O, no clock.

The host keeps the list. Who speaks is who the connection proved; what a payload claims is not looked at.

    at the host    join → welcome to it and members to all, or error `full`, `not_found`;  leave, or gone → members to all
                   msg of a member → to all other members;  msg of anybody else → nothing;  ping → pong
                   a member removed → close to it alone and members to all others;  then join → error `removed`, msg or ping → close
    at a member    welcome, members, meta, msg, state, close and error count only from the host that was asked to let us in

The wire has no message for one member's removal: to it the group is over. It is let in again when it was invited anew.

A member that is gone keeps its place (`away`) until it leaves, unless the group is volatile. The host of a joined group is asked again to
let us in whenever it is back or its connection is new, and until it has answered (join_retries.py). The host gives each new member the
group's default role; a role that a member claims is not looked at.

In a listening session only its host speaks. The list goes to all at most once a second, and what one peer may change and say is counted:
who storms is not answered.

`Outgoing` messages are to be sent in their order (peers/outbox.py does).
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Final

import msgspec

from goop2.protocols import listen, topics
from goop2.protocols.topics import MEMBERS_MAX, ROLE_MAX_CHARS, Group, GroupErrorPayload, Member, Members, Meta, Plain, Welcome
from goop2.scripting.subscribers import Subscribers
from goop2.services.groups import from_host
from goop2.services.groups.errors import (
    GroupFullError,
    InvalidGroupMessageError,
    TooManyGroupsError,
    UnknownGroupError,
    UnknownMemberError,
)
from goop2.services.groups.join_retries import JoinRetries
from goop2.services.groups.limits import (
    BUDGET_PER_MINUTE,
    CHANGE_COSTS,
    HOSTED_MAX,
    ID_BYTES,
    ID_MAX_CHARS,
    JOINED_MAX,
    JOINED_PER_HOST_MAX,
    LIST_EVERY_MS,
    LISTED_NAME_MAX_CHARS,
    PAYLOAD_MAX_BYTES,
    REMOVED_MAX,
)
from goop2.services.groups.records import FULL, NOT_FOUND, REMOVED, GroupChange, GroupInfo, Kind, Outgoing, moment
from goop2.storage.template_group import OWNER, TEMPLATE, VIEWER

_REMOVED: Final = GroupErrorPayload(REMOVED, "the host has removed this peer")


HostedBefore = tuple[GroupInfo, Mapping[str, int], Iterable[str]]
"""A hosted group of the last run with the roles of its members: its members and since when, and who was removed."""


class GroupState:
    """All groups of this peer. `now_ms` gives milliseconds since 1970, for the list's `joined_at`."""

    def __init__(self, own_id: str, now_ms: Callable[[], int]) -> None:
        self.own_id = own_id
        self._now_ms = now_ms
        self._hosted: dict[str, GroupInfo] = {}
        self._joined_at: dict[str, dict[str, int]] = {}
        """Hosted group → member, here or away → when it came."""
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
        self._retries = JoinRetries(now_ms)
        self._subscribers: Subscribers[GroupChange] = Subscribers()
        self.label: Callable[[str], str] = _no_label
        """What a peer calls itself, for the list of members; "" where that is not known."""

    def subscribe(self, callback: Callable[[GroupChange], None]) -> Callable[[], None]:
        """Call `callback` with every change from now on; return the function that unsubscribes."""
        return self._subscribers.add(callback)

    def hosted(self) -> tuple[GroupInfo, ...]:
        """Return the groups that this peer hosts."""
        return tuple(self._hosted.values())

    def hosted_here(self, group: str) -> GroupInfo:
        """Return a group that this peer hosts. Raises `UnknownGroupError`."""
        if group not in self._hosted:
            raise UnknownGroupError(f"no group {group!r} is hosted here")
        return self._hosted[group]

    def joined(self) -> tuple[GroupInfo, ...]:
        """Return the groups of others that this peer is in or has asked to join."""
        return tuple(self._joined.values())

    def is_member(self, peer: str, kind: str = TEMPLATE) -> bool:
        """Return whether a peer is a member of a group of this kind hosted here."""
        return any(peer in self._joined_at[group.id] for group in self._hosted.values() if group.kind == kind)

    def template_roles(self, peer: str) -> dict[str, str | None]:
        """Return a peer's role in each group of type `template` hosted here (storage/template_group.py, `Roles`)."""
        return {
            group.id: group.roles.get(peer, group.default_role) if peer in self._joined_at[group.id] else None
            for group in self._hosted.values()
            if group.kind == TEMPLATE
        }

    def roles(self, group: str) -> dict[str, str]:
        """Return the members of a group hosted here, here or away, and their roles. Raises `UnknownGroupError`."""
        known = self.hosted_here(group)
        return {peer: known.roles.get(peer, known.default_role) for peer in self._joined_at[group]}

    def set_role(self, group: str, peer: str, role: str) -> list[Outgoing]:
        """Give a member of a group hosted here a role. Raises `UnknownGroupError` and `UnknownMemberError`."""
        known = self.hosted_here(group)
        if peer not in self._joined_at[group]:
            raise UnknownMemberError(f"{peer[:ID_MAX_CHARS]!r} is no member of the group {known.name!r}")
        known = self._hosted[group] = replace(known, roles={**known.roles, peer: role})
        return self._told("members", known, self._list_to_all(known))

    def set_role_rules(self, group: str, default_role: str, role_names: tuple[str, ...]) -> list[Outgoing]:
        """Take another default role and other names of roles; nobody's role changes. Raises `UnknownGroupError`."""
        known = self._hosted[group] = replace(self.hosted_here(group), default_role=default_role, role_names=role_names)
        return self._told("meta", known, [])

    def members_since(self, group: str) -> dict[str, int]:
        """Return the members of a group hosted here, online or away, and since when. Raises `UnknownGroupError`."""
        self.hosted_here(group)
        return dict(self._joined_at[group])

    def removed(self, group: str) -> tuple[str, ...]:
        """Return who was removed from a group hosted here and not invited since. Raises `UnknownGroupError`."""
        self.hosted_here(group)
        return tuple(self._removed[group])

    def was_removed(self, group: str, peer: str) -> bool:
        """Return whether a peer may not return to a group hosted here."""
        return peer in self._removed.get(group, ())

    def restore(self, hosted: Iterable[HostedBefore], joined: Iterable[GroupInfo]) -> None:
        """Take the groups of the last run, with members, roles and removed peers; no member is online yet."""
        for group, members, removed in hosted:
            self._joined_at[group.id], self._removed[group.id] = dict(members), dict.fromkeys(removed)
            here = (self.own_id,) if self.own_id in members else ()
            self._hosted[group.id] = replace(group, members=here, away=tuple(peer for peer in members if peer not in here))
        self._joined.update({(group.host, group.id): replace(group, joined=False) for group in joined})

    # As a host.

    def host(
        self,
        name: str,
        kind: str,
        *,
        max_members: int = 0,
        volatile: bool = False,
        group: str = "",
        take_part: bool = False,
        context: str = "",
        default_role: str = VIEWER,
    ) -> GroupInfo:
        """Open a new group here. `take_part`: this peer is on its list, as its owner. Raises `TooManyGroupsError`."""
        if len(self._hosted) >= HOSTED_MAX:
            raise TooManyGroupsError(f"{HOSTED_MAX} groups are hosted here, the most there may be: close one")
        id_ = group or secrets.token_hex(ID_BYTES)
        if id_ in self._hosted:
            raise TooManyGroupsError(f"a group {id_!r} is hosted here already")
        self._joined_at[id_], self._removed[id_] = {self.own_id: self._now_ms()} if take_part else {}, {}
        self._hosted[id_] = GroupInfo(
            id=id_,
            host=self.own_id,
            name=name,
            kind=kind,
            max_members=max_members,
            volatile=volatile,
            members=tuple(self._joined_at[id_]),
            context=context,
            roles=dict.fromkeys(self._joined_at[id_], OWNER),
            default_role=default_role,
            since=moment(self._now_ms()),
        )
        self._subscribers.notify(GroupChange("hosted", self._hosted[id_]))
        return self._hosted[id_]

    def invitation(self, group: str, peer: str) -> bytes:
        """Return the invitation for a peer, which may then join even if it was removed before; JSON. Raises `UnknownGroupError`."""
        known = self.hosted_here(group)
        # The wire has no message that lifts a removal: an invitation does.
        self._removed[group].pop(peer, None)
        return msgspec.json.encode(topics.Invite(known.id, known.name, self.own_id, known.kind, known.kind, known.volatile, known.context))

    def change(self, group: str, name: str, max_members: int = 0, context: str | None = None) -> list[Outgoing]:
        """Take another name, bound or context; nobody is put out. Raises `UnknownGroupError`."""
        known = self.hosted_here(group)
        known = replace(known, name=name, max_members=max_members, context=known.context if context is None else context)
        self._hosted[group] = known
        meta = Meta(known.name, known.kind, known.kind, known.max_members, known.context)
        return self._told("meta", known, self._to_all(known, "meta", msgspec.json.encode(meta)))

    def remove(self, group: str, peer: str) -> list[Outgoing]:
        """Remove a member, who can return only by an invitation. Raises `UnknownGroupError` and `UnknownMemberError`."""
        known = self.hosted_here(group)
        if peer == self.own_id or peer not in self._joined_at[group]:
            raise UnknownMemberError(f"{peer[:ID_MAX_CHARS]!r} is no member of the group {known.name!r} that could be removed")
        self._removed[group][peer] = None
        # Bounded; the peer removed longest ago may then join again.
        if len(self._removed[group]) > REMOVED_MAX:
            del self._removed[group][next(iter(self._removed[group]))]
        farewell = [self._farewell(group, peer)] if peer in known.members else []
        return [*farewell, *self._without(known, peer, left=True)]

    def enter(self, group: str) -> list[Outgoing]:
        """Put this peer itself on the list of a group hosted here, as its owner. Raises `UnknownGroupError` and `GroupFullError`."""
        known, members = self.hosted_here(group), self._joined_at[group]
        if self.own_id in members:
            return []
        if len(members) >= _bound(known):
            raise GroupFullError(f"the group {known.name!r} has {_bound(known)} members, the most there may be")
        members[self.own_id] = self._now_ms()
        known = self._with_members(replace(known, roles={**known.roles, self.own_id: OWNER}), {*known.members, self.own_id})
        return self._told("members", known, self._list_to_all(known))

    def step_out(self, group: str) -> list[Outgoing]:
        """Take this peer itself off the list of a group hosted here. Raises `UnknownGroupError` and `UnknownMemberError`."""
        known = self.hosted_here(group)
        if self.own_id not in self._joined_at[group]:
            raise UnknownMemberError(f"this peer is not on the list of the group {known.name!r}")
        return self._without(known, self.own_id, left=True)

    def close(self, group: str) -> list[Outgoing]:
        """End a group hosted here. Raises `UnknownGroupError`."""
        known = self.hosted_here(group)
        # First, so that a subscriber that looks finds the group gone. Its members are in `known`.
        del self._hosted[group], self._joined_at[group], self._removed[group]
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
            self._joined[host, group] = GroupInfo(id=group, host=host, joined=False, since=moment(self._now_ms()))
        self._retries.start((host, group))
        return [self._enveloped(host, group, "join")]

    def leave(self, host: str, group: str) -> list[Outgoing]:
        """Leave a group. Raises `UnknownGroupError`."""
        known = self._joined.pop((host, group), None)
        if known is None:
            raise UnknownGroupError(f"the group {group!r} of {host} is not joined")
        self._retries.answered((host, group))
        return self._told("ended", known, [self._enveloped(host, group, "leave")])

    def ping(self, host: str, group: str) -> list[Outgoing]:
        """Ask the host for a sign of life; if the message cannot be delivered, the host is lost and its groups are over. Raises
        `UnknownGroupError`.
        """
        if (host, group) not in self._joined:
            raise UnknownGroupError(f"the group {group!r} of {host} is not joined")
        return [self._enveloped(host, group, "ping")]

    def send(self, host: str, group: str, payload: bytes) -> list[Outgoing]:
        """Send a message to all of a group, hosted here or joined; a host's own pages get it too. Raises `UnknownGroupError`."""
        if len(payload) > PAYLOAD_MAX_BYTES:
            raise InvalidGroupMessageError(f"the message has {len(payload)} bytes; the most is {PAYLOAD_MAX_BYTES}")
        if host == self.own_id:
            known = self.hosted_here(group)
            if known.kind != listen.APP_TYPE:  # its controls are for listeners
                self._subscribers.notify(GroupChange("msg", known, self.own_id, payload))
            return self._to_all(known, "msg", payload)
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
        # Only a join is answered: an answer to each message about a group that is not here would make this peer an amplifier.
        if said.type == "join" and self._affords(sender, CHANGE_COSTS):
            return [self._refusal(sender, said.id, GroupErrorPayload(NOT_FOUND, "no such group is hosted here"))]
        return []

    def gone(self, peer: str) -> list[Outgoing]:
        """Note that a peer is offline: it is away from the groups here, and its own groups are over or away."""
        self._retries.gone(peer)
        # A list, since the loop removes from what it walks through.
        for key, group in [(key, group) for key, group in self._joined.items() if key[0] == peer]:
            if group.volatile or not group.name:  # what never let us in is not waited for
                self._told("ended", self._joined.pop(key), [])
            elif group.joined:
                self._update("away", replace(group, joined=False, members=()))
        return [sent for group in tuple(self._hosted.values()) if peer in group.members for sent in self._without(group, peer)]

    def back(self, peer: str) -> list[Outgoing]:
        """Note that a peer is online again: ask again to join its groups."""
        return [
            self._enveloped(*key, "join")
            for key, group in self._joined.items()
            if key[0] == peer and not group.joined and not self._retries.is_asking(key) and self._retries.start(key)
        ]

    def connected(self, peer: str) -> list[Outgoing]:
        """Note that a connection to a peer is new: a host that was started anew has forgotten its members, so ask for all its groups."""
        return [self._enveloped(*key, "join") for key in self._joined if key[0] == peer and self._retries.start(key)]

    def tick(self) -> list[Outgoing]:
        """Return the member lists that waited, and what is asked for again; call it every second."""
        waiting, self._unlisted = self._unlisted, set()
        lists = [sent for group in waiting for sent in self._list_to_all(self._hosted[group])]
        return lists + [self._enveloped(*place, "join") for place in self._retries.due()]

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
        # It may have lost our answer, or was started anew: the welcome again, and nothing for the others.
        if peer in group.members:
            return [self._welcome(group, peer)]
        members = self._joined_at[group.id]
        bound = _bound(group)
        if peer not in members and len(members) >= bound:
            return [self._refusal(peer, group.id, GroupErrorPayload(FULL, f"the group has {bound} members, the most there may be"))]
        # A member that comes back keeps its first time, by which others list it.
        members.setdefault(peer, self._now_ms())
        roles = {**group.roles, peer: group.roles.get(peer, group.default_role)}
        group = self._with_members(replace(group, roles=roles), {*group.members, peer})
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
            # Whoever comes back is a new member.
            group = replace(group, roles={each: role for each, role in group.roles.items() if each != peer})
        group = self._with_members(group, {*group.members} - {peer})
        return self._told("members", group, self._list_to_all(group) if was_here else [])

    def _with_members(self, group: GroupInfo, here: set[str]) -> GroupInfo:
        everybody = self._joined_at[group.id]
        members, away = (tuple(peer for peer in everybody if (peer in here) is present) for present in (True, False))
        self._hosted[group.id] = replace(group, members=members, away=away)
        return self._hosted[group.id]

    def _listed(self, group: GroupInfo) -> list[Member]:
        since = self._joined_at[group.id]
        return [
            Member(
                peer,
                msgspec.Raw(b"%d" % since[peer]),
                group.roles.get(peer, group.default_role)[:ROLE_MAX_CHARS],
                self.label(peer)[:LISTED_NAME_MAX_CHARS],
            )
            for peer in group.members
        ]

    def _welcome(self, group: GroupInfo, peer: str) -> Outgoing:
        welcome = Welcome(group.name, group.kind, group.kind, group.max_members, group.volatile, self._listed(group), group.context)
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
            self._retries.answered((group.host, group.id))
            refused = said.event if isinstance(said.event, GroupErrorPayload) else from_host.why_over(said.event)
            what: Kind = "refused" if said.type == "error" else "ended"
            self._subscribers.notify(GroupChange(what, group, group.host, refused=refused))
        elif isinstance(said.event, Welcome):
            self._retries.answered((group.host, group.id))
            self._update("joined", from_host.welcomed(group, said.event))
        elif not group.joined or not self._affords(group.host, 1):
            # Who has not let us in has nothing to tell us, and a flood is not handed on.
            return []
        elif isinstance(said.event, Members):
            self._update("members", from_host.with_members(group, said.event.members))
        elif isinstance(said.event, Meta):
            self._update("meta", from_host.with_meta(group, said.event))
        elif said.type in ("msg", "state") and len(said.event.json) <= PAYLOAD_MAX_BYTES:
            self._subscribers.notify(GroupChange("msg" if said.type == "msg" else "state", group, group.host, said.event.json))
        return []

    def _update(self, what: Kind, group: GroupInfo) -> None:
        self._joined[group.host, group.id] = group
        self._subscribers.notify(GroupChange(what, group))

    # Both.

    def _enveloped(self, peer: str, group: str, type_: str) -> Outgoing:
        return Outgoing(peer, topics.group_topic(group, type_), topics.envelope(type_, group, sender=self.own_id))

    def _told(self, what: Kind, group: GroupInfo, outgoing: list[Outgoing]) -> list[Outgoing]:
        self._subscribers.notify(GroupChange(what, group))
        return outgoing


def _no_label(_peer: str) -> str:
    """Return "": nobody is known while this peer is not on the network."""
    return ""


def _bound(group: GroupInfo) -> int:
    """Return how many members a group may have at most."""
    return min(group.max_members or MEMBERS_MAX, MEMBERS_MAX)


def _may_be_said(group: GroupInfo, payload: bytes) -> bool:
    """Return whether a member may send this. Members take a message about a session for their host's word, so no member may send one."""
    return len(payload) <= PAYLOAD_MAX_BYTES and group.kind != listen.APP_TYPE
