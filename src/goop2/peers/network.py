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
from goop2.net.dial_back import open_dial_back
from goop2.net.faults import AddressError, NetworkError
from goop2.net.hole_punching import open_hole_punching
from goop2.net.host import ALL_ADDRESSES, Host, open_host
from goop2.peers.client import Calling, MessageRejectedError
from goop2.peers.discovery.discovery import Discovery, open_discovery, real_addresses
from goop2.peers.discovery.roster import Roster, RosterChange
from goop2.peers.discovery.roster import RosterEntry as Known
from goop2.peers.dispatch import CallerResolver, keeping, serving
from goop2.peers.followed_session import FollowedSession
from goop2.peers.hosted_session import GroupSession
from goop2.peers.key_exchange import Introducing
from goop2.peers.outbox import Delivery
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
    calling: Calling
    discovery: Discovery
    broadcasts: Subscribers[Heard]
    groups: GroupState
    delivery: Delivery
    followed: FollowedSession

    @property
    def roster(self) -> Roster:
        """Return the roster of peers that are online."""
        return self.discovery.roster

    def addresses(self) -> tuple[str, ...]:
        """Return where others can dial this peer."""
        direct = dict.fromkeys((*real_addresses(self.host), *self.discovery.dialled_at))
        return (*direct, *self.discovery.through_relays)

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
        label = await self.calling.label(peer)
        self.roster.introduced(peer, label)
        return peer, label

    async def broadcast(self, content: str, timestamp_ms: int) -> int:
        """Send to every peer that is here; to how many it got."""
        payload = msgspec.json.encode(topics.ChatPayload(content, timestamp_ms))
        places = asyncio.Semaphore(BROADCAST_AT_ONCE)

        async def reach(peer: str) -> bool:
            async with places:
                try:
                    await self.calling.send(peer, topics.BROADCAST, payload)
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
) -> AsyncIterator[PeerNetwork]:
    """Put `peer` on the network until the block is left.

    `servers`: the URLs of the rendezvous servers to use, while it is open. `port`: TCP, 0 for any; None: p2p.listen_port. `listen_on`:
    an IP address; "" for all of them. Raises `PortInUseError`.
    """
    port = peer.settings.p2p.listen_port if port is None else port
    async with AsyncExitStack() as stack:
        host = await stack.enter_async_context(open_host(peer.identity, port, None, listen_on or ALL_ADDRESSES))
        await stack.enter_async_context(open_hole_punching(host))
        await open_dial_back(host)
        broadcasts: Subscribers[Heard] = Subscribers()
        sealing = _sealing(peer)
        calling = Calling(host, sealing)
        introducing = Introducing(calling.send, sealing, lambda: _introduction(peer, sealing), time.monotonic)
        introducing.email_for = peer.settings.profile.email_for
        stack.push_async_callback(introducing.close)
        sealing.unknown = introducing.ask
        grouping, groups = peer.grouping, peer.grouping.groups
        delivery = Delivery(calling.send, grouping.gone)
        stack.push_async_callback(delivery.flush, GOODBYE_SECONDS)
        grouping.attach(delivery.post, calling.send, peer_id)
        stack.callback(grouping.detach)
        session = GroupSession(peer.listening, groups, delivery.post, sealing)
        stack.callback(session.stop)
        followed = FollowedSession(peer.listening, grouping, host, calling, sealing)
        stack.callback(followed.stop)
        who = CallerResolver()
        # Before anybody can find us: whoever does asks at once.
        keep = keeping(peer, who, broadcasts, introducing)
        await serving(peer, who, keep, sealing).attach(host)
        await session.attach(host)
        finding = open_discovery(host, peer.folder, _says(peer, sealing), servers=await stack.enter_async_context(servers), near_by=near_by)
        discovery = await stack.enter_async_context(finding)
        who.roster = discovery.roster
        _learn_keys(discovery.roster, sealing)
        discovery.roster.subscribe(_presence(grouping))
        discovery.roster.subscribe(_telling_email(peer, introducing))
        for work in (session.keep_in_step(), followed.keep_in_touch(), _keep_groups(grouping, discovery.roster)):
            stack.callback(asyncio.create_task(work).cancel)
        network = PeerNetwork(host, calling, discovery, broadcasts, groups, delivery, followed)
        peer.chat.attach(_carrying(network.calling), who, _telling_shown(delivery))
        stack.callback(peer.chat.detach)
        yield network


def _sealing(peer: Peer) -> KeyRing:
    keys = peer.payload_keys
    return KeyRing(keys.private, keys.public_text, time.monotonic) if keys else KeyRing()


def _learn_keys(roster: Roster, sealing: KeyRing) -> None:
    def learn(peer: Known) -> None:
        sealing.learn(peer.id, peer.public_key, supported=peer.encryption_supported)

    def hint(peer: str) -> str:
        known = roster.get(peer)
        return known.hinted_key if known else ""

    for peer in roster.peers():
        learn(peer)
    roster.subscribe(lambda change: learn(change.peer))
    sealing.hint = hint


def _says(peer: Peer, sealing: KeyRing) -> Callable[[], Presence]:
    key = sealing.public_key
    return lambda: Presence(
        "online",
        peer.identity.peer_id,
        peer.owner.label,
        peer.settings.profile.email_for(""),
        public_key=key,
        encryption_supported=bool(key),
    )


def _introduction(peer: Peer, sealing: KeyRing) -> topics.IdentityPayload:
    """Return what this peer says of itself to whoever asks; the e-mail address is added for those who may have it."""
    key = sealing.public_key
    return topics.IdentityPayload(peer.identity.peer_id, peer.owner.label, public_key=key, encryption_supported=bool(key))


def _telling_email(peer: Peer, introducing: Introducing) -> Callable[[RosterChange], None]:
    """Presence goes to everybody, so a peer that alone may have the e-mail address is told it when it comes."""
    shared = peer.settings.profile.share_email

    def changed(change: RosterChange) -> None:
        if isinstance(shared, tuple) and change.what == "online" and change.peer.id in shared and peer.settings.profile.email:
            introducing.answer(change.peer.id)

    return changed


def _carrying(calling: Calling) -> Carry:
    async def carry(peer: str, wire_id: str, content: str, timestamp: int) -> None:
        try:
            await calling.chat(peer, content, timestamp, wire_id)
        except MessageRejectedError as refusal:
            raise UndeliveredError(str(refusal), refusal.code, refusal.retry_after_seconds) from None
        except NetworkError as fault:
            raise UndeliveredError(str(fault)) from None

    return carry


def _telling_shown(delivery: Delivery) -> TellShown:
    def tell(peer: str, ids: Sequence[str]) -> None:
        delivery.post(Outgoing(peer, topics.ACK, msgspec.json.encode(topics.Delivered(id_))) for id_ in ids)

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
