"""A peer that is in groups and hosts them as network.md, "What a real Go peer does", says: JSON over libp2p, none of our protocol code.

It loses a `join` that comes within `deaf_seconds` of its start, though it acknowledges it. It never answers a ping.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

from tests.wire_listener import WireListener

from goop2.net.host import Host


class GoPeer(WireListener):
    """One peer; `groups` are those it hosts, `joined` those it is in."""

    def __init__(self, host: Host, deaf_seconds: float = 0.0) -> None:
        super().__init__(host)
        self._deaf_until = time.monotonic() + deaf_seconds
        self.groups: dict[str, dict[str, Any]] = {}
        self.joins: list[str] = []
        """Topics of the joins that came, those that were lost too."""
        self._work: set[asyncio.Task[None]] = set()

    @property
    def id(self) -> str:
        return self.host.peer_id

    def hosts(self, group: str, name: str = "Go board", role: str = "viewer") -> None:
        self.groups[group] = {"name": name, "role": role, "members": {}}

    def forgets_members(self) -> None:
        """As one that was started anew."""
        for group in self.groups.values():
            group["members"] = {}

    async def join(self, peer: str, group: str) -> None:
        await self.send(peer, f"group:{group}:join", {"type": "join", "group": group, "from": self.id})

    def welcomes(self, group: str) -> list[dict[str, Any]]:
        return [payload for _, topic, payload in self.got if topic == f"group:{group}:welcome"]

    def lists(self, group: str) -> list[dict[str, str]]:
        """Member → role, of each list that came."""
        said = [payload for _, topic, payload in self.got if topic in (f"group:{group}:members", f"group:{group}:welcome")]
        return [{member["peer_id"]: member["role"] for member in payload["members"]} for payload in said]

    async def _took(self, sender: str, topic: str, payload: Any) -> None:
        kind, _, rest = topic.partition(":")
        id_, _, type_ = rest.rpartition(":")
        if kind != "group" or id_ not in self.groups:
            return
        if type_ == "join":
            self.joins.append(topic)
            if time.monotonic() < self._deaf_until:
                return
            self.groups[id_]["members"].setdefault(sender, self.groups[id_]["role"])
            await self.send(sender, f"group:{id_}:welcome", {**self._about(id_), "max_members": 0, "volatile": False})
            await self._to_all(id_, "members", {"members": self._members(id_)}, without=sender)
        elif type_ == "leave":
            self.groups[id_]["members"].pop(sender, None)
            await self._to_all(id_, "members", {"members": self._members(id_)})
        elif type_ == "msg" and sender in self.groups[id_]["members"]:
            await self._to_all(id_, "msg", payload, without=sender)

    async def set_role(self, group: str, peer: str, role: str) -> None:
        self.groups[group]["members"][peer] = role
        await self._to_all(group, "members", {"members": self._members(group)})

    async def _to_all(self, group: str, type_: str, payload: Any, without: str = "") -> None:
        for peer in self.groups[group]["members"]:
            if peer != without:
                await self.send(peer, f"group:{group}:{type_}", payload)

    def _about(self, group: str) -> dict[str, Any]:
        hosted = self.groups[group]
        about = {"group_name": hosted["name"], "group_type": hosted.get("type", "template"), "group_context": "board"}
        return {**about, "members": self._members(group)}

    def _members(self, group: str) -> list[dict[str, Any]]:
        members = self.groups[group]["members"].items()
        return [{"peer_id": peer, "name": peer[-4:], "role": role, "joined_at": 1764000000000} for peer, role in members]

    def taken(self, sender: str, topic: str, payload: Any) -> None:
        task = asyncio.create_task(self._took(sender, topic, payload))
        self._work.add(task)
        task.add_done_callback(self._work.discard)
