"""Visitors from beyond loopback: who is who, by a cookie, and where from, by an address.

The cookie holds a secret, the id is made from it one way: pages show each other's ids (whose turn it is), and
whoever reads one there must not become its owner by it. Nothing is stored here, so strangers cost no memory.
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
    """Return the visitor with these `Cookie` headers, and the `Set-Cookie` that makes a new one known next time."""
    match = _SECRET.search(cookies)
    secret = match[1] if match else secrets.token_hex(_SECRET_BYTES).encode()
    caller = Caller(f"{VISITOR_PREFIX}{hashlib.blake2b(secret, digest_size=_ID_BYTES).hexdigest()}", address=network_of(address))
    return caller, None if match else set_cookie(secret)


def set_cookie(secret: bytes) -> bytes:
    """Lax: who follows a link to the site is still the same visitor. Not Secure: the door speaks http."""
    return b"%s=%s; Path=/; Max-Age=%d; HttpOnly; SameSite=Lax" % (COOKIE.encode(), secret, _YEAR_SECONDS)


def named_visitor(name: str) -> Caller:
    """Return the caller of the origin of this test visitor."""
    return Caller(f"{VISITOR_PREFIX}{name}")
