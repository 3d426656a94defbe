"""Several rendezvous servers joined by NATS: peers of one hear peers of the others, and all list their relays.

Each server says what its own peers have announced and it has handed on, and nothing that it heard on the bus: so nothing goes in circles
and nothing is said twice. What another server says is taken like an announcement from one more address (registry.py): it proves nothing, a
goodbye counts where no other address speaks for the peer, and the peers it brings have room of their own, so that no server can push out
the peers of another. Without the bus each goes on alone; when it is back, everybody says again who is there.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import structlog

from goop2.cluster.bus import Bus, ClusterError
from goop2.cluster.keys import ClusterKey
from goop2.cluster.nats_bus import stay_connected
from goop2.net.admission import TokenBucket
from goop2.net.faults import AddressError
from goop2.protocols.errors import RemoteProtocolError
from goop2.protocols.presence import Presence, read
from goop2.rendezvous.bus_messages import BusHead, BusMessageError, heard_at, messages, opened, speaker_of, subject
from goop2.rendezvous.limits import (
    BUS_ANSWER_SECONDS,
    BUS_BEAT_SECONDS,
    BUS_FLUSH_SECONDS,
    BUS_PER_MINUTE,
    BUS_SERVERS_MAX,
    BUS_SILENT_SECONDS,
    BUS_TOLD_MAX,
    BUS_WAITING_MAX,
)
from goop2.rendezvous.registry import Registry, RegistryFullError
from goop2.rendezvous.said_relay import ListedRelay

if TYPE_CHECKING:
    from goop2.cluster.nats_bus import NatsBus

_KEY_SHOWN: Final = 8
"""Letters of a key that stand beside a name."""

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger("goop2.net")


@dataclass(slots=True)
class OtherServer:
    """A server that is heard on the bus."""

    name: str
    """As it calls itself, and the begin of its key."""
    start: str
    heard_at: float
    answered_at: float
    relay: ListedRelay | None = None

    def spoke(self, head: BusHead, now: float) -> bool:
        """Note what it says of itself; return whether it asks who is here and is to be answered."""
        if head.start != self.start:
            self.start, self.relay = head.start, None
        if head.relay is not None:
            self.relay = head.relay
        self.heard_at = now
        if not head.asks or now - self.answered_at < BUS_ANSWER_SECONDS:
            return False
        self.answered_at = now
        return True

    def excuse(self, now: float) -> None:
        """Count as heard now: while there was no connection nobody was, and none is to blame for it."""
        self.heard_at = now


class RendezvousBus:
    """This server among the others. `hand_on` publishes an accepted announcement here; `relay` says what is told of the relay beside it."""

    def __init__(
        self,
        key: ClusterKey,
        registry: Registry,
        hand_on: Callable[[Presence], object],
        relay: Callable[[], ListedRelay | None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.bus: Bus | None = None
        self.servers: OrderedDict[str, OtherServer] = OrderedDict()
        """By key: the others that are there."""
        self._key, self._own = key, key.public
        self._start = secrets.token_hex(8)
        self._registry, self._hand_on, self._relay, self._clock = registry, hand_on, relay, clock
        self._per_minute = TokenBucket(BUS_PER_MINUTE, clock)
        self._said: list[bytes] = []
        self._flush_at: asyncio.TimerHandle | None = None
        self._heard: deque[tuple[str, bytes]] = deque(maxlen=BUS_WAITING_MAX)
        self._news = asyncio.Event()
        self._told: OrderedDict[tuple[str, str], None] = OrderedDict()
        """What the owner was told of which server: each thing is told once, however often it happens and whatever words it comes in."""

    @property
    def joined(self) -> bool:
        """Return whether the others are reached now, as far as is known."""
        return self.bus is not None and self.bus.connected

    def relays(self) -> list[ListedRelay]:
        """Return the relays beside the other servers, those with most free places first, each once."""
        found = {each.relay.peer_id: each.relay for each in self.servers.values() if each.relay is not None}
        return sorted(found.values(), key=lambda relay: (-relay.free, relay.peer_id))

    def say(self, json: bytes) -> None:
        """Tell the others what a peer of this server has announced; what comes within BUS_FLUSH_SECONDS goes together."""
        if not self.joined:
            return
        self._said.append(json)
        if self._flush_at is None:
            self._flush_at = asyncio.get_running_loop().call_later(BUS_FLUSH_SECONDS, self._flush)

    def hear(self, place: str, content: bytes, nobody: bool) -> None:
        """Take what came on the bus; it is read a message at a time (`goop2.cluster.bus.Heard`)."""
        if not nobody:
            self._heard.append((place, content))
            self._news.set()

    async def read_all(self) -> None:
        """Read what comes until cancelled; others have their turn between two messages."""
        while True:
            await self._news.wait()
            self._news.clear()
            while self._heard:
                self.take(*self._heard.popleft())
                await asyncio.sleep(0)

    async def stay_joined(self, url: str) -> None:
        """Be joined whenever the server at `url` is there, until cancelled; what is wrong is said once."""
        reading = asyncio.create_task(self.read_all())
        try:
            await stay_connected(url, self._key, f"goop2 rendezvous {self._key.name}", use=self._use, told=self._alone, give_up=False)
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)

    async def _use(self, bus: NatsBus) -> None:
        for place in heard_at(self._own):
            await bus.listen(place, self.hear)
        self.join(bus)
        _log.info(f"this rendezvous server is joined to others by {bus.url}")
        try:
            while True:
                await asyncio.sleep(BUS_BEAT_SECONDS)
                self.beat()
        finally:
            self._send(BusHead(self._start, self._key.name, leaves=True))
            with contextlib.suppress(Exception):
                await bus.flush()
            self.bus = None

    def join(self, bus: Bus) -> None:
        """Begin with a connection: say who is here, and ask who is with the others."""
        self.bus = bus
        for other in self.servers.values():
            other.excuse(self._clock())
        self._send(self._head(asks=True), self._registry.announced_here())

    def beat(self) -> None:
        """Say that this server is there, and miss those that are not."""
        if not self.joined:
            return
        self._send(self._head())
        limit = self._clock() - BUS_SILENT_SECONDS
        for key, other in list(self.servers.items()):
            if other.heard_at <= limit:
                del self.servers[key]
                self._tell(key, "gone", f"the rendezvous server {other.name} is not heard any more, nor are its peers until it is back")

    def take(self, place: str, content: bytes) -> None:
        """Take a message of another server."""
        try:
            key = speaker_of(place)
        except BusMessageError:
            return  # nobody of ours may speak there
        lines = content.count(b"\n")
        if not self._per_minute.take(key, lines + 1):
            self._tell(
                key,
                "flood",
                f"the rendezvous server {self._name(key)} says more than {BUS_PER_MINUTE} things a minute; the rest is dropped",
            )
            return
        try:
            head, announcements = opened(content)
        except BusMessageError as error:
            self._tell(key, "nonsense", f"the rendezvous server {self._name(key)} says what is no message, which is dropped: {error}")
            return
        if head.start == self._start:
            return
        if head.leaves:
            self.servers.pop(key, None)
        elif self._known(key, head):
            self._take_announcements(key, announcements)

    def _known(self, key: str, head: BusHead) -> bool:
        """Note that a server is there, and answer it when it asks; return whether it is heard."""
        now, other = self._clock(), self.servers.get(key)
        if other is None:
            if len(self.servers) >= BUS_SERVERS_MAX:
                self._tell("", "many", f"more than {BUS_SERVERS_MAX} rendezvous servers are on the bus; the others are not heard")
                return False
            other = self.servers[key] = OtherServer(f"{head.name} ({key[:_KEY_SHOWN]})".lstrip(), head.start, now, now - BUS_ANSWER_SECONDS)
            if (key, "gone") in self._told:
                del self._told[key, "gone"]
                _log.warning(f"the rendezvous server {other.name} is heard again")
        if other.spoke(head, now):
            self._send(self._head(), self._registry.announced_here(), key)
        return True

    def _take_announcements(self, key: str, announcements: Iterable[bytes]) -> None:
        source = f"bus {key}"
        for each in announcements:
            try:
                handed_on = self._registry.post(source, read(each), key)
            except RegistryFullError:
                self._tell(
                    key, "full", f"the rendezvous server {self._name(key)} brings more peers than there is room for; the rest is not heard"
                )
            except (RemoteProtocolError, AddressError) as error:
                self._tell(
                    key, "nonsense", f"the rendezvous server {self._name(key)} says what is no announcement, which is dropped: {error}"
                )
            else:
                if handed_on is not None:
                    self._hand_on(handed_on)

    def _head(self, *, asks: bool = False) -> BusHead:
        return BusHead(self._start, self._key.name, asks, relay=self._relay())

    def _flush(self) -> None:
        self._flush_at = None
        said, self._said = self._said, []
        self._send(BusHead(self._start, self._key.name), said)

    def _send(self, head: BusHead, announcements: Iterable[bytes] = (), to: str = "") -> None:
        if self.bus is not None:
            place = subject(self._own, to) if to else subject(self._own)
            for content in messages(head, announcements):
                self.bus.send(place, content)

    def _name(self, key: str) -> str:
        return self.servers[key].name if key in self.servers else key[:_KEY_SHOWN]

    def _tell(self, key: str, what: str, sentence: str) -> None:
        if (key, what) not in self._told:
            self._told[key, what] = None
            if len(self._told) > BUS_TOLD_MAX:
                self._told.popitem(last=False)
            _log.warning(sentence)

    def _alone(self, error: ClusterError) -> None:
        _log.warning(f"this rendezvous server goes on alone, and joins the others again by itself: {error}")
