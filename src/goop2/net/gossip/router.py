"""GossipSub v1.1's router for one topic: decide which neighbour gets what. Pure: no socket and no task; clock and random numbers are passed
in.

The service tells it what happens (`reach`, `listen`, `control`, `publish`, `forward`, `heartbeat`) and takes what is to be written
(`drain`).

    mesh       neighbours that get every message at once: DEGREE of them, DEGREE_LOW to DEGREE_HIGH, OUTBOUND on connections we opened
    back-off   a neighbour that leaves a mesh stays out of it for a while, by both sides' count
    fan-out    while the mesh is short, our own messages go to some other listeners too, the same ones for a minute. A peer that has just
               met its neighbours may be gone before a heartbeat shows what was missed, and a full neighbour may have removed it
    gossip     every heartbeat some others are told the ids of new messages (IHAVE), and ask for those they lack (IWANT)
    conduct    only what the neighbour itself must be to blame for costs it points; a neighbour without points is ignored for a while. There
               is no other score: what others say through a neighbour is never held against it

Messages of other topics, and controls about them, do not get here.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from random import Random
from typing import Final, TypeVar

from goop2.net.admission import TokenBucket
from goop2.net.gossip.caches import KEPT_WINDOWS, MessageCache, SeenCache
from goop2.net.gossip.messages import GossipMessage, can_be_id, name_of_id
from goop2.net.gossip.rpc import Control, write_control, write_messages
from goop2.net.limits import (
    FORGETTING_AT_KEYS,
    GOSSIP_BACK_OFF_MAX_SECONDS,
    GOSSIP_BACK_OFF_SECONDS,
    GOSSIP_CACHE_BYTES,
    GOSSIP_FAULTS_PER_MINUTE,
    GOSSIP_IDS_PER_HEARTBEAT,
    GOSSIP_IHAVES_PER_HEARTBEAT,
    GOSSIP_PROMISES_MAX,
)

_T = TypeVar("_T")

# The specification's numbers.
DEGREE: Final = 6
DEGREE_LOW: Final = 4
DEGREE_HIGH: Final = 12
OUTBOUND: Final = 2
LAZY_DEGREE: Final = 6
LAZY_SHARE: Final = 4
"""One of so many neighbours outside the mesh is told what is new, LAZY_DEGREE at least."""
FANOUT_SECONDS: Final = 60.0
PROMISE_SECONDS: Final = 3.0
BACK_OFF_SLACK_SECONDS: Final = 1.0
"""Two clocks and a message on its way: who asks to come in again waits so much longer."""
FORGET_EVERY_HEARTBEATS: Final = 15

# What a fault costs, of GOSSIP_FAULTS_PER_MINUTE.
MALFORMED: Final = 25
"""An RPC that cannot be read."""
EARLY_GRAFT: Final = 5
BROKEN_PROMISE: Final = 2
"""A message that was offered and asked for did not come: links can be slow."""
IGNORED_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True)
class OutgoingFrame:
    """Bytes for a neighbour's stream."""

    peer: str
    frame: bytes
    handed_on: bool = False
    """It is another's message, for which our own words and controls do not wait."""


@dataclass(slots=True)
class _Neighbour:
    """The state of one neighbour in this topic."""

    reached: bool = False
    """It can be written to."""
    outbound: bool = False
    """We opened the connection: an attacker cannot make that happen."""
    listens: bool = False
    welcomed: bool = False
    """It was offered what was said before it came; a stream that is opened again and again costs no more of that."""
    ihaves: int = 0
    asked: int = 0
    answered: int = 0
    """Since the last heartbeat: offers looked at, ids asked for, ids answered."""


@dataclass(slots=True)
class _Pending:
    """The control that a neighbour is sent next."""

    ihave: list[bytes] = field(default_factory=list)
    iwant: list[bytes] = field(default_factory=list)
    graft: bool = False
    prune: int | None = None


class Router:
    """The state of one topic, without I/O."""

    def __init__(self, topic: str, seen: SeenCache, clock: Callable[[], float], dice: Random | None = None) -> None:
        self.mesh: set[str] = set()
        self.fanout: dict[str, float] = {}
        """Neighbour → until when it gets our own words besides the mesh."""
        self.back_offs: dict[str, float] = {}
        self.promises: OrderedDict[bytes, tuple[str, float]] = OrderedDict()
        """Name of a message → who offered it, and until when it may come."""
        self.cache = MessageCache(GOSSIP_CACHE_BYTES)
        self._topic = topic
        self._seen = seen
        self._clock = clock
        self._dice = dice or Random()
        self._neighbours: dict[str, _Neighbour] = {}
        self._faults = TokenBucket(GOSSIP_FAULTS_PER_MINUTE, clock)
        self._ignored: dict[str, float] = {}
        self._outgoing: list[OutgoingFrame] = []
        self._pending: dict[str, _Pending] = {}
        self._heartbeats = 0
        self._shifted_at = clock()

    @property
    def listeners(self) -> tuple[str, ...]:
        """Return the neighbours that listen to the topic."""
        return tuple(peer for peer, neighbour in self._neighbours.items() if neighbour.listens)

    @property
    def is_idle(self) -> bool:
        """Return whether a heartbeat would do nothing."""
        return not self._neighbours

    # What happens.

    def reach(self, peer: str, outbound: bool) -> None:
        """Note that a neighbour can be written to from now on."""
        neighbour = self._neighbour(peer)
        neighbour.reached, neighbour.outbound = True, outbound
        self._welcome(peer)

    def lose(self, peer: str) -> None:
        """Note that a neighbour cannot be written to any more."""
        if peer in self._neighbours:
            self._neighbours[peer].reached = False
            self._part(peer)

    def listen(self, peer: str, listens: bool) -> None:
        """Note that a neighbour begins or stops to listen; that is known while the stream it opened lasts."""
        if (listens and self.ignores(peer)) or (not listens and peer not in self._neighbours):
            return
        self._neighbour(peer).listens = listens
        if listens:
            self._welcome(peer)
        else:
            self._part(peer)

    def control(self, peer: str, control: Control) -> None:
        """Apply a control of a neighbour."""
        neighbour = self._neighbours.get(peer)
        if neighbour is None or self.ignores(peer):
            return
        if control.ihave:
            self._take_offer(peer, neighbour, control.ihave)
        if control.iwant:
            self._answer(peer, neighbour, control.iwant)
        if control.prune is not None:
            self.mesh.discard(peer)
            self._back_off(peer, min(control.prune or GOSSIP_BACK_OFF_SECONDS, GOSSIP_BACK_OFF_MAX_SECONDS))
        if control.graft:
            self._take_graft(peer, neighbour)

    def publish(self, message: GossipMessage) -> None:
        """Send a message of our own: to the mesh, and to fan-out while that is short."""
        besides = DEGREE - len(self.mesh)
        self._add_fanout(besides)
        self._send(message, self.mesh.union(list(self.fanout)[: max(besides, 0)]), handed_on=False)

    def forward(self, message: GossipMessage, source: str) -> None:
        """Forward a message of a neighbour."""
        self._send(message, self.mesh - {source, message.author_id}, handed_on=True)

    def fault(self, peer: str, points: int) -> None:
        """Take points from a neighbour that misbehaves; one without points is ignored for a while."""
        if not self._faults.take(peer, points):
            self._ignored[peer] = self._clock() + IGNORED_SECONDS
            _bound(self._ignored, self._clock())
            self.listen(peer, False)

    def ignores(self, peer: str) -> bool:
        """Return whether nothing is accepted from a neighbour now."""
        return self._ignored.get(peer, 0.0) > self._clock()

    def heartbeat(self) -> None:
        """Repair the mesh, offer new messages to some neighbours, and drop what has expired. Call it once a second."""
        self._heartbeats += 1
        now = self._clock()
        self.fanout = {peer: until for peer, until in self.fanout.items() if until > now}
        self._expire_promises(now)
        self._mend_mesh()
        self._offer()
        self._shift(now)
        self._seen.evict()
        for neighbour in self._neighbours.values():
            neighbour.ihaves = neighbour.asked = neighbour.answered = 0
        if self._heartbeats % FORGET_EVERY_HEARTBEATS == 0:
            self._forget(now)

    def drain(self) -> list[OutgoingFrame]:
        """Return the frames to write, and empty the queue of them."""
        for peer, pending in self._pending.items():
            control = Control(tuple(pending.ihave), tuple(pending.iwant), pending.graft, pending.prune)
            self._outgoing.append(OutgoingFrame(peer, write_control(control, self._topic)))
        self._pending = {}
        outgoing, self._outgoing = self._outgoing, []
        return outgoing

    # The mesh.

    def _welcome(self, peer: str) -> None:
        """Offer a new listener the messages from just before it came, and take it into a short mesh at once. A heartbeat may be too late
        for a peer that is soon gone.
        """
        neighbour = self._neighbours[peer]
        if not (neighbour.listens and neighbour.reached):
            return
        if not neighbour.welcomed and (ids := self.cache.offered()):
            self._control_for(peer).ihave = ids[-GOSSIP_IDS_PER_HEARTBEAT:]
        neighbour.welcomed = True
        if len(self.mesh) < DEGREE_LOW and peer in self._candidates():
            self._graft([peer])

    def _part(self, peer: str) -> None:
        """Remove a neighbour as far as it is gone."""
        self.mesh.discard(peer)
        self.fanout.pop(peer, None)
        self._pending.pop(peer, None)
        neighbour = self._neighbours[peer]
        if not neighbour.reached and not neighbour.listens:
            # Kept while either direction is open: back-offs and counters must not start anew when one stream is reopened.
            del self._neighbours[peer]

    def _candidates(self, *, outbound_only: bool = False) -> list[str]:
        """Return the neighbours that may be taken into the mesh."""
        now = self._clock()
        return [
            peer
            for peer, neighbour in self._neighbours.items()
            if neighbour.listens
            and neighbour.reached
            and (neighbour.outbound or not outbound_only)
            and peer not in self.mesh
            and self.back_offs.get(peer, 0.0) + BACK_OFF_SLACK_SECONDS <= now
        ]

    def _mend_mesh(self) -> None:
        if len(self.mesh) < DEGREE_LOW:
            self._graft(self._some(self._candidates(), DEGREE - len(self.mesh)))
        if len(self.mesh) > DEGREE_HIGH:
            self._prune(self.mesh - self._kept_of_mesh())
        missing = OUTBOUND - sum(self._is_outbound(peer) for peer in self.mesh)
        if len(self.mesh) >= DEGREE_LOW and missing > 0:
            self._graft(self._some(self._candidates(outbound_only=True), missing))

    def _kept_of_mesh(self) -> set[str]:
        """Return DEGREE neighbours of the mesh, at least OUTBOUND of them on connections this peer opened."""
        order = self._some(self.mesh, len(self.mesh))
        # Outbound connections cannot be made by an attacker, so a mesh that keeps some cannot be taken over by many inbound
        # ones.
        first = [peer for peer in order if self._is_outbound(peer)][:OUTBOUND]
        return set((first + [peer for peer in order if peer not in first])[:DEGREE])

    def _is_outbound(self, peer: str) -> bool:
        return peer in self._neighbours and self._neighbours[peer].outbound

    def _graft(self, peers: Iterable[str]) -> None:
        for peer in peers:
            self.mesh.add(peer)
            self.fanout.pop(peer, None)
            self._control_for(peer).graft = True

    def _prune(self, peers: Iterable[str]) -> None:
        for peer in peers:
            self.mesh.discard(peer)
            self._back_off(peer, GOSSIP_BACK_OFF_SECONDS)
            pending = self._control_for(peer)
            pending.graft, pending.prune = False, int(GOSSIP_BACK_OFF_SECONDS)

    def _take_graft(self, peer: str, neighbour: _Neighbour) -> None:
        if peer in self.mesh:
            return
        # The specification's rule: a GRAFT during the back-off is a fault, and begins the back-off anew (prune with a new
        # time).
        if self.back_offs.get(peer, 0.0) > self._clock():
            self.fault(peer, EARLY_GRAFT)
            self._prune([peer])
        elif not neighbour.listens or (len(self.mesh) >= DEGREE_HIGH and not neighbour.outbound):
            self._prune([peer])
        else:
            self.mesh.add(peer)
            self.fanout.pop(peer, None)

    def _back_off(self, peer: str, seconds: float) -> None:
        now = self._clock()
        self.back_offs[peer] = max(self.back_offs.get(peer, 0.0), now + seconds)
        _bound(self.back_offs, now)

    # Messages.

    def _add_fanout(self, most: int) -> None:
        missing = most - len(self.fanout)
        if missing <= 0:
            return
        until = self._clock() + FANOUT_SECONDS
        self.fanout.update((peer, until) for peer in self._some(self._outsiders() - self.fanout.keys(), missing))

    def _outsiders(self) -> set[str]:
        """Return the listeners outside the mesh that can be written to."""
        return {peer for peer, neighbour in self._neighbours.items() if neighbour.listens and neighbour.reached} - self.mesh

    def _send(self, message: GossipMessage, peers: Iterable[str], *, handed_on: bool) -> None:
        content = message.write()
        # Our own messages come back from the mesh; they must count as seen before the first neighbour has them.
        self._seen.add(message.name)
        self._catch_up()
        self.cache.add(message.name, message.id, content)
        frame = write_messages((content,))
        self._outgoing += [OutgoingFrame(peer, frame, handed_on) for peer in peers]

    def _offer(self) -> None:
        ids = self.cache.offered()
        outsiders = self._outsiders()
        if not ids or not outsiders:
            return
        if len(ids) > GOSSIP_IDS_PER_HEARTBEAT:
            ids = self._dice.sample(ids, GOSSIP_IDS_PER_HEARTBEAT)
        for peer in self._some(outsiders, max(LAZY_DEGREE, len(outsiders) // LAZY_SHARE)):
            self._control_for(peer).ihave = ids

    def _take_offer(self, peer: str, neighbour: _Neighbour, ids: tuple[bytes, ...]) -> None:
        neighbour.ihaves += 1
        left = GOSSIP_IDS_PER_HEARTBEAT - neighbour.asked
        if neighbour.ihaves > GOSSIP_IHAVES_PER_HEARTBEAT or left <= 0:
            return
        wanted = list(dict.fromkeys(id_ for id_ in ids[:GOSSIP_IDS_PER_HEARTBEAT] if can_be_id(id_) and name_of_id(id_) not in self._seen))
        if not wanted:
            return
        wanted = self._some(wanted, left)
        neighbour.asked += len(wanted)
        self._control_for(peer).iwant += wanted
        # One of them stands for all: remembering each would cost more than it tells.
        self.promises.setdefault(name_of_id(wanted[0]), (peer, self._clock() + PROMISE_SECONDS))
        while len(self.promises) > GOSSIP_PROMISES_MAX:
            self.promises.popitem(last=False)

    def _answer(self, peer: str, neighbour: _Neighbour, ids: tuple[bytes, ...]) -> None:
        ids = ids[: GOSSIP_IDS_PER_HEARTBEAT - neighbour.answered]
        neighbour.answered += len(ids)
        for id_ in ids:
            content = self.cache.ask(name_of_id(id_), peer)
            if content is not None:
                self._outgoing.append(OutgoingFrame(peer, write_messages((content,)), handed_on=True))

    def _expire_promises(self, now: float) -> None:
        while self.promises:
            name, (peer, until) = next(iter(self.promises.items()))
            if until > now:
                return
            del self.promises[name]
            if name not in self._seen:
                self.fault(peer, BROKEN_PROMISE)

    # Help.

    def _neighbour(self, peer: str) -> _Neighbour:
        self._catch_up()
        return self._neighbours.setdefault(peer, _Neighbour())

    def _catch_up(self) -> None:
        """Age the cache when it is next needed: without neighbours there are no heartbeats."""
        now = self._clock()
        if self.is_idle:
            for _ in range(min(KEPT_WINDOWS, int(now - self._shifted_at))):
                self._shift(now)

    def _shift(self, now: float) -> None:
        self.cache.shift()
        self._shifted_at = now

    def _control_for(self, peer: str) -> _Pending:
        return self._pending.setdefault(peer, _Pending())

    def _some(self, peers: Iterable[_T], most: int) -> list[_T]:
        """Return so many of them, chosen at random."""
        every = list(peers)
        return self._dice.sample(every, min(most, len(every)))

    def _forget(self, now: float) -> None:
        self.back_offs = {peer: until for peer, until in self.back_offs.items() if until + BACK_OFF_SLACK_SECONDS > now}
        self._ignored = {peer: until for peer, until in self._ignored.items() if until > now}


def _bound(times: dict[str, float], now: float) -> None:
    """Drop what has expired once there are many, then whatever expires first: an id costs a stranger only a handshake."""
    if len(times) <= FORGETTING_AT_KEYS:
        return
    for peer in [peer for peer, until in times.items() if until <= now]:
        del times[peer]
    while len(times) > FORGETTING_AT_KEYS:
        del times[min(times, key=times.__getitem__)]
