"""What lets a tab of the console in again after a restart of the peer: a code for each tab, good once, kept in `data/console-tabs.json`.

    {"codes": [{"id": "…", "user": 1000, "made": 1764500000}]}

A tab that has shown the console's token is given an id and a key. After a restart it proves that it has the key: it sends a MAC over a
number that is new at each start, never the key itself. Three things keep a code useless to others:

- The file does not hold the key. It is derived from the id, from a key in the folder, and from the user's secret outside the folder, so
  neither who made the folder nor who has a copy of it can make a proof.
- The user who holds the connection is part of the key. Another user of the machine may listen at the peer's port while the peer is down,
  and is sent a proof; it is over a number of theirs, and on a connection of theirs even a true proof is wrong.
- A code is crossed out in the file before it is answered, so it is good once.

Where the platform does not say who holds a connection, no code is given, and the owner opens the console anew.
"""

from __future__ import annotations

import hmac
import secrets
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec
import structlog

from goop2.folder.regular_files import FileRefusedError, read_regular
from goop2.folder.user_secret import UserSecretError, derived_key
from goop2.folder.whole_file import replace_whole
from goop2.protocols.untrusted_json import InvalidJsonError, decode
from goop2.web.http.local_users import NOBODY
from goop2.web.http.passes import folder_key
from goop2.web.limits import TAB_CODE_SECONDS, TAB_CODES_MAX

FILE: Final = "data/console-tabs.json"
_FILE_MAX_BYTES: Final = 256 * 1024
_ID_BYTES: Final = 16
_NUMBER_BYTES: Final = 16

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger("goop2.web")


class TabCode(msgspec.Struct, frozen=True):
    """A code that a tab has and has not used yet."""

    id: str
    user: int
    made: float
    """Seconds since 1970."""


class _TabDocument(msgspec.Struct):
    codes: list[TabCode] = []


class IssuedCode(msgspec.Struct, frozen=True):
    """What a tab keeps: the id of its code, and the key in hexadecimal digits."""

    id: str
    key: str


class TabCodes:
    """The codes of one peer. Blocking: to be called from a thread; several may call it."""

    def __init__(self, folder: Path, peer_id: str, clock: Callable[[], float] = time.time) -> None:
        self._folder = folder
        self._peer_id = peer_id
        self._clock = clock
        self._lock = threading.Lock()
        self._key = b""
        self._codes: dict[str, TabCode] | None = None
        self.run = secrets.token_hex(_NUMBER_BYTES)
        """New at each start: what a proof is made over."""

    def issue(self, user: int | None) -> IssuedCode | None:
        """Return a new code for a tab of `user`; None where nobody can tell who that is, or the code cannot be kept."""
        if user is None or user == NOBODY:
            return None
        with self._lock:
            try:
                code = TabCode(secrets.token_hex(_ID_BYTES), user, self._clock())
                key = self._key_of(code)
                codes = {**self._read(), code.id: code}
                self._write(dict(list(codes.items())[-TAB_CODES_MAX:]))
            except (OSError, ValueError, UserSecretError) as error:
                _log.warning("tabs of the console are asked for its address again after the next start", file=FILE, why=str(error))
                return None
            return IssuedCode(code.id, key.hex())

    def redeem(self, id_: str, proof: str, user: int | None) -> bool:
        """Use up the code `id_`; return whether `proof` shows its key on a connection of the user it was given to."""
        with self._lock:
            try:
                code = self._read().get(id_)
                if code is None or code.user != user or self._clock() - code.made > TAB_CODE_SECONDS:
                    return False
                if not hmac.compare_digest(proof_of(self._key_of(code), self.run).encode(), proof.encode("utf-8", "replace")):
                    return False
                # Before the answer: a code that could not be crossed out would be good twice.
                self._write({other: each for other, each in self._read().items() if other != id_})
            except (OSError, ValueError, UserSecretError) as error:
                _log.warning("a tab of the console is not let in again", file=FILE, why=str(error))
                return False
            return True

    def _key_of(self, code: TabCode) -> bytes:
        if not self._key:
            self._key = derived_key(self._folder, f"console tabs {self._peer_id}", folder_key(self._folder))
        return hmac.digest(self._key, f"{code.id} {code.user}".encode(), "sha256")

    def _read(self) -> dict[str, TabCode]:
        if self._codes is None:
            try:
                document = decode(read_regular(self._folder / FILE, self._folder, _FILE_MAX_BYTES), _TabDocument)
            except FileNotFoundError:
                document = _TabDocument()
            except (FileRefusedError, InvalidJsonError) as error:
                _log.warning("the codes of the console's tabs cannot be read, and are made anew", file=FILE, why=str(error))
                document = _TabDocument()
            self._codes = {code.id: code for code in document.codes[-TAB_CODES_MAX:]}
        return self._codes

    def _write(self, codes: dict[str, TabCode]) -> None:
        (self._folder / FILE).parent.mkdir(mode=0o700, exist_ok=True)
        replace_whole(self._folder / FILE, msgspec.json.encode(_TabDocument(list(codes.values()))) + b"\n")
        self._codes = codes


def proof_of(key: bytes, run: str) -> str:
    """Return the MAC that shows `key` to the run `run` of the peer, in hexadecimal digits. static/shell/api.js makes the same."""
    return hmac.digest(key, run.encode(), "sha256").hex()
