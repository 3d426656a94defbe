"""The web side while it is up: its addresses, and the servers behind its listeners.

The parts come finished from the composition root (goop2/app.py); nothing is built here but what a listener needs.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from starlette.types import ASGIApp

from goop2.web.api.live_reload import follow
from goop2.web.app import ListenerApp, Web
from goop2.web.console.events import publish_changes
from goop2.web.http.admission import with_code
from goop2.web.http.console_token import Token
from goop2.web.http.listeners import BoundListener
from goop2.web.http.local_users import knows_users
from goop2.web.http.origins import origin_address
from goop2.web.http.passes import ENTER, OWN, Passes
from goop2.web.http.peer_host import host_label, peer_path
from goop2.web.http.proxies import Proxies
from goop2.web.http.saved_ports import SavedPorts
from goop2.web.http.server import HttpServers, serve
from goop2.web.http.site_ports import SitePorts
from goop2.web.remote.network import RemoteNetwork


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenWeb:
    """Where the web side can be reached, and what other parts of the peer need of it."""

    console: str
    """Address of the console, its token in the fragment."""
    site: str
    """Address of the own site, for the owner on this machine. Where the platform does not say which user holds a connection, it has a
    one-time code (web/http/passes.py)."""
    opened: str
    """Address of the own site from beyond loopback; "" when it is not opened."""
    token: Token
    """The console's."""
    remote: RemoteNetwork
    """Told by `attach` and `detach` whether the peer is on the network."""
    passes: Passes

    def browser_addresses(self) -> dict[str, str]:
        """Return the addresses for the owner's browser: `console`, and with a new one-time code each `open`, of the console, and `site`."""
        return {
            "console": self.console,
            "open": f"{self.console.partition('#')[0]}#code={self.passes.code(ENTER)}",
            "site": with_code(self.site.partition("?")[0], self.passes.code(OWN)),
        }


def addresses_of(web: Web, listeners: Sequence[BoundListener], host: str, token: Token) -> OpenWeb:
    """Return where `web` can be reached behind `listeners`, the loopback one first. `host` is that of viewer.http_addr."""
    loopback, *others = (bound.listener for bound in listeners)
    path = peer_path(loopback.peer_id)
    site = f"{origin_address(f'{host_label(loopback.peer_id)}.localhost', loopback.port)}{path}"
    passes = web.admission.passes
    return OpenWeb(
        console=f"{origin_address('127.0.0.1', loopback.port)}/#token={token.text}",
        site=site if knows_users() else with_code(site, passes.code(OWN)),
        opened="".join(f"{origin_address(_in_brackets(host), listener.port)}{path}" for listener in others),
        token=token,
        remote=web.remote,
        passes=passes,
    )


@contextlib.asynccontextmanager
async def open_web(web: Web, console: ASGIApp, listeners: Sequence[BoundListener], saved: SavedPorts) -> AsyncIterator[None]:
    """Serve `web`, and `console` at the loopback listener, until the block is left. `saved`: the ports of the sites that have one."""
    loopback = listeners[0].listener
    servers = HttpServers(proxies=Proxies(web.peer.settings.viewer.proxies))

    def app_of(bound: BoundListener) -> ListenerApp:
        return ListenerApp(web, bound.listener, console, ports)

    async def serve_site(bound: BoundListener) -> None:
        await servers.add(bound, app_of(bound))

    ports = SitePorts(loopback.peer_id, loopback.port, saved, serve_site)
    async with serve(servers, [(bound, app_of(bound)) for bound in listeners], web.stop), _following(web):
        yield


@contextlib.asynccontextmanager
async def _following(web: Web) -> AsyncIterator[None]:
    """Count runs, publish events to the console, and reload pages after a change where the owner asked for that."""
    unsubscribe = web.peer.runs.subscribe(web.meter.add), publish_changes(web.console_events, web.peer, web.remote)
    stop = asyncio.Event()
    watching = asyncio.create_task(_reloading(web, stop))
    try:
        yield
    finally:
        for each in unsubscribe:
            each()
        stop.set()
        await watching


async def _reloading(web: Web, stop: asyncio.Event) -> None:
    """Reload pages after a change, from the moment on that somebody wants that."""
    waiting = [asyncio.ensure_future(each) for each in (stop.wait(), web.saves_are_followed())]
    await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    for each in waiting:
        each.cancel()
    if not stop.is_set():
        await follow(web.peer.files, web.reload_pages, stop)


def _in_brackets(host: str) -> str:
    """Return an IPv6 address as it stands in a URL."""
    return f"[{host}]" if ":" in host else host
