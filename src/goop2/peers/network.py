"""A peer gets on the network: its parts opened in order, and how its messages reach others. What others ask is dispatch.py's."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec

from goop2.config.ticks import seconds_to_tick
from goop2.net.address import EXAMPLE, parse, peer_id, typed_id
from goop2.net.faults import AddressError, NetworkError
from goop2.net.guest import Guest, open_guest
from goop2.net.host import ALL_ADDRESSES, Host, open_host
from goop2.peers.client import MessageRejectedError, PeerClient
from goop2.peers.discovery.discovery import Discovery, open_discovery, real_addresses
from goop2.peers.discovery.roster import Roster, RosterChange
from goop2.peers.discovery.roster import RosterEntry as Known
from goop2.peers.dispatch import CallerResolver, keeping, serving
from goop2.peers.followed_session import FollowedSession
from goop2.peers.hosted_session import HostedSession
from goop2.peers.key_exchange import KeyExchange
from goop2.peers.outbox import Outbox
from goop2.peers.payload_crypto import KeyRing
from goop2.protocols import topics
from goop2.protocols.presence import Presence
from goop2.scripting.subscribers import Subscribers
from goop2.services.chat.service import Carry, Heard, TellShown, UndeliveredError
from goop2.services.groups.service import GroupService
from goop2.services.groups.state import GroupState, Outgoing

if TYPE_CHECKING:
    from goop2.services.peer import Peer

REJOIN_SECONDS: Final = 60
"""Between two tries to be let into a group whose host is here."""
BROADCAST_AT_ONCE: Final = 16
"""Peers a message to everybody is on its way to: one that is frozen holds its place for five seconds, not everybody."""
GOODBYE_SECONDS: Final = 2.0
"""For the last messages: that a session is over."""


@dataclass(frozen=True, slots=True)
class PeerNetwork:
    """A peer's network while it is open."""

    host: Host
    client: PeerClient
    discovery: Discovery
    broadcasts: Subscribers[Heard]
    groups: GroupState
    outbox: Outbox
    followed: FollowedSession

    @property
    def roster(self) -> Roster:
        """Return the roster of peers that are online."""
        return self.discovery.roster

    def addresses(self) -> tuple[str, ...]:
        """Return where others can dial this peer."""
        return (*real_addresses(self.host), *self.discovery.through_relays)

    async def connect(self, address: str) -> tuple[str, str]:
        """Connect to a peer by its address, now and at every start; its id and label. Raises `AddressError`, `NetworkError`.

        The id alone will do for a peer that is known already; that is not remembered for the next start.
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
        """Send to every peer that is here; to how many it got."""
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
    peer: Peer,
    servers: AbstractAsyncContextManager[list[str]],
    port: int | None = None,
    *,
    listen_on: str = "",
    near_by: bool = True,
    guest: Guest | None = None,
) -> AsyncIterator[PeerNetwork]:
    """Put `peer` on the network until the block is left.

    `servers`: the URLs of the rendezvous servers to use, while it is open. `port`: TCP, 0 for any; None: p2p.listen_port. `listen_on`:
    an IP address; "" for all of them. `guest`: trio beside this loop, where it runs already; a thread can have one.
    Raises `PortInUseError`, and `GuestFailedError` out of the block when libp2p fails.
    """
    port = peer.settings.p2p.listen_port if port is None else port
    async with AsyncExitStack() as stack:
        trio = await stack.enter_async_context(open_guest()) if guest is None else guest
        host = await stack.enter_async_context(open_host(trio, peer.identity, port, None, listen_on or ALL_ADDRESSES))
        broadcasts: Subscribers[Heard] = Subscribers()
        key_ring = _key_ring(peer)
        client = PeerClient(host, key_ring)
        key_exchange = KeyExchange(client.send, key_ring, lambda: _introduction(peer, key_ring), time.monotonic)
        key_exchange.email_for = peer.settings.profile.email_for
        stack.push_async_callback(key_exchange.close)
        key_ring.unknown = key_exchange.ask
        grouping, groups = peer.grouping, peer.grouping.groups
        outbox = Outbox(client.send, grouping.gone)
        stack.push_async_callback(outbox.flush, GOODBYE_SECONDS)
        grouping.attach(outbox.post, client.send, peer_id)
        stack.callback(grouping.detach)
        session = HostedSession(peer.listening, groups, outbox.post, key_ring)
        stack.callback(session.stop)
        followed = FollowedSession(peer.listening, grouping, host, client, key_ring)
        stack.callback(followed.stop)
        who = CallerResolver()
        # Before anybody can find us: whoever does asks at once.
        keep = keeping(peer, who, broadcasts, key_exchange)
        await serving(peer, who, keep, key_ring).attach(host)
        await session.attach(host)
        finding = open_discovery(
            trio, host, peer.folder, _says(peer, key_ring), servers=await stack.enter_async_context(servers), near_by=near_by
        )
        discovery = await stack.enter_async_context(finding)
        who.roster = discovery.roster
        _learn_keys(discovery.roster, key_ring)
        discovery.roster.subscribe(_presence(grouping))
        discovery.roster.subscribe(_telling_email(peer, key_exchange))
        for work in (session.keep_in_step(), followed.keep_in_touch(), _keep_groups(grouping, discovery.roster)):
            stack.callback(asyncio.create_task(work).cancel)
        network = PeerNetwork(host, client, discovery, broadcasts, groups, outbox, followed)
        peer.chat.attach(_carrying(network.client), who, _telling_shown(outbox))
        stack.callback(peer.chat.detach)
        yield network


def _key_ring(peer: Peer) -> KeyRing:
    keys = peer.payload_keys
    return KeyRing(keys.private, keys.public_text, time.monotonic) if keys else KeyRing()


def _learn_keys(roster: Roster, key_ring: KeyRing) -> None:
    def learn(peer: Known) -> None:
        key_ring.learn(peer.id, peer.public_key, supported=peer.encryption_supported)

    def hint(peer: str) -> str:
        known = roster.get(peer)
        return known.hinted_key if known else ""

    for peer in roster.peers():
        learn(peer)
    roster.subscribe(lambda change: learn(change.peer))
    key_ring.hint = hint


def _says(peer: Peer, key_ring: KeyRing) -> Callable[[], Presence]:
    key = key_ring.public_key
    return lambda: Presence(
        "online",
        peer.identity.peer_id,
        peer.owner.label,
        peer.settings.profile.email_for(""),
        public_key=key,
        encryption_supported=bool(key),
    )


def _introduction(peer: Peer, key_ring: KeyRing) -> topics.IdentityPayload:
    """Return what this peer says of itself to whoever asks; the e-mail address is added for those who may have it."""
    key = key_ring.public_key
    return topics.IdentityPayload(peer.identity.peer_id, peer.owner.label, public_key=key, encryption_supported=bool(key))


def _telling_email(peer: Peer, key_exchange: KeyExchange) -> Callable[[RosterChange], None]:
    """Presence goes to everybody, so a peer that alone may have the e-mail address is told it when it comes."""
    shared = peer.settings.profile.share_email

    def changed(change: RosterChange) -> None:
        if isinstance(shared, tuple) and change.what == "online" and change.peer.id in shared and peer.settings.profile.email:
            key_exchange.answer(change.peer.id)

    return changed


def _carrying(client: PeerClient) -> Carry:
    async def carry(peer: str, wire_id: str, content: str, timestamp: int) -> None:
        try:
            await client.chat(peer, content, timestamp, wire_id)
        except MessageRejectedError as refusal:
            raise UndeliveredError(str(refusal), refusal.code, refusal.retry_after_seconds) from None
        except NetworkError as fault:
            raise UndeliveredError(str(fault)) from None

    return carry


def _telling_shown(outbox: Outbox) -> TellShown:
    def tell(peer: str, ids: Sequence[str]) -> None:
        outbox.post(Outgoing(peer, topics.ACK, msgspec.json.encode(topics.Delivered(id_))) for id_ in ids)

    return tell


def _presence(grouping: GroupService) -> Callable[[RosterChange], None]:
    def changed(change: RosterChange) -> None:
        if change.what == "offline":
            grouping.gone(change.peer.id)
        elif change.what == "online":
            grouping.back(change.peer.id)

    return changed


async def _keep_groups(grouping: GroupService, roster: Roster) -> None:
    """Lists that wait; and groups whose host is here, and did not let us in when it came back. Until cancelled."""
    for seconds in itertools.count(1):
        await asyncio.sleep(seconds_to_tick(1.0))
        grouping.tick()
        if seconds % REJOIN_SECONDS == 0:
            for host in {group.host for group in grouping.groups.joined() if not group.joined and roster.get(group.host) is not None}:
                grouping.back(host)
