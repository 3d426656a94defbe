"""Peers with groups that exchange messages in memory: each message goes through the network's own form and back."""

from __future__ import annotations

import json
from collections import deque

from goop2.protocols import topics
from goop2.services.groups.records import GroupChange, Outgoing
from goop2.services.groups.state import GroupState


class Network:
    """Peers, and who told what to whom."""

    def __init__(self) -> None:
        self.peers: dict[str, GroupState] = {}
        self.changes: dict[str, list[GroupChange]] = {}
        self.topics: list[tuple[str, str, str]] = []
        self.now_ms = 1700000000000
        self.passes_ms = 1000
        """With every look at the clock."""

    def clock(self) -> int:
        self.now_ms += self.passes_ms
        return self.now_ms

    def peer(self, name: str) -> GroupState:
        groups = self.peers[name] = GroupState(name, self.clock)
        self.changes[name] = []
        groups.subscribe(self.changes[name].append)
        return groups

    def deliver(self, sender: str, outgoing: list[Outgoing]) -> None:
        waiting = deque((sender, each) for each in outgoing)
        while waiting:
            from_, each = waiting.popleft()
            self.topics.append((from_, each.peer, each.topic.rsplit(":", 1)[1]))
            event = topics.read(each.topic, each.payload)
            assert isinstance(event, topics.Group)
            waiting.extend((each.peer, answer) for answer in self.peers[each.peer].received(from_, event))

    def told(self, name: str) -> list[tuple[str, tuple[str, ...]]]:
        return [(change.what, change.group.members) for change in self.changes[name]]


def said(type_: str, group: str, payload: object = None) -> topics.Group:
    event = topics.read(
        topics.group_topic(group, type_), json.dumps(payload if payload is not None else {"type": type_, "group": group}).encode()
    )
    assert isinstance(event, topics.Group)
    return event
