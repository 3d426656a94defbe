"""One-time codes, and the pass cookies they are exchanged for. A place is where a pass is valid:

    own               the own site: its holder counts as the owner, as the owner's own connections do without any pass
    console           the console: the same, for a browser that has shown the console's token
    visit:<peer id>   the site of another peer: its reader chose to go there
    enter             the console itself: a code alone, which is exchanged for the console's token

A code travels in a link, so it is valid once, for ten minutes, at one place. A cookie is a MAC over the place and the user who holds the
connection; its key is derived from one in the peer's folder and from the user's secret. So nothing is stored per browser, cookies survive
restarts, and the author of the folder cannot make one. The user is part of the MAC because cookies are shared by all ports of a host:
another user of this machine may be sent the cookie at a port of theirs, and cannot use it.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Final

import structlog

from goop2.folder.regular_files import read_regular
from goop2.folder.user_secret import UserSecretError, derived_key
from goop2.folder.whole_file import make_whole
from goop2.web.limits import CODE_SECONDS, CODES_MAX

OWN: Final = "own"
CONSOLE: Final = "console"
ENTER: Final = "enter"
PARAMETER: Final = "goop2-code"
"""Name of a code in a link's query."""
KEY_FILE: Final = "data/passes.key"
_KEY_BYTES: Final = 32
_KEY_FILE_MAX_BYTES: Final = 1024
_CODE_BYTES: Final = 16
_NAME_BYTES: Final = 5
_VALUE_BYTES: Final = 16
_YEAR_SECONDS: Final = 365 * 24 * 3600

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger("goop2.web")


def visit_of(peer_id: str) -> str:
    """Return the place that is the site of another peer."""
    return f"visit:{peer_id}"


class Passes:
    """The codes and cookies of one peer."""

    def __init__(self, folder: Path, peer_id: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._folder = folder
        self._peer_id = peer_id
        self._clock = clock
        self._codes: dict[bool, OrderedDict[str, tuple[str, float]]] = {True: OrderedDict(), False: OrderedDict()}
        """Whether it is for a visit → code → place and expiry. Two maps, so that pages with links to many peers push out no other code."""
        self._key = b""

    def code(self, place: str) -> str:
        """Return a new code for `place`."""
        codes = self._codes[place.startswith("visit:")]
        code = secrets.token_urlsafe(_CODE_BYTES)
        codes[code] = place, self._clock() + CODE_SECONDS
        while len(codes) > CODES_MAX:
            codes.popitem(last=False)
        return code

    def redeem(self, code: str, place: str) -> bool:
        """Use up `code`; return whether it was valid at `place`."""
        # `pop`: a code is used up also when it is tried at another place.
        valid_at, expiry = self._codes[place.startswith("visit:")].pop(code, ("", 0.0))
        return valid_at == place and self._clock() <= expiry

    def cookie(self, place: str, user: int | None) -> bytes:
        """Return the `Set-Cookie` of a pass. One for a visit ends with the browser's session."""
        if not self._key:
            self._key = _lasting_key(self._folder, self._peer_id)
        lasting = b"" if place.startswith("visit:") else b"; Max-Age=%d" % _YEAR_SECONDS
        return self._pair(place, user) + b"; Path=/; HttpOnly; SameSite=Lax" + lasting

    def held(self, cookies: bytes, place: str, user: int | None) -> bool:
        """Return whether these `Cookie` headers hold the pass for `place`, given to this user."""
        # Cheap, and before the key is read: most requests carry no pass.
        if self._name(place) + b"=" not in cookies:
            return False
        if not self._key:
            self._key = _lasting_key(self._folder, self._peer_id)
        pair = self._pair(place, user)
        return any(hmac.compare_digest(part.strip(), pair) for part in cookies.split(b";"))

    def _name(self, place: str) -> bytes:
        """Return the cookie's name, another for each peer and place: for browsers without *.localhost all sites are one host."""
        return b"goop2_pass_" + hashlib.blake2b(f"{self._peer_id} {place}".encode(), digest_size=_NAME_BYTES).hexdigest().encode()

    def _pair(self, place: str, user: int | None) -> bytes:
        value = hmac.digest(self._key, f"{place} {user}".encode(), "sha256")[:_VALUE_BYTES]
        return self._name(place) + b"=" + value.hex().encode()


def _lasting_key(folder: Path, peer_id: str) -> bytes:
    """Return the key of this peer's passes; a random one, for this run alone, when it cannot be saved."""
    try:
        # The id is part of it: two folders of one author with the same key in both must not accept each other's passes.
        return derived_key(folder, f"passes {peer_id}", folder_key(folder))
    except (OSError, ValueError, UserSecretError) as error:
        _log.warning("browsers that were let in will be asked again after the next start", file=KEY_FILE, why=str(error))
        return secrets.token_bytes(_KEY_BYTES)


def folder_key(folder: Path) -> bytes:
    """Return the key in the peer's folder, made when there is none; deleting it ends all passes. The author of the folder may know it.

    Raises OSError and ValueError.
    """
    file = folder / KEY_FILE
    file.parent.mkdir(mode=0o700, exist_ok=True)
    if not os.path.lexists(file):
        make_whole(file, secrets.token_hex(_KEY_BYTES).encode() + b"\n")
    key = bytes.fromhex(read_regular(file, folder, _KEY_FILE_MAX_BYTES).decode("ascii").strip())
    if len(key) < _KEY_BYTES:
        raise ValueError(f"it holds {len(key)} bytes, not {_KEY_BYTES}; delete it")
    return key
