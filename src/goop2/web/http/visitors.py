"""Visitors from beyond loopback: recognised by a cookie, limited by their network address.

The cookie holds a secret, and the id is a hash of it: pages show ids of visitors to others (whose turn it is), and an id must not be enough
to act as its owner. Nothing is stored here, so strangers cost no memory.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from typing import Final

from goop2.protocols.source_network import network_of
from goop2.scripting.invocation import VISITOR_PREFIX, Caller

COOKIE: Final = "goop2_visitor"
_YEAR_SECONDS: Final = 365 * 24 * 3600
_SECRET_BYTES: Final = 16
_ID_BYTES: Final = 10
_SECRET = re.compile(rb"(?:^|;)[ \t]*goop2_visitor=([0-9a-f]{32})[ \t]*(?:;|$)")


def visitor(cookies: bytes, address: str) -> tuple[Caller, bytes | None]:
    """Return the visitor with these `Cookie` headers, and the `Set-Cookie` for a new one, None for a known one."""
    match = _SECRET.search(cookies)
    secret = match[1] if match else secrets.token_hex(_SECRET_BYTES).encode()
    # The address counts for limits: a stranger without the cookie is a new visitor with each request.
    caller = Caller(f"{VISITOR_PREFIX}{hashlib.blake2b(secret, digest_size=_ID_BYTES).hexdigest()}", address=network_of(address))
    return caller, None if match else set_cookie(secret)


def set_cookie(secret: bytes) -> bytes:
    """Return the `Set-Cookie` of a visitor's secret."""
    # Lax: a visitor who follows a link to the site is still the same one. Not Secure: the listener is plain HTTP.
    return b"%s=%s; Path=/; Max-Age=%d; HttpOnly; SameSite=Lax" % (COOKIE.encode(), secret, _YEAR_SECONDS)


def named_visitor(name: str) -> Caller:
    """Return the caller at the origin of a test visitor."""
    return Caller(f"{VISITOR_PREFIX}{name}")
