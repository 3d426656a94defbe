"""Save the port of each site that has one of its own in `data/ports.json`: browsers file a site's storage and cookies by port.

    {"sites": {"12D3Koo…": [41234], "12D3Koo…/ann": [41240, 41250]}, "seal": "…"}

The last port in a list is used; the earlier ones were taken by other programs. A port that a site ever had is never given to another site,
whose pages would find the first site's storage there. For the same reason a file that came with the folder is not trusted: its author could
give their own site the port of another site of this user. So the file has a MAC (`seal`) made with the user's secret.
"""

from __future__ import annotations

import contextlib
import hmac
import os
from pathlib import Path
from typing import Final

import msgspec
import structlog

from goop2.folder.regular_files import FileRefusedError, read_regular
from goop2.folder.user_secret import UserSecretError, derived_key
from goop2.protocols.untrusted_json import InvalidJsonError, decode
from goop2.web.limits import SAVED_PORTS_MAX

FILE: Final = "data/ports.json"
_FILE_MAX_BYTES: Final = 1024 * 1024

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger("goop2.web")


class _PortsDocument(msgspec.Struct):
    sites: dict[str, list[int]]
    seal: str = ""


class SavedPorts:
    """The saved ports of one peer. Blocking; the file is small. All methods raise OSError while the file cannot be read."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._sites: dict[str, list[int]] | None = None
        self._key = b""

    def of(self, peer_id: str, visitor: str) -> int:
        """Return the port a site had last; 0 for one that has had none."""
        ports = self._read().get(_key(peer_id, visitor))
        return ports[-1] if ports else 0

    def is_anothers(self, port: int, peer_id: str, visitor: str) -> bool:
        """Return whether another site has, or had, this port."""
        key = _key(peer_id, visitor)
        return any(port in ports for other, ports in self._read().items() if other != key)

    @property
    def full(self) -> bool:
        """Return whether no further site can be saved."""
        return len(self._read()) >= SAVED_PORTS_MAX

    def save(self, port: int, peer_id: str, visitor: str) -> None:
        """Remember that a site has this port now."""
        ports = self._read().setdefault(_key(peer_id, visitor), [])
        if ports[-1:] != [port]:
            ports[:] = [*(each for each in ports if each != port), port]
            self._write()

    def _read(self) -> dict[str, list[int]]:
        if self._sites is None:
            self._sites = self._read_file()
        return self._sites

    def _read_file(self) -> dict[str, list[int]]:
        file = self._folder / FILE
        try:
            document = decode(read_regular(file, self._folder, _FILE_MAX_BYTES), _PortsDocument)
            if not hmac.compare_digest(document.seal.encode(), self._seal(document.sites).encode()):
                raise FileRefusedError(file, "this user did not make it here")
            return document.sites
        except FileNotFoundError:
            return {}
        except UserSecretError as error:
            _log.warning("sites get new ports: the saved ones cannot be verified", file=FILE, why=str(error))
            return {}
        except (FileRefusedError, InvalidJsonError) as error:
            # Other OSErrors go on to the caller: a file that cannot be read now must not be set aside, its ports would be lost.
            _log.warning("sites get new ports: the saved ones cannot be read", file=FILE, why=str(error))
            with contextlib.suppress(OSError):
                file.rename(file.with_suffix(".json.bad"))
            return {}

    def _seal(self, sites: dict[str, list[int]]) -> str:
        """Return the MAC over `sites`, which only this user can make. Raises `UserSecretError` and OSError."""
        self._key = self._key or derived_key(self._folder, "ports", b"")
        return hmac.digest(self._key, msgspec.json.encode(sites), "sha256").hex()

    def _write(self) -> None:
        file = self._folder / FILE
        new = file.with_suffix(".json.new")
        try:
            file.parent.mkdir(mode=0o700, exist_ok=True)
            with contextlib.suppress(FileNotFoundError):
                new.unlink()
            sites = self._read()
            content = msgspec.json.encode(_PortsDocument(sites, self._seal(sites))) + b"\n"
            descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "wb") as out:
                out.write(content)
            # Atomic: a crash leaves the old file or the new one.
            new.replace(file)
        except (OSError, UserSecretError) as error:
            _log.warning("the port of a site cannot be saved", file=FILE, why=str(error))


def _key(peer_id: str, visitor: str) -> str:
    return f"{peer_id}/{visitor}" if visitor else peer_id
