"""One-time codes, and the cookies they are exchanged for. A place is where a pass is good:

    own               the own site: its holder counts as the owner, as the owner's own connections do without any pass
    console           the console: the same, for a browser that has shown the console's token
    visit:<peer id>   the site of another peer: its reader chose to go there

A code travels in a link, so it is good once, for ten minutes, at one place. A cookie is made from the place and the user who holds the
connection, by a key in the peer's folder: nothing is stored a browser, and it goes on over restarts. The user is part of it because
cookies know no ports: another user of this machine may listen at another port of the same host and be sent it, and has no use for it.
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

from goop2.folder.regular_files import FileRefusedError, read_regular
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
            self._key = _kept_key(self._folder)
        lasting = b"" if place.startswith("visit:") else b"; Max-Age=%d" % _YEAR_SECONDS
        return self._pair(place, user) + b"; Path=/; HttpOnly; SameSite=Lax" + lasting

    def held(self, cookies: bytes, place: str, user: int | None) -> bool:
        """Return whether these `Cookie` headers hold the pass for `place`, given to this user."""
        if self._name(place) + b"=" not in cookies:
            return False
        if not self._key:
            self._key = _kept_key(self._folder)
        pair = self._pair(place, user)
        return any(hmac.compare_digest(part.strip(), pair) for part in cookies.split(b";"))

    def _name(self, place: str) -> bytes:
        """Another for each peer and place: browsers that find no *.localhost have all sites at one host."""
        return b"goop2_pass_" + hashlib.blake2b(f"{self._peer_id} {place}".encode(), digest_size=_NAME_BYTES).hexdigest().encode()

    def _pair(self, place: str, user: int | None) -> bytes:
        value = hmac.digest(self._key, f"{place} {user}".encode(), "sha256")[:_VALUE_BYTES]
        return self._name(place) + b"=" + value.hex().encode()


def _kept_key(folder: Path) -> bytes:
    """Return the key in the peer's folder, made when there is none; one of this run alone where it cannot be kept."""
    file = folder / KEY_FILE
    try:
        file.parent.mkdir(mode=0o700, exist_ok=True)
        try:
            descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "wb") as out:
                out.write(secrets.token_hex(_KEY_BYTES).encode() + b"\n")
        except FileExistsError:
            pass
        key = bytes.fromhex(read_regular(file, folder, _KEY_FILE_MAX_BYTES).decode("ascii").strip())
        if len(key) >= _KEY_BYTES:
            return key
        why = f"it holds {len(key)} bytes, not {_KEY_BYTES}; delete it"
    except (OSError, ValueError, FileRefusedError) as error:
        why = str(error)
    _log.warning("browsers that were let in will be asked again after the next start", file=KEY_FILE, why=why)
    return secrets.token_bytes(_KEY_BYTES)
