"""Limits on what others take: open connections and streams, and how fast they come. Pure: no socket, and the clock is passed in.

Everything counted is bounded, however many peers come and however many ids they make up: open things by their limits, rates by
FORGETTING_AT_KEYS.
"""

from __future__ import annotations

import contextlib
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator
from functools import partial

from goop2.net.limits import FORGETTING_AT_KEYS, PEERS_OF_A_NETWORK, HostLimits

_SECONDS_PER_MINUTE = 60.0
_LOOK_SECONDS = 1.0
"""Between two looks for keys that are full again; every frame takes something."""


class AdmissionError(Exception):
    """A limit is reached; the message says which and its value."""


class TokenBucket:
    """A token bucket for each key: so many units a minute, and at most a minute's worth saved. A full bucket is not stored."""

    def __init__(self, per_minute: int, clock: Callable[[], float]) -> None:
        self._per_minute = per_minute
        self._per_second = per_minute / _SECONDS_PER_MINUTE
        self._clock = clock
        self._looked = clock()
        self._used: OrderedDict[str, tuple[float, float]] = OrderedDict()
        """Key → (units used, at what time); the longest silent first."""

    def __len__(self) -> int:
        return len(self._used)

    def take(self, key: str, units: int = 1) -> bool:
        """Return whether there is room for so many units; if so, they are counted."""
        now, used = self._clock(), self._used
        known = used.get(key)
        total = units if known is None else max(0.0, known[0] - (now - known[1]) * self._per_second) + units
        if total > self._per_minute:
            return False
        used[key] = (total, now)
        used.move_to_end(key)
        # Not at each call: the bucket is asked for every message.
        if len(used) > FORGETTING_AT_KEYS or now - self._looked >= _LOOK_SECONDS:
            self._looked = now
            self._forget(now)
        return True

    def _still_used(self, key: str, now: float) -> float:
        used, at = self._used[key]
        return max(0.0, used - (now - at) * self._per_second)

    def _forget(self, now: float) -> None:
        """Drop the buckets that are full again, then the least recently used ones beyond the bound."""
        while self._used:
            key = next(iter(self._used))
            if len(self._used) <= FORGETTING_AT_KEYS and self._still_used(key, now) > 0:
                return
            del self._used[key]


class ConcurrencyLimit:
    """Counts what is open, in total and by key."""

    def __init__(self, what: str, total: int, per_key: int) -> None:
        self._what = what
        self._total = total
        self._per_key = per_key
        self._open: Counter[str] = Counter()

    def __len__(self) -> int:
        return self._open.total()

    @contextlib.contextmanager
    def one(self, key: str) -> Iterator[None]:
        """Count one while the block runs. Raises `AdmissionError`."""
        if len(self) >= self._total:
            raise AdmissionError(f"{self._total} {self._what} are open, the most there may be")
        if self._open[key] >= self._per_key:
            raise AdmissionError(f"{key} has {self._per_key} {self._what} open, the most there may be")
        self._open[key] += 1
        try:
            yield
        finally:
            self._open[key] -= 1
            if not self._open[key]:
                del self._open[key]


class Connections(ConcurrencyLimit):
    """Connections made by others. When places run out, the oldest unfinished handshake of the network with most of them is ended."""

    def __init__(self, total: int, per_key: int) -> None:
        super().__init__("connections", total, per_key)
        self._handshakes: OrderedDict[object, tuple[str, Callable[[], object]]] = OrderedDict()

    @contextlib.contextmanager
    def handshake(self, key: str, end: Callable[[], object]) -> Iterator[Callable[[], object]]:
        """Count one while the block runs; yield what to call when its handshake is done. `end` must end the block.

        Raises `AdmissionError`.
        """
        if self._open[key] >= self._per_key:
            # A network that is full makes room among its own, so that nobody else pays for it.
            self._end_one(key)
        elif len(self) >= self._total:
            self._end_one(None)
        mark = object()
        with contextlib.ExitStack() as place:
            # A stack of its own, since the place may be given back before the block ends.
            place.enter_context(self.one(key))

            def give_way() -> None:
                place.close()
                end()

            self._handshakes[mark] = (key, give_way)
            try:
                yield partial(self._handshakes.pop, mark, None)
            finally:
                self._handshakes.pop(mark, None)

    def _end_one(self, key: str | None) -> None:
        networks = Counter(of for of, _ in self._handshakes.values())
        if key is None and networks:
            # Whoever has the most unfinished ones is the likeliest to open them for nothing.
            key = networks.most_common(1)[0][0]
        mark = next((mark for mark, (of, _) in self._handshakes.items() if of == key), None)
        if mark is not None:
            self._handshakes.pop(mark)[1]()


class Lingering:
    """Exchanges that are done while the other side still has the stream open. When places run out, the oldest is ended."""

    def __init__(self, total: int, per_key: int) -> None:
        self._total = total
        self._per_key = per_key
        self._ends: OrderedDict[object, tuple[str, Callable[[], object]]] = OrderedDict()
        self._open: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._ends)

    @contextlib.contextmanager
    def one(self, key: str, end: Callable[[], object]) -> Iterator[None]:
        """Count one while the block runs; `end` must end the block."""
        if self._open[key] >= self._per_key:
            self._end_first(key)
        elif len(self) >= self._total:
            self._end_first(None)
        mark = object()
        self._ends[mark] = (key, end)
        self._open[key] += 1
        try:
            yield
        finally:
            self._forget(mark)

    def _end_first(self, key: str | None) -> None:
        mark, end = next((mark, end) for mark, (of, end) in self._ends.items() if key in (None, of))
        self._forget(mark)
        end()

    def _forget(self, mark: object) -> None:
        known = self._ends.pop(mark, None)
        if known is None:  # ended for another
            return
        key, _ = known
        self._open[key] -= 1
        if not self._open[key]:
            del self._open[key]


class ByteBudget:
    """The bytes held for all strangers together."""

    def __init__(self, most: int) -> None:
        self._most = most
        self.held = 0

    def hold(self, size: int) -> bool:
        """Return whether there is room; if so, the bytes are counted as held."""
        if self.held + size > self._most:
            return False
        self.held += size
        return True

    def free(self, size: int) -> None:
        """Count so many bytes as held no more."""
        self.held -= size


class Admission:
    """All limits of a host on what others take."""

    def __init__(self, limits: HostLimits, clock: Callable[[], float]) -> None:
        self.memory = ByteBudget(limits.buffered_bytes)
        self._connections = Connections(limits.connections, limits.connections_per_address)
        self._streams = ConcurrencyLimit("streams", limits.streams, limits.streams_per_peer)
        self._network_streams = ConcurrencyLimit("streams", limits.streams, limits.streams_per_network)
        self._lingering = Lingering(limits.streams, limits.streams_per_peer)
        self._handshakes = TokenBucket(limits.handshakes_per_minute_and_address, clock)
        self._opened = TokenBucket(limits.streams_per_minute_and_peer, clock)
        self._received = TokenBucket(limits.bytes_per_minute_and_peer, clock)
        self._opened_by_network = TokenBucket(limits.streams_per_minute_and_peer * PEERS_OF_A_NETWORK, clock)
        self._received_by_network = TokenBucket(limits.bytes_per_minute_and_peer * PEERS_OF_A_NETWORK, clock)

    @contextlib.contextmanager
    def connection(self, address: str, end: Callable[[], object] | None = None) -> Iterator[Callable[[], object]]:
        """Count a connection made from `address`, a network or a relay, from before its handshake to its end. Raises `AdmissionError`.

        Gives what to call when the handshake is done. `end`, where it is given, ends one whose place another gets before.
        """
        with self._connections.one(address) if end is None else self._connections.handshake(address, end) as done:
            if not self._handshakes.take(address):
                raise AdmissionError(f"{address} connects too often")
            yield done or (lambda: None)

    @contextlib.contextmanager
    def stream(self, peer: str, network: str = "") -> Iterator[None]:
        """Count a stream that `peer` opened, from before its protocol is known to its end. Raises `AdmissionError`."""
        # Counted even if it is refused below: a flood of refused streams costs its sender too.
        self.request(peer, network)
        with self._streams.one(peer), self._network_streams.one(network or peer):
            yield

    def lingering(self, peer: str, end: Callable[[], object]) -> contextlib.AbstractContextManager[None]:
        """Count a stream of `peer` whose exchange is done until the other side has read it all; `end` makes room for another."""
        return self._lingering.one(peer, end)

    def request(self, peer: str, network: str = "") -> None:
        """Count a request of `peer` from `network`, on a stream of its own or a kept one. Raises `AdmissionError`."""
        if not self._opened.take(peer):
            raise AdmissionError(f"{peer} asks too often")
        if network and not self._opened_by_network.take(network):
            raise AdmissionError(f"{network} asks too often")

    def received(self, peer: str, size: int, network: str = "") -> bool:
        """Return whether `peer`, which comes from `network`, may send so many bytes that nobody asked for."""
        return self._received.take(peer, size) and (not network or self._received_by_network.take(network, size))
