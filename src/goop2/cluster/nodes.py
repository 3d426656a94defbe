"""The nodes an owner knows: who is there, how many calls each may have (its credit), and which sources it was sent.

    unknown ── first beat ──► here, not ready ── beat with our digest ──► ready ── leaving ──► leaving ── silence ──► lost
                                  ▲                                          └──────── silence ───────────────────────► lost
                                  └─────────────────────────── a beat ◄─────────────────────────────────────────────────┘

Credit is what a node has slots for less what it was given: the owner never gives more, so nothing waits at a node. It sends nothing and
must not know what a call is.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator

import msgspec

from goop2.cluster.limits import LOST_SECONDS, NODES_MAX, SOURCES_KEPT
from goop2.cluster.messages import Beat


class KnownNode(msgspec.Struct, eq=False):
    """One machine that runs scripts."""

    key: str
    """Its public key."""
    name: str
    beat: Beat
    heard: float
    """On the loss clock."""
    here: bool = True
    ready: bool = False
    refused: str = ""
    """Why it is not used, "" when it is."""
    given: dict[int, None] = {}
    """Calls it has now."""
    lost_calls: list[int] = []
    """Calls it had when it was lost; it is told to stop them when it is back."""
    sources: OrderedDict[bytes, None] = msgspec.field(default_factory=OrderedDict)
    calls: int = 0
    """Calls it was given, ever."""
    losses: int = 0
    """Calls that were lost with it."""

    @property
    def credit(self) -> int:
        """Return how many more calls it may be given now."""
        usable = self.here and self.ready and not self.beat.leaving and not self.refused
        return max(0, self.beat.slots - len(self.given)) if usable else 0

    @property
    def state(self) -> str:
        """Return what it is, in a word or two."""
        if self.refused:
            return "refused"
        if not self.here:
            return "lost"
        return "leaving" if self.beat.leaving else "ready" if self.ready else "starting"

    def knows(self, version: bytes) -> bool:
        """Return whether it was sent this version; from now on it counts as sent."""
        if version in self.sources:
            self.sources.move_to_end(version)
            return True
        self.sources[version] = None
        if len(self.sources) > SOURCES_KEPT:
            self.sources.popitem(last=False)
        return False


class Nodes:
    """All nodes of one owner, by their beats; nothing is known of a machine that was invited and never heard."""

    def __init__(self) -> None:
        self._nodes: dict[tuple[str, bytes], KnownNode] = {}
        """Key and boot → node: two programs that show one key are two nodes, and none gets the other's calls."""

    def __iter__(self) -> Iterator[KnownNode]:
        return iter(tuple(self._nodes.values()))

    def hear(self, key: str, name: str, beat: Beat, now: float) -> tuple[KnownNode | None, bool]:
        """Take a beat at `now` on the loss clock; return the node, and whether it was here before. None: there are too many already."""
        node = self._nodes.get((key, beat.boot))
        if node is None:
            self._forget_lost(key)
            if len(self._nodes) >= NODES_MAX:
                return None, False
            node = self._nodes[key, beat.boot] = KnownNode(key, name, beat, now)
            return node, False
        was_here = node.here
        node.beat, node.heard, node.name, node.here = beat, now, name, True
        return node, was_here

    def _forget_lost(self, key: str) -> None:
        """Forget what was lost of a key that is here again, or of any where there are too many."""
        for place, node in list(self._nodes.items()):
            if not node.here and (node.key == key or len(self._nodes) >= NODES_MAX):
                del self._nodes[place]

    def lose(self, now: float) -> list[KnownNode]:
        """Return the nodes that have been silent for too long, and count them as lost."""
        silent = [node for node in self._nodes.values() if node.here and now - node.heard > LOST_SECONDS]
        for node in silent:
            node.here = False
            # A lost node is kept for the owner to see, and to tell it of its lost calls when it is back; one that left does not come back.
            if node.beat.leaving:  # it said that it goes
                del self._nodes[node.key, node.beat.boot]
        return silent

    def best(self, version: bytes) -> KnownNode | None:
        """Return the node to give the next call to: the one with the most free slots, of several one that holds the version; or None."""
        best, most = None, (0, False)
        for node in self._nodes.values():
            rank = (node.credit, version in node.sources)
            if rank > most and node.credit:
                best, most = node, rank
        return best

    @property
    def credit(self) -> int:
        """Return how many more calls all of them may be given now."""
        return sum(node.credit for node in self._nodes.values())

    @property
    def slots(self) -> int:
        """Return how many slots the nodes that are used have."""
        return sum(node.beat.slots for node in self._nodes.values() if node.here and node.ready and not node.refused)
