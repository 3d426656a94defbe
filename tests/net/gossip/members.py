"""Hosts that take part in a topic, for tests."""

from __future__ import annotations

from goop2.net.gossip import Gossip
from goop2.net.host import Host


class Member:
    """A host that listens, and what it heard."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.heard: list[tuple[str, bytes]] = []
        self.gossip: Gossip

    def hear(self, author: str, payload: bytes) -> bool:
        self.heard.append((author, payload))
        return not payload.startswith(b"not to be handed on")
