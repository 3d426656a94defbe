"""Sites at a port of their own, for browsers that find no `*.localhost` (Safari): opened when somebody goes there.

The origin is `http://localhost:<port>`, another for each site and each test visitor, with the same rights as under its usual
name. Everybody else is led to that name. It keeps its port over restarts (saved_ports.py). It must not know what is served.
"""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Awaitable, Callable

from goop2.web.http.listeners import TRIES_FOR_A_PORT, BoundListener, bind_site
from goop2.web.http.origins import SITE_HOST, Realm, origin_address
from goop2.web.http.peer_host import host_label
from goop2.web.http.saved_ports import KeptPorts
from goop2.web.limits import SITE_PORTS_MAX

Serve = Callable[[BoundListener], Awaitable[None]]


def needs_port(user_agent: str) -> bool:
    """Return whether a browser that calls itself this finds no `*.localhost`: WebKit that is no Chromium."""
    return "AppleWebKit/" in user_agent and "Chrome/" not in user_agent


class TooManySitesError(Exception):
    """No further site gets a port."""


class Ports:
    """The addresses of sites, for whoever is led to one."""

    def __init__(self, peer_id: str, port: int, kept: KeptPorts) -> None:
        self._kept = kept
        self._peer_id = peer_id
        self._port = port
        """Of the door where every site has its name."""
        self._opened: dict[tuple[str, str], str] = {}
        self.serve: Serve | None = None
        """Serves a door; None while nothing is served."""

    async def address(self, peer_id: str, visitor: str, user_agent: str) -> str:
        """Return the origin of a peer's site; where `visitor` is a name, of the own one for that test visitor.

        Raises `TooManySitesError`, OSError, and ValueError for what is no peer.
        """
        label = host_label(peer_id)
        if not needs_port(user_agent):
            return origin_address(f"{visitor}.{label}.localhost" if visitor else f"{label}.localhost", self._port)
        known = self._opened.get((peer_id, visitor))
        return known if known is not None else await self._open(peer_id, visitor)

    async def _open(self, peer_id: str, visitor: str) -> str:
        if len(self._opened) >= SITE_PORTS_MAX or self.serve is None or (self._kept.full and not self._kept.of(peer_id, visitor)):
            raise TooManySitesError(f"{len(self._opened)} sites have a port already; the next start of the peer has room again")
        realm = Realm.TEST_VISITOR if visitor else Realm.OWN_SITE if peer_id == self._peer_id else Realm.VISITED_SITE
        bound = self._bound(peer_id, realm, visitor)
        self._kept.keep(bound.door.port, peer_id, visitor)
        address = self._opened[peer_id, visitor] = origin_address(SITE_HOST, bound.door.port)
        await self.serve(bound)
        return address

    def _bound(self, peer_id: str, realm: Realm, visitor: str) -> BoundListener:
        """Return the door of a site: where it was last, else where no other site ever was. Raises `OSError`."""
        with contextlib.suppress(OSError):  # another program has it meanwhile
            if port := self._kept.of(peer_id, visitor):
                return bind_site(peer_id, realm, visitor, port)
        with contextlib.ExitStack() as others:
            for _ in range(TRIES_FOR_A_PORT):
                bound = bind_site(peer_id, realm, visitor, 0)
                if not self._kept.is_anothers(bound.door.port, peer_id, visitor):
                    return bound
                others.callback(bound.close)  # held until one is found, so that the next is another
        raise OSError(errno.EADDRINUSE, "every port that is free was another site's")
