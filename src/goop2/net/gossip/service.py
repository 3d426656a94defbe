"""One topic of GossipSub for a host: small signed messages that reach everybody who listens, connected or not.

py-libp2p's router does the work. What must be otherwise, each with its reason:

1. Whatever a stranger sends that the library stumbles over would end the service, and with it the whole trio side. `_Pubsub` lets the
   stream or the message go instead, and a service that still fails is begun anew.
2. Nothing bounds how much comes: what was seen is kept for two minutes, and a name costs its inventor nothing. Meters stand before the
   signature is looked at (by who hands it on, and in total) and after (by author).
3. Control messages may name any topic, and each is remembered. `_Router` hears only ours.
4. Its own guards count a handful of messages a second and as many addresses: five hundred peers send a hundred. They are off.
5. When each message came is noted for ever, 30 bytes of a hundred a second, for what is off too.
6. What is published goes to the mesh, and while that is empty to nobody, until a heartbeat tells who has missed it. Who has just met its
   neighbours may be gone by then, and a full neighbour may have put it out of its mesh: our own words go to some listeners besides.

Trio side, but for `Gossip`. It knows nothing of what is said.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any, Final

import structlog
import trio
from libp2p.abc import INetStream
from libp2p.peer.id import ID
from libp2p.pubsub.gossipsub import PROTOCOL_ID, PROTOCOL_ID_V11, GossipSub
from libp2p.pubsub.pb import rpc_pb2
from libp2p.pubsub.pubsub import Pubsub
from libp2p.pubsub.pubsub_notifee import PubsubNotifee
from libp2p.tools.anyio_service.context import background_trio_service

from goop2.config.ticks import seconds_to_tick
from goop2.net.admission import TokenBucket
from goop2.net.guest import Guest, GuestStoppedError
from goop2.net.host import Host
from goop2.net.limits import (
    AUTHOR_MESSAGES_PER_MINUTE,
    CLOSE_SECONDS,
    FORGETTING_AT_KEYS,
    GOSSIP_MESSAGE_MAX_BYTES,
    GOSSIP_MESSAGES_PER_MINUTE,
    GOSSIP_RPC_MAX_BYTES,
    NEIGHBOUR_MESSAGES_PER_MINUTE,
    RETRY_FIRST_SECONDS,
    RETRY_MAX_SECONDS,
)

PROTOCOLS: Final = (PROTOCOL_ID_V11, PROTOCOL_ID)
HEARTBEAT_SECONDS: Final = 1
"""Of the router: how soon a new neighbour is part of the mesh. The library's own pace is two minutes."""
RENEW_SECONDS: Final = 30.0
"""Between two looks for connected peers we do not speak to; one that speaks no gossip is asked again each time."""
SEEN_SECONDS: Final = 120
"""So long a message is known by its number; the roster tells older ones by their time."""
LAST_WORDS_SECONDS: Final = 0.5
_POLL_SECONDS: Final = 0.01
IDS_PER_CONTROL: Final = 5000

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger("goop2.net")

Heard = Callable[[str, bytes], bool]
"""heard(author, payload) → whether it is worth handing on. The author is proved by a signature."""


class Gossip:
    """A topic that is listened to; made by `open_gossip`."""

    def __init__(self, guest: Guest, host: Host, topic: str, heard: Heard) -> None:
        self._guest = guest
        self._host = host
        self._topic = topic
        self._heard = heard
        self.listeners_changed = asyncio.Event()
        """Set whenever `neighbours` may be others; whoever waits clears it."""
        self._pubsub: _Pubsub | None = None
        self._ended = trio.Event()
        self._stop = trio.CancelScope()

    async def publish(self, payload: bytes) -> None:
        """Say it to everybody who listens, signed. Does nothing while the service is not there."""
        with contextlib.suppress(GuestStoppedError):
            await self._guest.call(self._publish, payload)

    def neighbours(self) -> tuple[str, ...]:
        """Return who of the connected peers listens to the topic too."""
        listening = self._pubsub.peer_topics.get(self._topic, set()) if self._pubsub else set()
        return tuple(str(peer) for peer in listening)

    async def _close(self) -> None:
        await self._said_everything()
        self._stop.cancel()
        await self._ended.wait()

    async def _said_everything(self) -> None:
        """What was published stands in queues; a goodbye must get out."""
        with trio.move_on_after(LAST_WORDS_SECONDS):
            while self._pubsub is not None and self._pubsub.unsaid:  # noqa: ASYNC110 (no event)
                await trio.sleep(_POLL_SECONDS)

    async def _publish(self, payload: bytes) -> None:
        if self._pubsub is not None:
            await self._pubsub.publish(self._topic, payload)

    async def _run(self) -> None:
        try:
            with self._stop:
                await self._keep_up()
        finally:
            self._ended.set()

    async def _keep_up(self) -> None:
        wait = RETRY_FIRST_SECONDS
        while True:
            began = trio.current_time()
            try:
                await self._serve()
            except Exception as error:
                # A service a stranger managed to end; the next one starts with nothing of what it had.
                _log.warning("gossip failed and begins anew", why=repr(error))
            lasted = trio.current_time() - began > RETRY_MAX_SECONDS
            wait = RETRY_FIRST_SECONDS if lasted else min(wait * 2, RETRY_MAX_SECONDS)
            await trio.sleep(wait)

    async def _serve(self) -> None:
        router = _Router(self._topic)
        pubsub = _Pubsub(self._host._host, router, self._topic, self._heard, self.listeners_changed.set)
        network: Any = self._host._swarm
        try:
            async with background_trio_service(pubsub), background_trio_service(router):
                await pubsub.wait_until_ready()
                await pubsub.subscribe(self._topic)
                self._pubsub = pubsub
                while True:
                    pubsub.renew(network.get_connections_map())
                    with trio.move_on_after(RENEW_SECONDS):
                        await pubsub.manager.wait_finished()
                        return
        finally:
            self._pubsub = None
            self.listeners_changed.set()
            network.remove_notifee(pubsub.notifee)
            with trio.CancelScope(shield=True, deadline=trio.current_time() + CLOSE_SECONDS):
                await pubsub.close()


@contextlib.asynccontextmanager
async def open_gossip(guest: Guest, host: Host, topic: str, heard: Heard) -> AsyncIterator[Gossip]:
    """Listen to a topic until the block is left. `heard` is called on the loop's own thread and must not wait."""
    gossip = Gossip(guest, host, topic, heard)
    guest.start_soon(gossip._run)
    try:
        yield gossip
    finally:
        with contextlib.suppress(GuestStoppedError):
            await guest.call(gossip._close)


class _Router(GossipSub):
    """A GossipSub router for one topic."""

    def __init__(self, topic: str) -> None:
        super().__init__(
            PROTOCOLS,
            degree=6,
            degree_low=4,
            degree_high=12,
            do_px=False,
            adaptive_gossip_enabled=False,
            spam_protection_enabled=False,
            eclipse_protection_enabled=False,
        )
        self._topic = topic

    @property  # type: ignore[override] # the library only sleeps so long
    def heartbeat_interval(self) -> float:
        """Return how long the library's loop of heartbeats waits for the next: until the tick at which the peer wakes up anyway."""
        return seconds_to_tick(HEARTBEAT_SECONDS)

    @heartbeat_interval.setter
    def heartbeat_interval(self, _seconds: float) -> None:
        pass

    async def handle_rpc(self, rpc: rpc_pb2.RPC, sender_peer_id: ID) -> None:
        """Control messages about our topic, of a size that makes sense."""
        control: Any = rpc.control
        named = [each.topicID for each in (*control.ihave, *control.graft, *control.prune)]
        ids = sum(len(each.messageIDs) for each in (*control.ihave, *control.iwant))
        if ids <= IDS_PER_CONTROL and all(topic == self._topic for topic in named):
            await super().handle_rpc(rpc, sender_peer_id)
        self._forget_back_offs()

    async def publish(self, msg_forwarder: ID, pubsub_msg: rpc_pb2.Message) -> None:
        """Hand a message on to neighbours."""
        await super().publish(msg_forwarder, pubsub_msg)
        self.recent_message_deliveries.clear()

    def _get_peers_to_send(self, topic_ids: Iterable[str], msg_forwarder: ID, origin: ID, msg_id: bytes | None = None) -> Iterable[ID]:
        chosen = set(super()._get_peers_to_send(topic_ids, msg_forwarder, origin, msg_id))
        pubsub: Any = self.pubsub
        if msg_forwarder == pubsub.my_id and self._topic in pubsub.peer_topics:
            chosen.update(self._get_in_topic_gossipsub_peers_from_minus(self._topic, self.degree - len(chosen), chosen))
        return chosen

    def _forget_back_offs(self) -> None:
        """Of peers that come no more; a new name costs a stranger a handshake."""
        known = self.back_off.get(self._topic, {})
        if len(known) > FORGETTING_AT_KEYS:
            now = time.time()
            self.back_off[self._topic] = {peer: until for peer, until in known.items() if until > now}


class _Pubsub(Pubsub):
    """The service for one topic, kept up whatever comes."""

    def __init__(
        self, host: Any, router: _Router, topic: str, heard: Heard, listeners_changed: Callable[[], object] = lambda: None
    ) -> None:
        network = host.get_network()
        before = set(network.notifees)
        super().__init__(
            host,
            router,
            seen_ttl=SEEN_SECONDS,
            strict_signing=True,
            max_inbound_rpc_size=GOSSIP_RPC_MAX_BYTES,
            allowed_topics={topic},
        )
        self.notifee: PubsubNotifee = next(each for each in network.notifees if each not in before)
        self._topic = topic
        self._by_neighbour = TokenBucket(NEIGHBOUR_MESSAGES_PER_MINUTE, time.monotonic)
        self._by_author = TokenBucket(AUTHOR_MESSAGES_PER_MINUTE, time.monotonic)
        self._by_all = TokenBucket(GOSSIP_MESSAGES_PER_MINUTE, time.monotonic)
        self._heard = heard
        self._listeners_changed = listeners_changed
        self._incoming: set[INetStream] = set()
        self._writing = 0
        self.set_topic_validator(topic, self._worth_handing_on, is_async_validator=False)
        # Numbers go up over a restart within the same second too: a number seen twice is a message dropped.
        self.counter = time.time_ns()

    async def push_msg(self, msg_forwarder: ID, msg: rpc_pb2.Message) -> None:
        """A message, ours or another's: looked at only as far as it may come."""
        if msg_forwarder != self.my_id and not self._admitted(msg_forwarder, msg):
            return
        with contextlib.suppress(Exception):  # whatever the library's parsers raise over a stranger's message
            await super().push_msg(msg_forwarder, msg)

    @property
    def unsaid(self) -> bool:
        """Return whether something that was published is not on its way yet."""
        return self._writing > 0 or any(len(queue) for queue in self.peer_queues.values())

    async def write_msg(self, stream: INetStream, rpc_msg: rpc_pb2.RPC) -> bool:
        """Write a message to a neighbour; return whether it was sent."""
        self._writing += 1
        try:
            return await super().write_msg(stream, rpc_msg)
        finally:
            self._writing -= 1

    async def stream_handler(self, stream: INetStream) -> None:
        """A neighbour's stream, to its end. It is reset then: one that stays open would be written to, and heard by nobody."""
        peer = stream.muxed_conn.peer_id
        self._incoming.add(stream)
        try:
            await super().stream_handler(stream)
        except Exception as error:
            _log.info("a neighbour's gossip ended", peer=str(peer), why=repr(error))
        finally:
            self._incoming.discard(stream)
            self._forget_all_subscriptions(peer)
            with trio.CancelScope(shield=True, deadline=trio.current_time() + CLOSE_SECONDS), contextlib.suppress(Exception):
                await stream.reset()

    def _forget_all_subscriptions(self, peer_id: ID) -> None:
        """What a peer listens to is known from the stream it opened, and as long as that is open: the library forgets it with ours."""
        if all(stream.muxed_conn.peer_id != peer_id for stream in self._incoming):
            super()._forget_all_subscriptions(peer_id)
            self._listeners_changed()

    def handle_subscription(self, origin_id: ID, sub_message: rpc_pb2.RPC.SubOpts) -> None:
        """A neighbour begins to listen, or ends it."""
        super().handle_subscription(origin_id, sub_message)
        self._listeners_changed()

    def notify_subscriptions(self, publish_message: rpc_pb2.Message) -> None:
        """None: the validator has handed it up."""

    def renew(self, connected: Iterable[ID]) -> None:
        """Speak to whoever is connected and has no stream: the library forgets a peer whose stream ends while it is being opened."""
        for peer in tuple(connected):
            if peer not in self.peers:
                self._schedule_peer_stream_retry(peer)

    async def close(self) -> None:
        """End the thread that sweeps what was seen, and every stream, so that neighbours begin anew with the next service.

        Of a stream that is reset, or ends with its connection, a neighbour throws away what it has not read: it has a moment to read ours.
        """
        self.seen_messages.stop()
        async with trio.open_nursery() as nursery:
            for stream in self.peers.values():
                ours: Any = stream
                nursery.start_soon(ours.muxed_stream.linger, LAST_WORDS_SECONDS)
        for stream in tuple(self._incoming):
            with contextlib.suppress(Exception):  # it may be gone already, in any of the library's ways
                await stream.reset()

    def _admitted(self, neighbour: ID, msg: rpc_pb2.Message) -> bool:
        """Without a look at the signature, which costs a tenth of a millisecond."""
        if len(msg.data) > GOSSIP_MESSAGE_MAX_BYTES or list(msg.topicIDs) != [self._topic]:
            return False
        if msg.from_id == self.my_id.to_bytes() or self._is_msg_seen(msg) or not _holds_its_key(msg.from_id):
            return False
        return self._by_neighbour.take(str(neighbour)) and self._by_all.take("")

    def _worth_handing_on(self, neighbour: ID, msg: rpc_pb2.Message) -> bool:
        if neighbour == self.my_id:
            return True
        author = str(ID(msg.from_id))
        return self._by_author.take(author) and self._heard(author, bytes(msg.data))


def _holds_its_key(author: bytes) -> bool:
    """Return whether the id itself says which key signs for it; ids of the network do, and others make the library raise."""
    try:
        return ID(author).extract_public_key() is not None
    except Exception:  # whatever its parsers raise
        return False
