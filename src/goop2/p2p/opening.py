"""The network of one peer, opened whole: trio beside the loop, a host, what it answers, and what it can ask."""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from goop2.identity import Identity
from goop2.p2p.calling import Calling
from goop2.p2p.guest import open_guest
from goop2.p2p.host import ALL_ADDRESSES, Host, open_host
from goop2.p2p.limits import Limits
from goop2.p2p.serving import Inbox, Operation, Received, Serving
from goop2.scripting.catalog import Catalog
from goop2.scripting.engine import Engine
from goop2.scripting.invocation import Caller
from goop2.site_files import SiteFiles

_MILLISECONDS = 1000


@dataclass(frozen=True, slots=True)
class Network:
    """An open network."""

    host: Host
    calling: Calling


@dataclass(frozen=True)
class Served:
    """What of this peer is for others."""

    label: Callable[[], str]
    files: SiteFiles
    engine: Engine
    catalog: Catalog
    keep: Callable[[Received], Awaitable[None]]
    """Takes every message before it is acknowledged."""
    operations: Mapping[str, Operation] = field(default_factory=dict)
    """Data operations beside lua-call and lua-list."""
    caller_of: Callable[[str], Caller] = Caller
    """Who a connected peer is to our scripts; by default just its id."""


@contextlib.asynccontextmanager
async def open_network(
    identity: Identity, port: int, served: Served, limits: Limits | None = None, listen_on: str = ALL_ADDRESSES
) -> AsyncIterator[Network]:
    """The network until the block is left. Raises `PortTaken`, and `GuestFailed` out of the block when libp2p fails."""
    async with open_guest() as guest, open_host(guest, identity, port, limits, listen_on) as host:
        calling = Calling(host)

        async def reply(peer: str, text: str) -> None:
            await calling.chat(peer, text, int(time.time() * _MILLISECONDS))

        inbox = Inbox(served.keep, reply)
        serving = Serving(served.label, served.files, served.engine, served.catalog, served.caller_of, inbox, served.operations)
        await serving.attach(host)
        yield Network(host, calling)
