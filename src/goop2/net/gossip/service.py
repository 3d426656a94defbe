"""A GossipSub topic on a host: `open_gossip`.

1. What a stranger sends ends its own stream at most. RPCs are read no faster than the limits say, and only whole ones; the bytes of
   incomplete RPCs are bounded in total.
2. What a neighbour listens to is known from the stream it opened, while that is open; a newer stream replaces it.
3. Our own messages go to the mesh and to some other listeners (router.py). Before the end, everything queued is sent.
4. The sequence numbers of our messages grow over restarts too: others drop a number they have seen.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from typing import Final

import structlog

from goop2.config.ticks import seconds_to_tick
from goop2.net.admission import ByteBudget, TokenBucket
from goop2.net.connection import Connection
from goop2.net.faults import NetworkError
from goop2.net.gossip.intake import Heard, Intake
from goop2.net.gossip.messages import sign
from goop2.net.gossip.neighbour import PROTOCOLS, Neighbour
from goop2.net.gossip.router import MALFORMED, Router
from goop2.net.gossip.rpc import read_control, read_rpc, write_subscription
from goop2.net.host import Host
from goop2.net.limits import (
    GOSSIP_CONTROL_BYTES_PER_MINUTE,
    GOSSIP_RPC_MAX_BYTES,
    GOSSIP_RPC_SECONDS,
    GOSSIP_RPCS_PER_MINUTE,
    GOSSIP_UNREAD_BYTES,
)
from goop2.net.stream import Stream
from goop2.protocols import peer_ids
from goop2.protocols.errors import RemoteProtocolError
from goop2.protocols.protobuf import DelimitedReader

HEARTBEAT_SECONDS: Final = 1.0
LAST_WORDS_SECONDS: Final = 0.5
AT_ONCE: Final = 16
"""RPCs, and messages of one, that are taken before others get their turn: a millisecond."""

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger("goop2.net")


class Gossip:
    """A topic this peer listens to. Made by `open_gossip`."""

    def __init__(self, host: Host, topic: str, heard: Heard) -> None:
        self.listeners_changed = asyncio.Event()
        """Set whenever `neighbours` may be others; whoever waits clears it."""
        self._host = host
        self._topic = topic
        self._intake = Intake(topic, peer_ids.to_bytes(host.peer_id), heard, time.monotonic)
        self._router = Router(topic, self._intake.seen, time.monotonic)
        # Sequence numbers must grow over restarts, and nothing is saved: the clock does both.
        self._number = time.time_ns()
        self._neighbours: dict[str, Neighbour] = {}
        self._incoming: dict[str, Stream] = {}
        self._rpcs = TokenBucket(GOSSIP_RPCS_PER_MINUTE, time.monotonic)
        self._control_bytes = TokenBucket(GOSSIP_CONTROL_BYTES_PER_MINUTE, time.monotonic)
        self._unread = ByteBudget(GOSSIP_UNREAD_BYTES)
        self._busy = asyncio.Event()
        """Set while there is somebody to have a heartbeat for."""
        self._closing: set[asyncio.Task[None]] = set()
        self._closed = False

    async def publish(self, payload: bytes) -> None:
        """Send a signed message to everybody who listens."""
        if self._closed:
            return
        self._number += 1
        self._router.publish(sign(self._host.identity.seed, payload, self._number, self._topic))
        self._write()

    def neighbours(self) -> tuple[str, ...]:
        """Return the connected peers that listen to the topic too."""
        return self._router.listeners

    async def _run(self) -> None:
        """Call the heartbeat every second, for ever; not while there are no neighbours."""
        while True:
            await self._busy.wait()
            await asyncio.sleep(seconds_to_tick(HEARTBEAT_SECONDS))
            try:
                self._router.heartbeat()
                self._write()
            except Exception as error:  # a mistake of ours must not end all heartbeats to come
                _log.warning("a heartbeat of gossip failed", why=repr(error))
            if self._router.is_idle:
                self._busy.clear()

    async def _close(self) -> None:
        neighbours = tuple(self._neighbours.values())
        await asyncio.gather(*(neighbour.say_goodbye(LAST_WORDS_SECONDS) for neighbour in neighbours))
        # After the last words are sent, since `publish` does nothing from here on.
        self._closed = True
        for stream in tuple(self._incoming.values()):
            stream.reset()
        await asyncio.gather(*(neighbour.close() for neighbour in neighbours), *self._closing)

    def _write(self) -> None:
        for each in self._router.drain():
            neighbour = self._neighbours.get(each.peer)
            if neighbour is not None:
                neighbour.push(each.frame, each.handed_on)

    # Whom we send to.

    def _connected(self, connection: Connection) -> None:
        peer = connection.peer
        if self._closed:
            return
        if peer in self._neighbours:
            self._neighbours[peer].hint()
        else:
            self._neighbours[peer] = Neighbour(self._host, peer, write_subscription(self._topic), self._reached)

    def _disconnected(self, connection: Connection) -> None:
        if connection.peer in self._neighbours and not self._host.connections(connection.peer):
            closing = asyncio.create_task(self._neighbours.pop(connection.peer).close())
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)

    def _reached(self, neighbour: Neighbour, reached: bool) -> None:
        if reached:
            self._busy.set()
            self._router.reach(neighbour.peer, neighbour.opened_by_us)
        else:
            self._router.lose(neighbour.peer)
        self._write()

    # Who sends to us.

    async def _accept(self, stream: Stream) -> None:
        """Handle what a neighbour sends, to the end of its stream, and reset the stream then: an open one would be written to and read by
        nobody.
        """
        peer = stream.peer
        if self._closed or self._router.ignores(peer):
            stream.reset()
            return
        older = self._incoming.pop(peer, None)
        if older is not None:
            # Two streams of one neighbour would be read at twice the allowed rate.
            older.reset()
            self._listen(peer, False)
        self._incoming[peer] = stream
        if peer in self._neighbours:
            self._neighbours[peer].hint(has_spoken=True)
        try:
            await self._read(stream)
        except RemoteProtocolError as error:
            self._router.fault(peer, MALFORMED)
            _log.info("a neighbour's gossip ended", peer=peer, why=str(error))
        except NetworkError as error:
            _log.debug("a neighbour's gossip ended", peer=peer, why=str(error))
        finally:
            if self._incoming.get(peer) is stream:
                del self._incoming[peer]
                self._listen(peer, False)
            stream.reset()

    async def _read(self, stream: Stream) -> None:
        """Read the RPCs of a stream. Raises `RemoteProtocolError` and `NetworkError`."""
        reader = DelimitedReader("an RPC", GOSSIP_RPC_MAX_BYTES)
        until: float | None = None
        held = 0
        try:
            while data := await stream.read(None if until is None else max(0.0, until - time.monotonic())):
                reader.feed(data)
                if await self._take_all(stream.peer, reader):
                    until = None
                self._unread.free(held)
                held = len(reader) if self._unread.hold(len(reader)) else 0
                if held != len(reader):
                    raise RemoteProtocolError("all neighbours together have sent too much that is not whole")
                if not held:
                    until = None
                elif until is None:
                    until = time.monotonic() + GOSSIP_RPC_SECONDS
                if self._router.ignores(stream.peer):
                    return
        finally:
            self._unread.free(held)

    async def _take_all(self, peer: str, reader: DelimitedReader) -> bool:
        """Handle every whole RPC; return whether there was one."""
        number = 0
        while (data := reader.next_message()) is not None:
            number += 1
            while not self._rpcs.take(peer):
                self._intake.tell_of_flood(peer, f"more than {GOSSIP_RPCS_PER_MINUTE} RPCs a minute")
                await asyncio.sleep(seconds_to_tick(HEARTBEAT_SECONDS))
            await self._take(peer, data)
            if number % AT_ONCE == 0:
                await asyncio.sleep(0)
        return number > 0

    async def _take(self, peer: str, data: bytes) -> None:
        rpc = read_rpc(data)
        for topic, listens in rpc.subscriptions:
            if topic == self._topic:
                self._listen(peer, listens)
        for number, each in enumerate(rpc.messages, 1):
            message = self._intake.take(peer, each)
            if message is not None:
                self._router.forward(message, peer)
            if number % AT_ONCE == 0:
                await asyncio.sleep(0)
        if rpc.control:
            self._take_control(peer, rpc.control)
        self._write()

    def _take_control(self, peer: str, control: bytes) -> None:
        if self._control_bytes.take(peer, len(control)):
            self._router.control(peer, read_control(control, self._topic))
        else:
            self._intake.tell_of_flood(peer, f"more than {GOSSIP_CONTROL_BYTES_PER_MINUTE} bytes of controls a minute")

    def _listen(self, peer: str, listens: bool) -> None:
        self._busy.set()
        self._router.listen(peer, listens)
        self.listeners_changed.set()


@contextlib.asynccontextmanager
async def open_gossip(host: Host, topic: str, heard: Heard) -> AsyncIterator[Gossip]:
    """Listen to a topic until the block is left. `heard` must not wait."""
    gossip = Gossip(host, topic, heard)
    for protocol in PROTOCOLS:
        await host.serve(protocol, gossip._accept, None)
    unwatch = host.watch(gossip._connected, gossip._disconnected)
    # Connections from before the topic was opened; `watch` reports only later ones.
    for connection in host.connections():
        gossip._connected(connection)
    beating = asyncio.create_task(gossip._run())
    try:
        yield gossip
    finally:
        unwatch()
        await gossip._close()
        beating.cancel()
        await asyncio.gather(beating, return_exceptions=True)
