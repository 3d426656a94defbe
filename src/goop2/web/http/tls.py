"""TLS of a server: a certificate from files, and the handshake before uvicorn's protocol gets the connection.

A handshake costs a place of its own, bounded in total, per network and in time: a connection counts at the server only when it is over.
Certificates are renewed every few weeks by other programs, so the files are read again when they have changed.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import ssl
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, Final

import structlog
from uvicorn.server import ServerState

from goop2.protocols.source_network import network_of
from goop2.web.limits import HANDSHAKES_MAX, HANDSHAKES_PER_NETWORK_MAX, HEAD_SECONDS, RENEWED_SECONDS

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger("goop2.net")


class TlsFilesError(Exception):
    """The certificate cannot be used; the message names the file, what is wrong with it and what to do, in one sentence."""

    code: ClassVar = "bad_request"


class TlsFiles:
    """A certificate chain and its key, PEM files. Raises `TlsFilesError` when they cannot be used.

    :param is_proxy: whether an address may hold any number of handshakes.
    """

    def __init__(self, certificate: Path, key: Path, is_proxy: Callable[[str], bool] = lambda _address: False) -> None:
        self._files = (certificate, key)
        self._is_proxy = is_proxy
        self._networks: Counter[str] = Counter()
        self._total = 0
        self._context = _context(certificate, key)
        self._seen = self._stamp()
        self._looked_at = time.monotonic()

    @property
    def context(self) -> ssl.SSLContext:
        """Return the certificate as it is in the files now, or was RENEWED_SECONDS ago; the last good one while they cannot be used."""
        now = time.monotonic()
        if now - self._looked_at >= RENEWED_SECONDS:
            self._looked_at = now
            self._renew()
        return self._context

    def before(self, protocol: Callable[..., asyncio.Protocol]) -> Callable[..., asyncio.Protocol]:
        """Return what uvicorn makes for each connection instead of `protocol`, which then gets what the handshake has decrypted."""
        return lambda **given: _Handshake(self, protocol(**given), given["server_state"])

    def take(self, address: str) -> bool:
        """Take a place for a handshake with an address; return whether there is one."""
        network = network_of(address)
        if self._total >= HANDSHAKES_MAX or (self._networks[network] >= HANDSHAKES_PER_NETWORK_MAX and not self._is_proxy(address)):
            return False
        self._total += 1
        self._networks[network] += 1
        return True

    def give_back(self, address: str) -> None:
        """Give the place of a handshake back."""
        network = network_of(address)
        self._total -= 1
        self._networks[network] -= 1
        if not self._networks[network]:
            del self._networks[network]

    def _renew(self) -> None:
        stamp = self._stamp()
        if stamp == self._seen:
            return
        try:
            self._context = _context(*self._files)
        except TlsFilesError as error:
            # Perhaps one of the two is written and the other not yet: looked at again.
            _log.warning("the new certificate is not used, the old one goes on", why=str(error))
            return
        self._seen = stamp
        _log.info("the certificate was renewed", file=str(self._files[0]))

    def _stamp(self) -> tuple[tuple[int, int], ...]:
        stamps = []
        for file in self._files:
            with contextlib.suppress(OSError):
                status = file.stat()
                stamps.append((status.st_ino, status.st_mtime_ns))
        return tuple(stamps)


class _Handshake(asyncio.Protocol):
    """A connection during its TLS handshake. What comes right behind it is held until `inner` has the connection."""

    def __init__(self, files: TlsFiles, inner: asyncio.Protocol, state: ServerState) -> None:
        self._files = files
        self._inner = inner
        self._state = state
        self._early = bytearray()
        self._lost = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin the handshake, if there is a place for it (asyncio.Protocol)."""
        address = (transport.get_extra_info("peername") or ("",))[0]
        assert isinstance(transport, asyncio.Transport)
        if not self._files.take(address):
            transport.abort()
            return
        transport.pause_reading()
        task = asyncio.get_running_loop().create_task(self._shake_hands(transport, address))
        # The server ends its tasks when it stops.
        self._state.tasks.add(task)
        task.add_done_callback(self._state.tasks.discard)

    def data_received(self, data: bytes) -> None:
        """Hold what is decrypted early (asyncio.Protocol)."""
        self._early += data

    def connection_lost(self, exc: Exception | None) -> None:
        """Note that there is nothing to hand on (asyncio.Protocol)."""
        self._lost = True

    async def _shake_hands(self, transport: asyncio.Transport, address: str) -> None:
        loop = asyncio.get_running_loop()
        try:
            secured = await loop.start_tls(
                transport, self, self._files.context, server_side=True, ssl_handshake_timeout=HEAD_SECONDS, ssl_shutdown_timeout=1.0
            )
        except OSError:  # ssl.SSLError, a time-out and a lost connection are some: whoever does not speak TLS gets nothing
            transport.abort()
            return
        except BaseException:
            transport.abort()
            raise
        finally:
            self._files.give_back(address)
        if secured is None or self._lost:
            transport.abort()
            return
        secured.set_protocol(self._inner)
        self._inner.connection_made(secured)
        if self._early:
            self._inner.data_received(bytes(self._early))


def _context(certificate: Path, key: Path) -> ssl.SSLContext:
    for what, file in (("certificate", certificate), ("key", key)):
        try:
            with file.open("rb") as opened:
                opened.read(1)
        except OSError as error:
            raise TlsFilesError(
                f"the {what} {os.fspath(file)!r} cannot be read ({error.strerror}): give a PEM file of this user's"
            ) from None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_cert_chain(certificate, key, password=_no_password)
    except _EncryptedKeyError:
        raise TlsFilesError(f"the key {os.fspath(key)!r} is encrypted with a password: give one without") from None
    except ssl.SSLError as error:
        raise TlsFilesError(_sentence(error, certificate, key)) from None
    return context


class _EncryptedKeyError(Exception):
    """The key wants a password; nobody is there to type one."""

    code: ClassVar = "bad_request"


def _no_password(*_given: Any) -> bytes:
    raise _EncryptedKeyError


def _sentence(error: ssl.SSLError, certificate: Path, key: Path) -> str:
    if error.reason == _MISMATCH:
        return f"the key {os.fspath(key)!r} is not that of the certificate {os.fspath(certificate)!r}: give the two that belong together"
    why = f" ({error.reason.lower().replace('_', ' ')})" if error.reason else ""
    return (
        f"the certificate {os.fspath(certificate)!r} and the key {os.fspath(key)!r} cannot be used{why}: "
        "give two PEM files, the certificate with those it was issued by, and its private key"
    )


_MISMATCH: Final = "KEY_VALUES_MISMATCH"
