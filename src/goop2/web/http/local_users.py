"""Find out which user of this machine holds the other end of a loopback connection.

Loopback does not mean "the owner": every user, program and container of a machine reaches 127.0.0.1. The kernel knows whose socket is at
the other end, and says so for its exact pair of addresses: through sock_diag (a netlink socket, a few microseconds), and where that is
closed to us through /proc/net/tcp and /proc/net/tcp6.

An answer without an inode is of a socket that nobody holds any more (closed, TIME_WAIT). Its uid is 0 then, whoever it was, so it counts
as another user's.
"""

from __future__ import annotations

import contextlib
import ipaddress
import os
import socket
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

import structlog

NOBODY: Final = -1
"""The user of a socket that is closed, or that the kernel does not know."""
ROOT: Final = 0

Endpoint = tuple[str, int]
"""Address and port, as sockets have them."""

_NETLINK_SOCK_DIAG: Final = 4
_SOCK_DIAG_BY_FAMILY: Final = 20
_NLM_F_REQUEST: Final = 1
_NLMSG_ERROR: Final = 2
_TCP_LISTEN: Final = 10
_ENOENT: Final = 2
_ANSWER_MAX_BYTES: Final = 8192
_HEADER: Final = struct.Struct("=IHHII")
"""struct nlmsghdr: length, type, flags, sequence number, port id."""
_REQUEST: Final = struct.Struct("=BBBxI")
"""struct inet_diag_req_v2 up to the socket's id: family, protocol, extensions, states."""
_SOCKET_ID: Final = struct.Struct("!HH16s16s")
"""struct inet_diag_sockid without interface and cookie: ports and addresses in network order."""
_ANY_INTERFACE_AND_COOKIE: Final = struct.pack("=III", 0, 0xFFFFFFFF, 0xFFFFFFFF)
_ANSWER: Final = struct.Struct("=BBBB")
"""struct inet_diag_msg up to the socket's id: family, state, timer, retransmissions."""
_USER_AND_INODE: Final = struct.Struct("=II")
_USER_AT: Final = _ANSWER.size + _SOCKET_ID.size + 12 + 12
"""Behind the socket's id, interface and cookie: expires, rqueue and wqueue, then uid and inode."""


_log: structlog.typing.FilteringBoundLogger = structlog.get_logger("goop2.web")


class UnsupportedError(Exception):
    """This platform or container does not allow this way of asking."""


class _Held(NamedTuple):
    user: int
    inode: int


class LocalUsers:
    """Looks up the user of a connection. One for a process; it keeps a netlink socket open."""

    def __init__(self) -> None:
        self._netlink: socket.socket | None = None
        self._sequence = 0
        self._ways: list[Callable[[Endpoint, Endpoint], _Held | None]] = [self._by_netlink, by_proc]

    def user_of(self, client: Endpoint, server: Endpoint) -> int | None:
        """Return the uid that holds the socket `client` of a connection to `server`, NOBODY, or None where this platform cannot tell."""
        while self._ways:
            try:
                held = self._ways[0](client, server)
            except UnsupportedError:
                self._ways.pop(0)
                continue
            except OSError:
                # No descriptor or no memory now: that says nothing about the platform, so the next connection asks again.
                return NOBODY
            # Without an inode nobody holds the socket, and the kernel reports uid 0, which must not count as root.
            return held.user if held is not None and held.inode else NOBODY
        return None

    def close(self) -> None:
        """Close the netlink socket, if one is open."""
        if self._netlink is not None:
            self._netlink.close()
            self._netlink = None

    def _by_netlink(self, client: Endpoint, server: Endpoint) -> _Held | None:
        family, source, destination = _packed(client[0], server[0])
        wanted = _SOCKET_ID.pack(client[1], server[1], source, destination)
        body = _REQUEST.pack(family, socket.IPPROTO_TCP, 0, 0xFFFFFFFF) + wanted + _ANY_INTERFACE_AND_COOKIE
        self._sequence = (self._sequence + 1) & 0xFFFFFFFF
        answer = self._exchange(_HEADER.pack(_HEADER.size + len(body), _SOCK_DIAG_BY_FAMILY, _NLM_F_REQUEST, self._sequence, 0) + body)
        if answer is None:
            return None
        _family, state, _timer, _retransmissions = _ANSWER.unpack_from(answer)
        named = answer[_ANSWER.size : _ANSWER.size + _SOCKET_ID.size]
        # A program may speak IPv4 through an IPv6 socket: the kernel finds it and names mapped addresses.
        same = named in (wanted, _SOCKET_ID.pack(client[1], server[1], _mapped(source), _mapped(destination)))
        # The kernel falls back to a listener at that port.
        if state == _TCP_LISTEN or not same:
            return None
        return _Held(*_USER_AND_INODE.unpack_from(answer, _USER_AT))

    def _exchange(self, request: bytes) -> bytes | None:
        """Return the kernel's answer without its header; None when it knows no such socket."""
        netlink = self._opened()
        netlink.send(request)
        while True:
            received = netlink.recv(_ANSWER_MAX_BYTES, socket.MSG_DONTWAIT)
            _length, kind, _flags, sequence, _port = _HEADER.unpack_from(received)
            # An answer to an earlier question, whose reader was cancelled.
            if sequence != self._sequence:
                continue
            if kind == _NLMSG_ERROR:
                (number,) = struct.unpack_from("=i", received, _HEADER.size)
                if -number == _ENOENT:
                    return None
                raise UnsupportedError(os.strerror(-number))
            return received[_HEADER.size :]

    def _opened(self) -> socket.socket:
        if self._netlink is None:
            if sys.platform != "linux":
                raise UnsupportedError("no netlink")
            try:
                self._netlink = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _NETLINK_SOCK_DIAG)
            except (PermissionError, ValueError) as error:
                raise UnsupportedError(str(error)) from None
            except OSError as error:
                if error.errno in _NOT_HERE:
                    raise UnsupportedError(str(error)) from None
                raise
        return self._netlink


_NOT_HERE: Final = frozenset({93, 94, 97, 92})
"""EPROTONOSUPPORT, ESOCKTNOSUPPORT, EAFNOSUPPORT, ENOPROTOOPT: a kernel or a container without sock_diag."""


def _packed(client: str, server: str) -> tuple[int, bytes, bytes]:
    """Return the address family, and both addresses in 16 bytes each."""
    family = socket.AF_INET6 if ":" in client else socket.AF_INET
    one, other = (socket.inet_pton(family, address.partition("%")[0]) for address in (client, server))
    return family, one.ljust(16, b"\0"), other.ljust(16, b"\0")


def _mapped(address: bytes) -> bytes:
    """Return an IPv4 address, in 16 bytes from the left, as an IPv6 one."""
    return b"\0" * 10 + b"\xff\xff" + address[:4]


def by_proc(client: Endpoint, server: Endpoint, folder: Path = Path("/proc/net")) -> _Held | None:
    """Return who holds `client` by the kernel's tables, None when they do not list it. Raises `UnsupportedError`."""
    address = ipaddress.ip_address(client[0].partition("%")[0])
    # A program may speak IPv4 through an IPv6 socket: then the pair stands in tcp6, as mapped addresses.
    tables = [("tcp6", False)] if address.version == 6 else [("tcp", False), ("tcp6", True)]
    seen = False
    for table, mapped in tables:
        wanted = f" {_in_table(client, mapped)} {_in_table(server, mapped)} ".encode()
        with contextlib.suppress(FileNotFoundError, PermissionError), (folder / table).open("rb") as lines:
            seen = True
            for line in lines:
                if wanted in line:
                    fields = line.split()
                    return _Held(int(fields[7]), int(fields[9]))
    if not seen:
        raise UnsupportedError("no /proc/net/tcp")
    return None


_OWN_CONNECTION_SECONDS: Final = 1.0
"""For a connection to ourselves, which takes microseconds where nothing drops its packets."""


def _in_table(endpoint: Endpoint, mapped: bool) -> str:
    """Return an endpoint as /proc/net/tcp writes it: words of four bytes in the machine's byte order, in hexadecimal."""
    address = ipaddress.ip_address(endpoint[0].partition("%")[0])
    packed = (b"\0" * 10 + b"\xff\xff" + address.packed) if mapped else address.packed
    words = struct.unpack(f"={len(packed) // 4}I", packed)
    return "".join(f"{word:08X}" for word in words) + f":{endpoint[1]:04X}"


def knows_users() -> bool:
    """Return whether this platform says which user holds a connection, tried on one of our own.

    False, with a warning in the log, when no loopback connection can be made now.
    """
    with contextlib.closing(LocalUsers()) as users:
        try:
            with socket.socket() as listener, socket.socket() as client:
                client.settimeout(_OWN_CONNECTION_SECONDS)
                listener.bind(("127.0.0.1", 0))
                listener.listen()
                client.connect(listener.getsockname())
                return users.user_of(client.getsockname(), listener.getsockname()) is not None
        except OSError as error:
            remedy = "bring the loopback interface up (ip link set lo up) or mend its firewall; this peer need not be started again"
            _log.warning("no browser of this machine reaches this peer now", why=error.strerror or str(error), remedy=remedy)
            return False


def is_of(user: int | None, own: int) -> bool:
    """Return whether a connection of `user` counts as one of the user `own`. root counts too: it can read the peer's files anyway."""
    return user is not None and user in (own, ROOT)
