"""A connection to a peer whose id is proved: its streams, its address, and what is known of the other side while it lasts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from goop2.net.address import CIRCUIT
from goop2.net.muxer import MuxedStream, Muxer
from goop2.net.stream_pool import StreamPool
from goop2.protocols.identify import Identified


class Connection:
    """A connection, compared by identity; it stays the same object when its peer opens another."""

    def __init__(self, muxer: Muxer, *, remote: str, is_relayed: bool = False, from_listening_port: bool = True) -> None:
        self.muxer = muxer
        self.peer = muxer.peer
        """The authenticated id of the other side."""
        self.remote = remote
        """The other end: `/ip4/192.0.2.7/tcp/4001`, or through a relay `/p2p/<its id>/p2p-circuit`."""
        self.is_relayed = is_relayed
        self.from_listening_port = from_listening_port
        """Whether our end is the port we listen on: then where the other side sees us is where others may dial us."""
        self.closed = asyncio.Event()
        """Set at its end, however that came."""
        self.pool = StreamPool()
        self.identified: Identified | None = None
        """What the other side said of itself; None until it did."""
        self.identify_done = asyncio.Event()
        """Set when the other side has said it, or will not."""
        self.latency_seconds: float | None = None
        """How long the last ping took, there and back; None while there was none (latencies.py)."""
        muxer.connection = self

    @property
    def origin(self) -> str:
        """Return the network the other side comes from, by which limits count; `/p2p-circuit/<relay>` when it comes through a relay."""
        return self.muxer.origin

    @property
    def opened_by_us(self) -> bool:
        """Return whether this peer dialled."""
        return self.muxer.opened_by_us

    @property
    def is_open(self) -> bool:
        """Return whether the connection has not ended, as far as is known."""
        return not self.muxer.is_ended

    @property
    def is_idle(self) -> bool:
        """Return whether no stream is open on it."""
        return not self.muxer.streams

    @property
    def address(self) -> str:
        """Return `ip:port` of the other end, `[ip]:port` for IPv6, "" of a relayed connection."""
        parts = self.remote.split("/")
        if len(parts) != 5:
            return ""
        return f"[{parts[2]}]:{parts[4]}" if parts[1] == "ip6" else f"{parts[2]}:{parts[4]}"

    @property
    def relay(self) -> str:
        """Return the id of the relay it goes through, "" of a direct connection."""
        return self.remote.removesuffix(CIRCUIT).removeprefix("/p2p/") if self.is_relayed else ""

    def open(self) -> MuxedStream:
        """Return a new stream, whose protocol is not agreed on yet. Raises `MuxedStreamError`."""
        return self.muxer.open()

    async def close(self) -> None:
        """Tell the other side, wait until it has read that, and end every stream."""
        await self.muxer.close()

    def abandon(self) -> None:
        """End the connection now, without telling the other side."""
        self.muxer.end()


ConnectionCallback = Callable[[Connection], object]
