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


class StandbyView(msgspec.Struct, frozen=True, kw_only=True):
    """One machine that waits to take the peer's place."""

    name: str
    host: str
    behind_seconds: float
    """For how long rows that the owner has copied have not been there."""
    trouble: str
    is_here: bool
    """Whether it was heard within the last seconds."""


class LeaseView(msgspec.Struct, frozen=True, kw_only=True):
    """The lease by which the peer serves."""

    held: bool
    """Whether by this machine, now."""
    holder: str
    """The machine that holds it."""
    since: float
    """Since when, seconds since 1970."""
    age_seconds: float | None
    """Since it was renewed here last; None where no peer runs."""
    term: int
    """Of the backup: counted up each time another machine takes the peer's place."""
    trouble: str = ""
    """Why it cannot be renewed, "" when it can."""
    standbys: tuple[StandbyView, ...] = ()


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
    lease: LeaseView | None = None
    """None where the peer is kept by no lease (`cluster.lease`)."""


NO_CLUSTER: Final = ClusterView(server="", connected=False, why="none is set up", version="", spill="off")
"""How it is where `cluster.nats` is empty."""


class ClusterShown(Protocol):
    """Whoever knows the other machines of a peer."""

    def view(self) -> ClusterView:
        """Return the cluster as it is at this moment; plain values, which change no more."""
