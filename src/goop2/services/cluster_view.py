"""The other machines of a peer as its console, its metrics and its commands show them. Plain values: it must not know a bus."""

from __future__ import annotations

from typing import Final, Protocol

import msgspec

NODE_STATES: Final = ("ready", "starting", "leaving", "lost", "refused")


class NodeView(msgspec.Struct, frozen=True, kw_only=True):
    """One machine that runs scripts for this peer."""

    name: str
    key: str
    host: str
    """What the machine calls itself."""
    state: str
    """One of NODE_STATES; `waiting` where no peer runs that would use it."""
    why: str
    """Why it is refused, "" when it is not."""
    slots: int
    under_way: int
    calls: int
    """Given to it since the peer started."""
    losses: int
    """Of these, lost with it."""


class ClusterView(msgspec.Struct, frozen=True, kw_only=True):
    """All of them, and the server between."""

    server: str
    connected: bool
    why: str
    """Why the server is not used now, "" when it is."""
    version: str
    """Of the server, "" while it is not reached."""
    spill: str
    nodes: tuple[NodeView, ...] = ()
    under_way: int = 0
    calls: int = 0
    """Given to machines since the peer started."""
    losses: int = 0
    """Of these, lost with a machine."""
    put_back: int = 0
    """Calls that nobody took and that went back into the queue."""
    breaches: int = 0
    """Times a machine broke the protocol."""


NO_CLUSTER: Final = ClusterView(server="", connected=False, why="none is set up", version="", spill="off")
"""How it is where `cluster.nats` is empty."""


class ClusterShown(Protocol):
    """Whoever knows the other machines of a peer."""

    def view(self) -> ClusterView:
        """Return the cluster as it is at this moment; plain values, which change no more."""
