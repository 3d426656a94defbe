"""One-time codes, and the cookies they are exchanged for. A place is where a pass is good:

    own               the own site: its holder counts as the owner, as the owner's own connections do without any pass
    console           the console: the same, for a browser that has shown the console's token
    visit:<peer id>   the site of another peer: its reader chose to go there

A code travels in a link, so it is good once, for ten minutes, at one place. A cookie is made from the place and the user who holds the
connection, by a key that follows from one in the peer's folder and from the user's secret: nothing is stored a browser, it goes on over
restarts, and whoever made the folder cannot make it. The user is part of it because cookies know no ports: another user of this machine
may listen at another port of the same host and be sent it, and has no use for it.
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
        """Whether it is for a visit → code → place and when it ends. Apart: pages that lead to many peers push out no other code."""
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
        """Use `code` up; whether it was good at `place`."""
        kept = self._codes[place.startswith("visit:")].pop(code, ("", 0.0))
        return kept[0] == place and self._clock() <= kept[1]

    def cookie(self, place: str, user: int | None) -> bytes:
        """Return the `Set-Cookie` of a pass. One for a visit ends with the browser's session."""
        if not self._key:
            self._key = _lasting_key(self._folder, self._peer_id)
        lasting = b"" if place.startswith("visit:") else b"; Max-Age=%d" % _YEAR_SECONDS
        return self._pair(place, user) + b"; Path=/; HttpOnly; SameSite=Lax" + lasting

    def held(self, cookies: bytes, place: str, user: int | None) -> bool:
        """Return whether these `Cookie` headers hold the pass for `place`, given to this user."""
        if self._name(place) + b"=" not in cookies:
            return False
        if not self._key:
            self._key = _lasting_key(self._folder, self._peer_id)
        pair = self._pair(place, user)
        return any(hmac.compare_digest(part.strip(), pair) for part in cookies.split(b";"))

    def _name(self, place: str) -> bytes:
        """Another for each peer and place: browsers that find no *.localhost have all sites at one host."""
        return b"goop2_pass_" + hashlib.blake2b(f"{self._peer_id} {place}".encode(), digest_size=_NAME_BYTES).hexdigest().encode()

    def _pair(self, place: str, user: int | None) -> bytes:
        value = hmac.digest(self._key, f"{place} {user}".encode(), "sha256")[:_VALUE_BYTES]
        return self._name(place) + b"=" + value.hex().encode()


def _lasting_key(folder: Path, peer_id: str) -> bytes:
    """Return the key of this peer's passes; one of this run alone where it cannot be kept."""
    try:
        # With the id in it: two folders of one author, with the same key in both, have different passes.
        return derived_key(folder, f"passes {peer_id}", _key_in(folder))
    except (OSError, ValueError, UserSecretError) as error:
        _log.warning("browsers that were let in will be asked again after the next start", file=KEY_FILE, why=str(error))
        return secrets.token_bytes(_KEY_BYTES)


def _key_in(folder: Path) -> bytes:
    """Return the key in the peer's folder, made when there is none: to delete it ends all passes. The folder's author may know it."""
    file = folder / KEY_FILE
    file.parent.mkdir(mode=0o700, exist_ok=True)
    if not os.path.lexists(file):
        make_whole(file, secrets.token_hex(_KEY_BYTES).encode() + b"\n")
    key = bytes.fromhex(read_regular(file, folder, _KEY_FILE_MAX_BYTES).decode("ascii").strip())
    if len(key) < _KEY_BYTES:
        raise ValueError(f"it holds {len(key)} bytes, not {_KEY_BYTES}; delete it")
    return key
