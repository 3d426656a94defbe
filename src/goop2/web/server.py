"""Opens the web side of a peer: doors, applications, servers, and the addresses to print."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

from goop2.config import Address
from goop2.web.api.live_reload import follow
from goop2.web.app import ListenerApp, Parts, Web
from goop2.web.console.app import console_app
from goop2.web.console.events import tell
from goop2.web.http.admission import with_code
from goop2.web.http.console_token import Token
from goop2.web.http.listeners import BoundListener, bind
from goop2.web.http.local_users import can_tell
from goop2.web.http.origins import origin_address
from goop2.web.http.passes import OWN, Passes
from goop2.web.http.peer_host import host_label
from goop2.web.http.saved_ports import KeptPorts
from goop2.web.http.server import serve
from goop2.web.http.site_ports import Ports
from goop2.web.remote.network import RemoteNetwork


@dataclass(frozen=True, slots=True)
class OpenWeb:
    """The web side while it is up."""

    console: str
    """The console's address, its token in the fragment."""
    site: str
    """The own site, for the owner on this machine. Where the platform cannot tell whose a connection is, it holds a code
    (web/http/passes.py)."""
    opened: str
    """The own site from beyond loopback; "" when it is not opened."""
    token: Token
    abroad: RemoteNetwork
    """To be told when the network is up."""
    passes: Passes

    def ways_in(self) -> dict[str, str]:
        """Return the addresses for the owner's browser: `console`, and `site` with a new code for one browser."""
        return {"console": self.console, "site": with_code(self.site.partition("?")[0], self.passes.code(OWN))}


@contextlib.asynccontextmanager
async def open_web(parts: Parts, address: Address) -> AsyncIterator[OpenWeb]:
    """Serve `parts` at `address` (viewer.http_addr). Raises `ListenerError`."""
    bound = bind(address, parts.peer_id)
    try:
        web, token = Web(parts), Token()
        addresses = _addresses(address, bound, token, parts.abroad, web.entrance.passes)
        console = console_app(parts, bound[0].door, addresses.opened, token, web)
        ports = Ports(parts.peer_id, bound[0].door.port, KeptPorts(parts.folder))
        doors = [(one, ListenerApp(web, one.door, console, ports)) for one in bound]
        async with serve(doors, web.stop) as serving, _following(parts, web):
            ports.serve = lambda site: serving.add(site, ListenerApp(web, site.door, console, ports))
            yield addresses
    finally:
        for one in bound:
            one.close()


@contextlib.asynccontextmanager
async def _following(parts: Parts, web: Web) -> AsyncIterator[None]:
    """The console hears what happens; pages follow what is saved, where the owner asked for that."""
    ends = parts.runs.subscribe(web.meter.add), tell(web.console_events, parts)
    stop = asyncio.Event()
    watching = asyncio.create_task(follow(parts.files, web.reload_pages, stop)) if parts.live else None
    try:
        yield
    finally:
        for end in ends:
            end()
        stop.set()
        if watching is not None:
            await watching


def _addresses(address: Address, bound: list[BoundListener], token: Token, abroad: RemoteNetwork, passes: Passes) -> OpenWeb:
    loopback, *others = (one.door for one in bound)
    site = f"{origin_address(f'{host_label(loopback.peer_id)}.localhost', loopback.port)}/"
    return OpenWeb(
        console=f"{origin_address('127.0.0.1', loopback.port)}/#token={token.text}",
        site=site if can_tell() else with_code(site, passes.code(OWN)),
        passes=passes,
        opened="".join(f"{origin_address(_shown_host(address.host), door.port)}/" for door in others),
        token=token,
        abroad=abroad,
    )


def _shown_host(host: str) -> str:
    return f"[{host}]" if ":" in host else host
