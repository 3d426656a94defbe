"""Identify and identify/push: each side of a connection says what it is, and where it sees the other.

Every new connection is asked once. When the protocols of this peer change, it tells those that support identify/push.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import structlog

from goop2 import __version__
from goop2.config.ticks import seconds_to_tick
from goop2.net.acceptor import Start
from goop2.net.connection import Connection
from goop2.net.faults import NetworkError, StreamBrokenError
from goop2.net.limits import PROBE_SECONDS
from goop2.net.stream import Stream
from goop2.protocols import identify, multiaddr, peer_ids
from goop2.protocols.errors import RemoteProtocolError
from goop2.protocols.identify import IDENTIFY, MESSAGE_MAX_BYTES, PUSH, Identified
from goop2.protocols.protobuf import DelimitedReader, delimited

if TYPE_CHECKING:
    from goop2.net.host import Host

AGENT: Final = f"goop2/{__version__}"
CHANGES_GATHER_SECONDS: Final = 1.0
"""Several protocols are served one after the other; they are told of together."""
_NOWHERE: Final = ("/ip4/0.0.0.0/", "/ip6/::/")

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger("goop2.net")


class Identify:
    """What a host says of itself, and what others said."""

    def __init__(self, host: Host, start: Start) -> None:
        self._host = host
        self._start = start
        self._public_key = peer_ids.public_key_of(host.peer_id)
        self._pushing = False
        self.announced: Callable[[], tuple[str, ...]] = self._own_addresses
        """Where this peer can be dialled, with its id or without."""

    async def attach(self) -> None:
        """Answer peers that ask, and ask every connected peer."""
        await self._host.serve(IDENTIFY, self._answer)
        await self._host.serve(PUSH, self._take_push)
        self._host.watch(self._connected)

    def changed(self) -> None:
        """Soon send connected peers what this peer says of itself now."""
        if not self._pushing and self._host.connections():
            self._pushing = True
            self._start(self._push())

    def observed_addresses(self) -> tuple[str, ...]:
        """Return where others see the port we listen on; the address that most networks report first."""
        observers: dict[str, set[str]] = defaultdict(set)
        for connection in self._host.connections():
            # js-libp2p tells our id with it.
            observed = connection.identified.observed.removesuffix(f"/p2p/{self._host.peer_id}") if connection.identified else ""
            if observed and connection.from_listening_port and not connection.is_relayed and _is_plain(observed):
                observers[observed].add(connection.origin)
        return tuple(sorted(observers, key=lambda address: len(observers[address]), reverse=True))

    def message(self, connection: Connection) -> bytes:
        """Return the message that describes this peer to the other side of a connection."""
        said = Identified(
            agent=AGENT,
            protocols=frozenset(self._host.protocols),
            listens_at=tuple(address for address in self.announced() if not address.startswith(_NOWHERE)),
            observed="" if connection.is_relayed else connection.remote,
        )
        return delimited(identify.write(self._public_key, said))

    def _own_addresses(self) -> tuple[str, ...]:
        return tuple(address.rpartition("/p2p/")[0] for address in self._host.addresses)

    async def _answer(self, stream: Stream) -> None:
        await stream.finish(self.message(stream.connection))

    async def _take_push(self, stream: Stream) -> None:
        stream.connection.identified = await _read(stream)

    def _connected(self, connection: Connection) -> None:
        self._start(self._ask(connection))

    async def _ask(self, connection: Connection) -> None:
        try:
            async with asyncio.timeout(PROBE_SECONDS), await self._host.open_on(connection, IDENTIFY) as stream:
                connection.identified = await _read(stream)
        except (NetworkError, RemoteProtocolError, TimeoutError) as error:
            # It is a connection like any other; what it speaks is found out by asking.
            _log.debug("a peer did not answer identify", peer=connection.peer, why=str(error) or type(error).__name__)
        finally:
            connection.identify_done.set()

    async def _push(self) -> None:
        await asyncio.sleep(seconds_to_tick(CHANGES_GATHER_SECONDS))
        self._pushing = False
        wanting = [each for each in self._host.connections() if each.identified is not None and PUSH in each.identified.protocols]
        await asyncio.gather(*map(self._push_to, wanting))

    async def _push_to(self, connection: Connection) -> None:
        try:
            async with asyncio.timeout(PROBE_SECONDS), await self._host.open_on(connection, PUSH) as stream:
                await stream.finish(self.message(connection))
        except (NetworkError, RemoteProtocolError, TimeoutError) as error:
            _log.debug("identify push failed", peer=connection.peer, why=str(error) or type(error).__name__)


async def _read(stream: Stream) -> Identified:
    reader = DelimitedReader("an identify message", MESSAGE_MAX_BYTES)
    while piece := await stream.read(PROBE_SECONDS):
        reader.feed(piece)
        message = reader.next_message()
        if message is not None:
            return identify.read(message, stream.peer)
    try:
        reader.end()
    except RemoteProtocolError as error:
        raise StreamBrokenError(f"{stream.peer} does not say what it is: {error}") from None


def _is_plain(address: str) -> bool:
    """Return whether it is an IP address and a port."""
    parts = multiaddr.parse(address)
    return len(parts) == 2 and parts[0][0] in ("ip4", "ip6")
