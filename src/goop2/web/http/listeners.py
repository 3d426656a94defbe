"""Bind the ports a peer listens on: always a loopback listener, and an opened one when viewer.http_addr is not on loopback.

    127.0.0.1:8780 (or any loopback)  → one listener there; on IPv6's loopback too, since browsers try it for *.localhost
    anything else                     → an opened listener there, and a loopback listener on the next port, for the owner

It must not know what is served.
"""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Final

from goop2.config import Address
from goop2.web.http.origins import Listener, Realm
from goop2.web.http.saved_ports import SavedPorts

LOOPBACK: Final = ("127.0.0.1", "::1")
BACKLOG: Final = 512
CONSOLE: Final = "console"
"""Name under which the port of the console is saved, where the system chose it."""
TRIES_FOR_A_PORT: Final = 10
"""How often a free port is looked for: one that is free for IPv4 may be taken for IPv6."""
_NO_SUCH_LOOPBACK: Final = frozenset({errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT})
"""Errors of a machine without IPv6."""


class ListenerError(Exception):
    """The address cannot be listened at; the message says where, why and what to do, in one sentence."""

    owner_code: ClassVar = "unavailable"


@dataclass(frozen=True, slots=True)
class BoundListener:
    """A listener and its sockets, which are bound; requests are answered once it is served."""

    listener: Listener
    sockets: tuple[socket.socket, ...]

    def close(self) -> None:
        """Close the sockets, which frees their ports."""
        for sock in self.sockets:
            sock.close()


def bind(address: Address, peer_id: str) -> list[BoundListener]:
    """Return the listeners for `viewer.http_addr`, the loopback one first. Raises `ListenerError`."""
    try:
        if is_loopback(address.host):
            return [_loopback_listener(peer_id, address.port, address.host)]
        return _opened_and_loopback(address, peer_id)
    except OSError as error:
        raise ListenerError(_sentence(address, error)) from None


@contextlib.contextmanager
def bound_to(address: Address, peer_id: str, saved: SavedPorts | None = None) -> Iterator[list[BoundListener]]:
    """`bind`, and close the sockets when the block is left. Raises `ListenerError`.

    With port 0 the one the console had last, as `saved` knows it, is taken again where it is free: an open tab finds the peer there after
    a restart, and the browser what it has stored.
    """
    with contextlib.ExitStack() as stack:
        listeners = _bind_again(address, peer_id, saved) if saved is not None and not address.port else bind(address, peer_id)
        for bound in listeners:
            stack.callback(bound.close)
        yield listeners


def _bind_again(address: Address, peer_id: str, saved: SavedPorts) -> list[BoundListener]:
    try:
        port = saved.of(CONSOLE, "")
    except OSError:
        return bind(address, peer_id)
    listeners: list[BoundListener] = []
    if port:
        with contextlib.suppress(ListenerError):
            listeners = bind(Address(address.host, port), peer_id)
    listeners = listeners or bind(address, peer_id)
    if (taken := (listeners[-1] if len(listeners) > 1 else listeners[0]).listener.port) != port:
        saved.save(taken, CONSOLE, "")
    return listeners


def bind_site(peer_id: str, realm: Realm, visitor: str, port: int) -> BoundListener:
    """Return a listener on a port of loopback, 0 for any free one, that is one site's origin. Raises `OSError`."""
    bound = _loopback_listener(peer_id, port, LOOPBACK[0])
    return BoundListener(Listener(peer_id=peer_id, port=bound.listener.port, site=realm, visitor=visitor), bound.sockets)


def is_loopback(host: str) -> bool:
    """Return whether only this machine can connect to this host."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _opened_and_loopback(address: Address, peer_id: str) -> list[BoundListener]:
    sock = _socket(address.host, address.port)
    port = sock.getsockname()[1]
    opened = BoundListener(Listener(peer_id=peer_id, port=port, opened=True, names=_names(address.host)), (sock,))
    # The next port, so that the owner can guess the console's address; any other when it is taken.
    for wanted in (port + 1, 0):
        with contextlib.suppress(OSError, OverflowError):
            return [_loopback_listener(peer_id, wanted, LOOPBACK[0]), opened]
    opened.close()
    raise OSError(errno.EADDRINUSE, "no port is free on loopback")


def _loopback_listener(peer_id: str, port: int, host: str) -> BoundListener:
    # `dict.fromkeys` removes the repeat when `host` is one of LOOPBACK itself.
    first, *others = dict.fromkeys((LOOPBACK[0] if host == "localhost" else host, *LOOPBACK))
    for tries_left in reversed(range(TRIES_FOR_A_PORT if port == 0 else 1)):
        with contextlib.ExitStack() as undo:
            sockets = [_socket(first, port)]
            undo.callback(sockets[0].close)
            bound_port = sockets[0].getsockname()[1]
            try:
                for sock in _bound_where_there_is(others, bound_port):
                    undo.callback(sock.close)
                    sockets.append(sock)
            except OSError:
                if not tries_left:
                    raise
                continue
            undo.pop_all()
            names = frozenset({f"[{host}]" if ":" in host else host})
            return BoundListener(Listener(peer_id=peer_id, port=bound_port, names=names), tuple(sockets))
    raise AssertionError("the last try raises")


def _bound_where_there_is(hosts: list[str], port: int) -> Iterator[socket.socket]:
    for host in hosts:
        try:
            yield _socket(host, port)
        except OSError as error:
            if error.errno not in _NO_SUCH_LOOPBACK:
                raise


def _socket(host: str, port: int) -> socket.socket:
    family, kind, protocol, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    sock = socket.socket(family, kind, protocol)
    try:
        # Else the port could not be bound for a minute after the peer was stopped.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            # `::` alone means both, as people expect; `::1` is IPv6 only, 127.0.0.1 has a socket of its own.
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0 if host == "::" else 1)
        sock.bind(place)
        sock.listen(BACKLOG)
        sock.setblocking(False)
    except BaseException:
        sock.close()
        raise
    return sock


def _names(host: str) -> frozenset[str]:
    """Return the names of this machine besides its addresses."""
    machine = socket.gethostname().lower()
    return frozenset({machine, f"{machine}.local", f"[{host}]" if ":" in host else host})


def _sentence(address: Address, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        why = "another program listens there already, perhaps another peer"
        remedy = "end that, choose another port in goop.json, or for this once start with GOOP2_VIEWER_HTTP_ADDR=127.0.0.1:0, any free one"
    elif error.errno == errno.EACCES:
        why, remedy = "this user may not listen there", "choose a port from 1024"
    else:
        why, remedy = f"it cannot be listened at ({error.strerror or error})", "choose an address of this machine"
    return f"viewer.http_addr is {address}, but {why}: {remedy}"
