"""Sites at ports of their own, for browsers that do not resolve `*.localhost` (Safari); opened when a browser goes there.

The origin is `http://localhost:<port>`, another for each site and each test visitor, with the same rights as under its host name. Other
browsers are sent to the host name. A site has the same port after a restart (saved_ports.py). It must not know what is served.
"""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Awaitable, Callable

from goop2.web.http.listeners import TRIES_FOR_A_PORT, BoundListener, bind_site
from goop2.web.http.origins import SITE_HOST, Realm, origin_address
from goop2.web.http.peer_host import host_label
from goop2.web.http.saved_ports import SavedPorts
from goop2.web.limits import SITE_PORTS_MAX

Serve = Callable[[BoundListener], Awaitable[None]]


def needs_port(user_agent: str) -> bool:
    """Return whether a browser with this User-Agent does not resolve `*.localhost`: WebKit that is no Chromium."""
    return "AppleWebKit/" in user_agent and "Chrome/" not in user_agent


class TooManySitesError(Exception):
    """No port is left for a further site."""


class SitePorts:
    """The addresses of sites, and the listeners that are opened for browsers without `*.localhost`.

    :param peer_id: the own peer's.
    :param port: of the listener where every site has its name.
    :param saved: which site had which port.
    :param serve: serves a new listener; it is asked only while the web side is up.
    """

    def __init__(self, peer_id: str, port: int, saved: SavedPorts, serve: Serve) -> None:
        self._saved = saved
        self._peer_id = peer_id
        self._port = port
        self._opened: dict[tuple[str, str], str] = {}
        """Peer and test visitor → origin of the listener that is open."""
        self._serve = serve

    async def address(self, peer_id: str, visitor: str, user_agent: str) -> str:
        """Return the origin of a peer's site; with `visitor`, of the own site as that test visitor.

        :param user_agent: of the browser that goes there.
        :raises TooManySitesError: no port is left.
        :raises OSError: no port can be bound, or the saved ports cannot be read.
        :raises ValueError: `peer_id` is no peer id.
        """
        label = host_label(peer_id)
        if not needs_port(user_agent):
            return origin_address(f"{visitor}.{label}.localhost" if visitor else f"{label}.localhost", self._port)
        origin = self._opened.get((peer_id, visitor))
        return origin if origin is not None else await self._open(peer_id, visitor)

    async def _open(self, peer_id: str, visitor: str) -> str:
        if len(self._opened) >= SITE_PORTS_MAX or (self._saved.full and not self._saved.of(peer_id, visitor)):
            raise TooManySitesError(f"{len(self._opened)} sites have a port already; the next start of the peer has room again")
        realm = Realm.TEST_VISITOR if visitor else Realm.OWN_SITE if peer_id == self._peer_id else Realm.VISITED_SITE
        bound = self._bound(peer_id, realm, visitor)
        self._saved.save(bound.listener.port, peer_id, visitor)
        address = self._opened[peer_id, visitor] = origin_address(SITE_HOST, bound.listener.port)
        await self._serve(bound)
        return address

    def _bound(self, peer_id: str, realm: Realm, visitor: str) -> BoundListener:
        """Return the listener of a site, at its last port, else at one that no other site ever had. Raises `OSError`."""
        # Another program may have the port now.
        with contextlib.suppress(OSError):
            if port := self._saved.of(peer_id, visitor):
                return bind_site(peer_id, realm, visitor, port)
        with contextlib.ExitStack() as others:
            for _ in range(TRIES_FOR_A_PORT):
                bound = bind_site(peer_id, realm, visitor, 0)
                if not self._saved.is_anothers(bound.listener.port, peer_id, visitor):
                    return bound
                # Held until one is found, so that the system gives another one next.
                others.callback(bound.close)
        raise OSError(errno.EADDRINUSE, "every port that is free was another site's")
