"""A peer on the network: open its parts in order, and carry its messages to others. dispatch.py answers the requests of others."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

import msgspec

from goop2.config.ticks import seconds_to_tick
from goop2.net.address import EXAMPLE, parse, peer_id, typed_id
from goop2.net.faults import AddressError, NetworkError
from goop2.net.host import Connected, Host
from goop2.net.latencies import Latencies
from goop2.net.reachability import Reachability
from goop2.peers.avatar_exchange import AvatarExchange
from goop2.peers.client import MessageRejectedError, PeerClient
from goop2.peers.diagnosis import Diagnosis
from goop2.peers.discovery.discovery import Discovery, open_discovery, real_addresses
from goop2.peers.discovery.peers_file import RememberedPeers
from goop2.peers.discovery.roster import Roster, RosterChange, RosterEntry
from goop2.peers.dispatch import CallerResolver, MessageDispatcher, peer_server
from goop2.peers.file_exchange import FileExchange
from goop2.peers.followed_session import FollowedSession
from goop2.peers.hosted_session import HostedSession
from goop2.peers.key_exchange import KeyExchange
from goop2.peers.known_keys import KnownKeys
from goop2.peers.outbox import Outbox
from goop2.peers.payload_crypto import KeyRing
from goop2.peers.reach import Reach, reach_of
from goop2.protocols import topics
from goop2.protocols.presence import Presence, cut
from goop2.scripting.subscribers import Subscribers
from goop2.services.app_messages import AppMessage
from goop2.services.chat.service import Carry, Heard, TellShown, UndeliveredError
from goop2.services.groups.records import Outgoing
from goop2.services.groups.service import GroupService
from goop2.services.groups.state import GroupState
from goop2.storage import peer_cache

if TYPE_CHECKING:
    from goop2.services.peer import Peer

REJOIN_SECONDS: Final = 60
"""Between two looks for groups whose host took no message for a while and is here all the same."""
BROADCAST_AT_ONCE: Final = 16
"""Peers a message to everybody is on its way to: one that is frozen holds its place for five seconds, not everybody."""
GOODBYE_SECONDS: Final = 2.0
"""For the last messages: that a session is over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerNetwork:
    """A peer's network while it is open."""

    host: Host
    latencies: Latencies
    client: PeerClient
    discovery: Discovery
    broadcasts: Subscribers[Heard]
    app_messages: Subscribers[AppMessage]
    groups: GroupState
    outbox: Outbox
    followed: FollowedSession

    @property
    def roster(self) -> Roster:
        """Return the roster of peers that are online."""
        return self.discovery.roster

    def addresses(self) -> tuple[str, ...]:
        """Return where others can dial this peer."""
        return _addresses(self.host, self.discovery)

    def reach(self) -> Reach:
        """Return how this peer is reached, as far as somebody has tried."""
        return reach_of(self.discovery.reachability, self.discovery.through_relays)

    def connected(self) -> dict[str, Connected]:
        """Return peer → how it is connected now."""
        return {each.peer: each for each in self.host.peers()}

    def measure_latencies(self) -> asyncio.Task[None] | None:
        """Begin to ping the connected peers, unless that was done a moment ago (net/latencies.py)."""
        return self.latencies.measure()

    def watch(self, changed: Callable[[], object]) -> Callable[[], None]:
        """Call `changed` whenever a peer comes or goes, is connected another way, or this peer is reached another way.

        Returns what ends it.
        """

        def tell(_what: object) -> None:
            changed()

        ends = (
            self.host.watch(tell, tell),
            self.roster.subscribe(tell),
            self.discovery.reachability.watch(changed),
            self.latencies.watch(changed),
        )

        def unwatch() -> None:
            for end in ends:
                end()

        return unwatch

    def typed_in(self) -> list[tuple[str, str]]:
        """Return peer and address of what the owner typed in, the last first. Raises `PeersFileError`."""
        return [(each.peer, each.transport) for each in self.discovery.typed_in()]

    def forget(self, peer: str) -> bool:
        """Forget the addresses of a peer that the owner typed in; return whether there were any."""
        return self.discovery.forget(peer)

    async def connect(self, address: str) -> tuple[str, str]:
        """Connect to a peer by its address, now and at every start; return its id and label. Raises `AddressError`, `NetworkError`.

        The id alone is enough for a peer that is known already; that is not remembered for the next start.
        """
        known = None
        try:
            peer = typed_id(address)
        except AddressError:
            known = parse(address)
            peer = known.peer
        if peer == self.host.peer_id:
            raise AddressError(f"{peer} is this peer itself: give another one's address")
        if known is not None:
            await self.discovery.connect(known)
        elif self.host.is_known(peer):
            await self.host.connect(peer)
        else:
            raise AddressError(f"no address of {peer} is known: give one, such as {EXAMPLE}")
        label = await self.client.label(peer)
        self.roster.introduced(peer, label)
        return peer, label

    async def broadcast(self, content: str, timestamp_ms: int) -> int:
        """Send a message to every peer that is online; return how many accepted it. `timestamp_ms`: since 1970."""
        payload = msgspec.json.encode(topics.ChatPayload(content, timestamp_ms))
        places = asyncio.Semaphore(BROADCAST_AT_ONCE)

        async def reach(peer: str) -> bool:
            async with places:
                try:
                    await self.client.send(peer, topics.BROADCAST, payload)
                except NetworkError:
                    return False
                return True

        return sum(await asyncio.gather(*(reach(peer.id) for peer in self.roster.peers())))


@asynccontextmanager
async def open_network(
    peer: Peer, host: Host, reachability: Reachability, latencies: Latencies, *, servers: Iterable[str] = (), near_by: bool = True
) -> AsyncIterator[PeerNetwork]:
    """Put `peer` on the network of `host` until the block is left.

    `servers`: the URLs of the rendezvous servers to use. `near_by`: look on the local network too.
    """
    async with AsyncExitStack() as stack:
        roster = Roster(host.peer_id, time.monotonic)
        remembered = RememberedPeers(peer.folder)
        key_ring = await _key_ring(stack, peer, roster, KnownKeys(remembered))
        client = PeerClient(host, key_ring)
        key_exchange = KeyExchange(client, key_ring, partial(_identity, peer), time.monotonic)
        # Closed after everything below that may start an exchange.
        stack.push_async_callback(key_exchange.close)
        grouping, groups = peer.grouping, peer.grouping.groups
        outbox = Outbox(client.send, grouping.gone)
        # Pushed before the sessions, so it runs after their ends: their last messages are in the outbox then.
        stack.push_async_callback(outbox.flush, GOODBYE_SECONDS)
        grouping.attach(outbox.post, client.send, peer_id, partial(_label, peer, roster))
        stack.callback(grouping.detach)
        session = HostedSession(peer.listening, groups, outbox.post, key_ring)
        stack.callback(session.stop)
        followed = FollowedSession(peer.listening, grouping, host, client, key_ring)
        stack.callback(followed.stop)
        caller_of = CallerResolver(roster)
        broadcasts: Subscribers[Heard] = Subscribers()
        app_messages: Subscribers[AppMessage] = Subscribers()
        # Before anybody can find us: whoever does asks at once.
        dispatcher = MessageDispatcher(
            peer=peer, roster=roster, broadcasts=broadcasts, app_messages=app_messages, key_exchange=key_exchange, outbox=outbox
        )
        await peer_server(peer, caller_of, dispatcher.dispatch_message, key_ring).attach(host)
        await key_exchange.attach(host)
        await session.attach(host)
        pictures = AvatarExchange(peer.avatars, client, key_ring, host, time.monotonic)
        stack.push_async_callback(pictures.close)
        stack.callback(peer.avatars.attach(pictures.fetch))
        await pictures.attach()
        exchange = FileExchange(peer.shared_files, host, key_ring)
        stack.callback(peer.shared_files.attach(exchange))
        await exchange.attach()
        says = partial(_presence, peer)
        finding = open_discovery(host, reachability, roster, remembered, says, servers=servers, near_by=near_by)
        # Entered last of what answers others, so closed first: peers hear `offline` while this one still answers.
        discovery = await stack.enter_async_context(finding)
        _attach_keys(roster, host, key_ring, key_exchange)
        await Diagnosis(host, discovery.reservations, partial(_addresses, host, discovery)).attach()
        _attach_pictures(stack, peer, roster, discovery, pictures)
        stack.callback(_tell_changes(peer, discovery.changed))
        roster.subscribe(partial(_note_presence, grouping))
        # Presence need not tell: a host that was started anew within the time for which it counts as here has forgotten its members.
        stack.callback(host.watch(lambda connection: grouping.connected(connection.peer)))
        roster.subscribe(partial(_send_email, peer, key_exchange))
        for work in (session.keep_in_step(), followed.keep_in_touch(), _keep_groups(grouping, roster), peer.avatars.watch()):
            stack.callback(asyncio.create_task(work).cancel)
        peer.chat.attach(_carry(client), caller_of, _show_receipts(outbox))
        stack.callback(peer.chat.detach)
        yield PeerNetwork(
            host=host,
            latencies=latencies,
            client=client,
            discovery=discovery,
            broadcasts=broadcasts,
            app_messages=app_messages,
            groups=groups,
            outbox=outbox,
            followed=followed,
        )


def _addresses(host: Host, discovery: Discovery) -> tuple[str, ...]:
    direct = dict.fromkeys((*real_addresses(host), *discovery.dialled_at))
    return (*direct, *discovery.through_relays)


async def _key_ring(stack: AsyncExitStack, peer: Peer, roster: Roster, known: KnownKeys) -> KeyRing:
    """Return the key ring of a peer with the keys of earlier starts; new keys are saved until `stack` is closed."""
    keys = peer.payload_keys
    if keys is None:
        return KeyRing()
    key_ring = KeyRing(keys.private, keys.public_text, time.monotonic, roster.hinted_key, known.learned)
    for other, key in (await asyncio.to_thread(known.load)).items():
        key_ring.restore(other, key)
    for other, key in peer_cache.public_keys(peer.database).items():
        key_ring.restore_hint(other, key)
    stack.push_async_callback(known.save)
    stack.callback(asyncio.create_task(known.run()).cancel)
    return key_ring


def _attach_keys(roster: Roster, host: Host, key_ring: KeyRing, key_exchange: KeyExchange) -> None:
    """Learn the keys that peers announce, and ask for those that they say they have."""

    def learn(entry: RosterEntry) -> None:
        is_new = key_ring.learn(entry.id, entry.public_key, supported=entry.encryption_supported)
        if not host.is_connected(entry.id):
            return
        if is_new:
            key_exchange.answer(entry.id)
        elif entry.encryption_supported and not key_ring.knows(entry.id):
            key_ring.want(entry.id)

    # Some peers were found while discovery opened, before the subscription below.
    for entry in roster.peers():
        learn(entry)
    roster.subscribe(lambda change: learn(change.peer) if change.what != "offline" else None)


def _attach_pictures(stack: AsyncExitStack, peer: Peer, roster: Roster, discovery: Discovery, pictures: AvatarExchange) -> None:
    """Ask for the pictures that peers tell of, and tell others when the own one changes, until `stack` is closed."""
    for entry in roster.peers():
        pictures.heard(entry)
    roster.subscribe(lambda change: pictures.heard(change.peer) if change.what != "offline" else None)
    stack.callback(discovery.host.watch(lambda connection: pictures.connected(connection.peer)))
    stack.callback(peer.avatars.subscribe(lambda changed: None if changed else discovery.changed()))


def _tell_changes(peer: Peer, changed: Callable[[], object]) -> Callable[[], None]:
    """Call `changed` when new settings change what this peer announces. Return what ends it."""
    last = _presence(peer)

    def compare() -> None:
        nonlocal last
        now = _presence(peer)
        if now != last:
            last = now
            changed()

    return peer.live_settings.watch(compare)


def _presence(peer: Peer) -> Presence:
    """Return the announcement of this peer. Its key goes to rendezvous servers only (peers/discovery/discovery.py)."""
    key = peer.payload_keys.public_text if peer.payload_keys else ""
    email = peer.settings.profile.email_for("")
    return Presence(
        "online",
        peer.identity.peer_id,
        peer.owner.label,
        email,
        avatar_hash=peer.avatars.own_hash,
        active_template=cut(peer.settings.viewer.active_template),
        public_key=key,
        encryption_supported=bool(key),
    )


def _identity(peer: Peer, other: str) -> topics.IdentityPayload:
    """Return this peer's identity for another peer; the key exchange adds the key."""
    return topics.IdentityPayload(
        peer.identity.peer_id, peer.owner.label, peer.settings.profile.email_for(other), avatar_hash=peer.avatars.own_hash
    )


def _send_email(peer: Peer, key_exchange: KeyExchange, change: RosterChange) -> None:
    """Send the e-mail address to a peer that comes, when only named peers may have it: presence goes to everybody."""
    shared = peer.settings.profile.share_email
    if isinstance(shared, tuple) and change.what == "online" and change.peer.id in shared and peer.settings.profile.email:
        key_exchange.answer(change.peer.id)


def _carry(client: PeerClient) -> Carry:
    async def carry(peer: str, wire_id: str, content: str, timestamp: int) -> None:
        try:
            await client.chat(peer, content, timestamp, wire_id)
        except MessageRejectedError as refusal:
            raise UndeliveredError(str(refusal), refusal.code, refusal.retry_after_seconds) from None
        except NetworkError as fault:
            raise UndeliveredError(str(fault)) from None

    return carry


def _show_receipts(outbox: Outbox) -> TellShown:
    def send(peer: str, ids: Sequence[str]) -> None:
        outbox.post(Outgoing(peer, topics.ACK, msgspec.json.encode(topics.Delivered(id_))) for id_ in ids)

    return send


def _note_presence(grouping: GroupService, change: RosterChange) -> None:
    if change.what == "offline":
        grouping.gone(change.peer.id)
    elif change.what == "online":
        grouping.back(change.peer.id)


async def _keep_groups(grouping: GroupService, roster: Roster) -> None:
    """Send the member lists that wait, and ask hosts again that have not answered or are here again unnoticed; until cancelled."""
    rejoined = time.monotonic()
    while True:
        if not grouping.groups.hosted() and not grouping.groups.joined():  # no list can wait, and nobody is asked
            await grouping.wait_for_groups(seconds_to_tick(REJOIN_SECONDS))
        await asyncio.sleep(seconds_to_tick(1.0))
        grouping.tick()
        if time.monotonic() - rejoined >= REJOIN_SECONDS:
            rejoined = time.monotonic()
            for host in {group.host for group in grouping.groups.joined() if not group.joined and roster.get(group.host) is not None}:
                grouping.back(host)


def _label(peer: Peer, roster: Roster, other: str) -> str:
    """Return what a peer calls itself, this one included; "" where that is not known."""
    if other == peer.identity.peer_id:
        return peer.owner.label
    entry = roster.get(other)
    return entry.label if entry is not None and entry.proved and entry.label != other else ""
