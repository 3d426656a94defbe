"""Groups of peers: those hosted here and those joined elsewhere, as a state machine. Events in, messages to send out; no I/O, no clock.

The host keeps the list. Who speaks is who the connection proved; what a payload claims is not looked at.

    at the host    join → welcome to it and members to all, or error `full`;  leave, or gone → members to all
                   msg of a member → to all other members;  msg of anybody else → nothing;  ping → pong
    at a member    welcome, members, meta, msg, state, close and error count only from the host that was asked to let us in

`Outgoing` messages are to be sent in their order (delivery.py does).
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Final, Literal, NamedTuple

import msgspec

from goop2.p2p.faults import NetworkFault
from goop2.p2p.protocols import topics
from goop2.p2p.protocols.topics import MEMBERS_MAX, Group, Member, Members, Meta, Plain, Refused, Welcome
from goop2.scripting.subscribers import Subscribers

HOSTED_MAX: Final = 64
JOINED_MAX: Final = 64
"""Groups at a time; an owner opens a few."""
ID_BYTES: Final = 8
FULL: Final = "full"

Kind = Literal["joined", "members", "meta", "msg", "state", "refused", "ended"]


class TooManyGroups(NetworkFault):
    """As many groups as there may be are open; the message says how many."""


class NoSuchGroup(NetworkFault):
    """The group is not hosted here, or not joined."""


class Outgoing(NamedTuple):
    """A message to send to a peer."""

    peer: str
    topic: str
    payload: bytes
    """JSON."""


@dataclass(frozen=True, slots=True)
class Known:
    """A group as it is now. Names are untrusted text where another peer hosts it."""

    id: str
    host: str
    """Peer id; the own one for a group hosted here."""
    name: str = ""
    kind: str = ""
    """The app type: `template`, `listen`, or whatever its pages know."""
    max_members: int = 0
    """0: as many as there may be."""
    volatile: bool = False
    members: tuple[str, ...] = ()
    """Peer ids in the order they joined."""
    joined: bool = True
    """False while the host has not answered."""


@dataclass(frozen=True, slots=True)
class Change:
    """Something happened in a group."""

    what: Kind
    group: Known
    sender: str = ""
    """Of a msg or state: the peer that handed it to us, a member at the host, and at a member the host."""
    payload: bytes = b"null"
    """Of a msg or state: JSON."""
    refused: Refused = field(default_factory=Refused)


class Groups:
    """All groups of this peer. `now_ms` gives milliseconds since 1970, for the list's `joined_at`."""

    def __init__(self, own_id: str, now_ms: Callable[[], int]) -> None:
        self.own_id = own_id
        self._now_ms = now_ms
        self._hosted: dict[str, Known] = {}
        self._joined_at: dict[str, dict[str, int]] = {}
        """Hosted group → member → when it came."""
        self._joined: dict[tuple[str, str], Known] = {}
        """By host and id: two hosts may have chosen the same id."""
        self._subscribers: Subscribers[Change] = Subscribers()

    def subscribe(self, callback: Callable[[Change], None]) -> Callable[[], None]:
        """Call `callback` with every change from now on; gives the function that ends it."""
        return self._subscribers.add(callback)

    def hosted(self) -> tuple[Known, ...]:
        """The groups of this peer."""
        return tuple(self._hosted.values())

    def joined(self) -> tuple[Known, ...]:
        """The groups of others this peer is in or has asked to be in."""
        return tuple(self._joined.values())

    def is_member(self, peer: str, kind: str) -> bool:
        """Whether a peer is in a group of this kind hosted here; for the policy `group` the kind is `template`."""
        return any(peer in group.members for group in self._hosted.values() if group.kind == kind)

    # As a host.

    def host(
        self, name: str, kind: str, *, max_members: int = 0, volatile: bool = False, group: str = "", take_part: bool = False
    ) -> Known:
        """A new group here. `take_part`: this peer is on its list. Raises `TooManyGroups`."""
        if len(self._hosted) >= HOSTED_MAX:
            raise TooManyGroups(f"{HOSTED_MAX} groups are hosted here, the most there may be: close one")
        id_ = group or secrets.token_hex(ID_BYTES)
        if id_ in self._hosted:
            raise TooManyGroups(f"a group {id_!r} is hosted here already")
        self._joined_at[id_] = {self.own_id: self._now_ms()} if take_part else {}
        self._hosted[id_] = Known(id_, self.own_id, name, kind, max_members, volatile, tuple(self._joined_at[id_]))
        return self._hosted[id_]

    def change(self, group: str, name: str, max_members: int = 0) -> list[Outgoing]:
        """Another name or bound; nobody is put out. Raises `NoSuchGroup`."""
        known = self._hosted[group] = replace(self._hosted_here(group), name=name, max_members=max_members)
        meta = Meta(known.name, known.kind, known.kind, known.max_members)
        return self._told("meta", known, self._to_all(known, "meta", msgspec.json.encode(meta)))

    def close(self, group: str) -> list[Outgoing]:
        """The group ends. Raises `NoSuchGroup`."""
        known = self._hosted_here(group)
        del self._hosted[group], self._joined_at[group]
        return self._told("ended", known, self._to_all(known, "close", topics.envelope("close", group, sender=self.own_id)))

    # As a member.

    def join(self, host: str, group: str) -> list[Outgoing]:
        """Ask to be let in; `joined` or `refused` follows, or nothing. Raises `TooManyGroups`."""
        if (host, group) not in self._joined:
            if len(self._joined) >= JOINED_MAX:
                raise TooManyGroups(f"{JOINED_MAX} groups are joined, the most there may be: leave one")
            self._joined[host, group] = Known(group, host, joined=False)
        return [self._enveloped(host, group, "join")]

    def leave(self, host: str, group: str) -> list[Outgoing]:
        """Be there no more. Raises `NoSuchGroup`."""
        known = self._joined.pop((host, group), None)
        if known is None:
            raise NoSuchGroup(f"the group {group!r} of {host} is not joined")
        return self._told("ended", known, [self._enveloped(host, group, "leave")])

    def ping(self, host: str, group: str) -> list[Outgoing]:
        """Ask the host for a sign; one that takes no message is lost, and its groups are over. Raises `NoSuchGroup`."""
        if (host, group) not in self._joined:
            raise NoSuchGroup(f"the group {group!r} of {host} is not joined")
        return [self._enveloped(host, group, "ping")]

    def send(self, host: str, group: str, payload: bytes) -> list[Outgoing]:
        """A message to everybody in a group, hosted here or joined; this peer does not get it back. Raises `NoSuchGroup`."""
        if host == self.own_id:
            return self._to_all(self._hosted_here(group), "msg", payload)
        if (host, group) not in self._joined or not self._joined[host, group].joined:
            raise NoSuchGroup(f"the group {group!r} of {host} is not joined")
        return [Outgoing(host, topics.group_topic(group, "msg"), payload)]

    # What comes.

    def received(self, sender: str, said: Group) -> list[Outgoing]:
        """A group message of a peer, which the connection proved; gives what to send because of it."""
        if (sender, said.id) in self._joined:
            return self._from_host(self._joined[sender, said.id], said)
        if said.id in self._hosted:
            return self._at_host(self._hosted[said.id], sender, said)
        return []

    def gone(self, peer: str) -> list[Outgoing]:
        """A peer is offline: it is in no group here, and its own groups are over."""
        for key in [key for key in self._joined if key[0] == peer]:
            self._told("ended", self._joined.pop(key), [])
        return [sent for group in tuple(self._hosted.values()) if peer in group.members for sent in self._without(group, peer)]

    # At the host.

    def _at_host(self, group: Known, sender: str, said: Group) -> list[Outgoing]:
        if said.type == "join":
            return self._with(group, sender)
        if sender not in group.members:
            return []
        if said.type == "ping":
            return [self._enveloped(sender, group.id, "pong")]
        if said.type == "leave":
            return self._without(group, sender)
        if said.type == "msg" and isinstance(said.event, Plain):
            self._subscribers.tell(Change("msg", group, sender, said.event.json))
            return self._to_all(group, "msg", said.event.json, without=sender)
        return []

    def _with(self, group: Known, peer: str) -> list[Outgoing]:
        if peer in group.members:
            return [self._welcome(group, peer)]
        bound = min(group.max_members or MEMBERS_MAX, MEMBERS_MAX)
        if len(group.members) >= bound:
            refused = msgspec.json.encode(Refused(FULL, f"the group has {bound} members, the most there may be"))
            return [Outgoing(peer, topics.group_topic(group.id, "error"), topics.envelope("error", group.id, refused, self.own_id))]
        self._joined_at[group.id][peer] = self._now_ms()
        group = self._with_members(group)
        return self._told("members", group, [self._welcome(group, peer), *self._list_to_all(group, without=peer)])

    def _without(self, group: Known, peer: str) -> list[Outgoing]:
        del self._joined_at[group.id][peer]
        group = self._with_members(group)
        return self._told("members", group, self._list_to_all(group))

    def _with_members(self, group: Known) -> Known:
        self._hosted[group.id] = replace(group, members=tuple(self._joined_at[group.id]))
        return self._hosted[group.id]

    def _listed(self, group: Known) -> list[Member]:
        return [Member(peer, msgspec.Raw(b"%d" % at)) for peer, at in self._joined_at[group.id].items()]

    def _welcome(self, group: Known, peer: str) -> Outgoing:
        welcome = Welcome(group.name, group.kind, group.kind, group.max_members, group.volatile, self._listed(group))
        return Outgoing(peer, topics.group_topic(group.id, "welcome"), msgspec.json.encode(welcome))

    def _list_to_all(self, group: Known, without: str = "") -> list[Outgoing]:
        return self._to_all(group, "members", msgspec.json.encode(Members(self._listed(group))), without)

    def _to_all(self, group: Known, type_: str, payload: bytes, without: str = "") -> list[Outgoing]:
        topic = topics.group_topic(group.id, type_)
        return [Outgoing(peer, topic, payload) for peer in group.members if peer not in (without, self.own_id)]

    # At a member.

    def _from_host(self, group: Known, said: Group) -> list[Outgoing]:
        if said.type == "ping":
            return [self._enveloped(group.host, group.id, "pong")]
        if isinstance(said.event, Refused) or said.type == "close":
            del self._joined[group.host, group.id]
            refused = said.event if isinstance(said.event, Refused) else Refused()
            self._subscribers.tell(Change("refused" if said.type == "error" else "ended", group, refused=refused))
        elif isinstance(said.event, Welcome):
            self._update("joined", _welcomed(group, said.event))
        elif not group.joined:
            # Who has not let us in has nothing to tell us.
            return []
        elif isinstance(said.event, Members):
            self._update("members", replace(group, members=_ids(said.event.members)))
        elif isinstance(said.event, Meta):
            self._update("meta", replace(group, name=said.event.group_name, max_members=said.event.max_members))
        elif said.type in ("msg", "state"):
            self._subscribers.tell(Change("msg" if said.type == "msg" else "state", group, group.host, said.event.json))
        return []

    def _update(self, what: Kind, group: Known) -> None:
        self._joined[group.host, group.id] = group
        self._subscribers.tell(Change(what, group))

    # Both.

    def _hosted_here(self, group: str) -> Known:
        if group not in self._hosted:
            raise NoSuchGroup(f"no group {group!r} is hosted here")
        return self._hosted[group]

    def _enveloped(self, peer: str, group: str, type_: str) -> Outgoing:
        return Outgoing(peer, topics.group_topic(group, type_), topics.envelope(type_, group, sender=self.own_id))

    def _told(self, what: Kind, group: Known, outgoing: list[Outgoing]) -> list[Outgoing]:
        self._subscribers.tell(Change(what, group))
        return outgoing


def _welcomed(group: Known, said: Welcome) -> Known:
    return Known(
        group.id, group.host, said.group_name, said.app_type or said.group_type, said.max_members, said.volatile, _ids(said.members)
    )


def _ids(members: Iterable[Member]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(member.peer_id for member in members))
