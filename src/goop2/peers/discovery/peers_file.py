"""data/peers.json: the peers the owner typed in, which are dialled again at the next start, and the keys that peers have sent.

    {"peers": [{"id": "12D3Koo…", "addresses": ["/ip4/192.0.2.7/tcp/4001"]}], "keys": [{"id": "12D3Koo…", "key": "base64"}]}

The keys must survive a restart: a Go peer keeps ours and goes on to encrypt everything for us (network.md, "Payload keys").

It is a file and not a table for three reasons: `goop2 connect` writes it while no peer runs, the owner can read and correct it, and data.db
keeps the layout of other implementations. It is written to a new file and renamed, so a crash leaves the old or the new one.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import msgspec

from goop2.folder.regular_files import FileRefusedError, read_regular
from goop2.net.address import PeerAddress, parse
from goop2.net.faults import AddressError, NetworkError
from goop2.net.limits import ADDRESSES_MAX, REMEMBERED_MAX
from goop2.protocols.untrusted_json import InvalidJsonError, decode

FILE: Final = "data/peers.json"
FILE_MAX_BYTES: Final = 1024 * 1024
KEYS_MAX: Final = 1024
"""Keys kept, some 130 bytes each; the longest known is dropped for a new one."""


class PeersFileError(NetworkError):
    """data/peers.json cannot be read; the message says what to do."""


class _PeerCollector(msgspec.Struct):
    id: str
    addresses: list[str] = []


class _KnownKey(msgspec.Struct, frozen=True):
    id: str
    key: str


class _PeersDocument(msgspec.Struct):
    peers: list[_PeerCollector] = []
    keys: list[_KnownKey] = []


class RememberedPeers:
    """The file of the peer in `folder`. Its methods block; they may be called from several threads."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        self._writing = threading.Lock()
        """Held from reading to writing, so that an address and a key that come at once are both kept."""

    def addresses(self) -> list[PeerAddress]:
        """Return all addresses the owner typed in, the last first. Raises `PeersFileError`."""
        return list(_addresses(self._path, self._read()))

    def add(self, address: PeerAddress) -> None:
        """Remember an address; beyond REMEMBERED_MAX peers the oldest is forgotten. Raises `PeersFileError` and OSError."""
        with self._writing:
            file = self._read()
            known = next((peer for peer in file.peers if peer.id == address.peer), _PeerCollector(address.peer))
            known.addresses = list(dict.fromkeys([address.transport, *known.addresses]))[:ADDRESSES_MAX]
            file.peers = [known, *(peer for peer in file.peers if peer.id != address.peer)][:REMEMBERED_MAX]
            self._write(file)

    def forget(self, peer: str, transport: str = "") -> bool:
        """Forget a peer, or one address of it, and return whether it was there. Raises `PeersFileError` and OSError."""
        with self._writing:
            file = self._read()
            left = []
            for each in file.peers:
                kept = [address for address in each.addresses if transport and address != transport] if each.id == peer else each.addresses
                if each.id != peer or kept:
                    left.append(_PeerCollector(each.id, kept))
            if left == file.peers:
                return False
            self._write(_PeersDocument(left, file.keys))
            return True

    def keys(self) -> dict[str, str]:
        """Return peer → its public key for payload encryption, base64 as the peer told it. Raises `PeersFileError`."""
        return {known.id: known.key for known in self._read().keys[-KEYS_MAX:]}

    def add_keys(self, keys: Mapping[str, str]) -> None:
        """Remember the keys of peers, in place of older ones. Raises `PeersFileError` and OSError."""
        with self._writing:
            file = self._read()
            others = [known for known in file.keys if known.id not in keys]
            self._write(_PeersDocument(file.peers, [*others, *(_KnownKey(peer, key) for peer, key in keys.items())][-KEYS_MAX:]))

    def _read(self) -> _PeersDocument:
        try:
            return decode(read_regular(self._path, self._path.parent.parent, FILE_MAX_BYTES), _PeersDocument)
        except FileNotFoundError:
            return _PeersDocument()
        except FileRefusedError as error:
            raise PeersFileError(f"{self._path} cannot be read ({error.strerror}): mend it, make it shorter or delete it") from None
        except InvalidJsonError as error:
            raise PeersFileError(f"{self._path} is no list of peers ({error}): mend it or delete it") from None

    def _write(self, file: _PeersDocument) -> None:
        self._path.parent.mkdir(mode=0o700, exist_ok=True)
        new = self._path.with_suffix(".json.new")
        new.unlink(missing_ok=True)  # of a crash; or a link, which would be written through
        content = msgspec.json.format(msgspec.json.encode(file), indent=2) + b"\n"
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600), "wb") as written:
            written.write(content)
            # On the disk before the rename, or a crash could leave an empty file under the final name.
            written.flush()
            os.fsync(written.fileno())
        new.replace(self._path)


def _addresses(path: Path, file: _PeersDocument) -> Iterator[PeerAddress]:
    # No more than `add` keeps: each is dialled for a day, and the file may have come with the folder.
    for peer in file.peers[:REMEMBERED_MAX]:
        for transport in peer.addresses[:ADDRESSES_MAX]:
            try:
                yield parse(f"{transport}/p2p/{peer.id}")
            except AddressError as error:
                raise PeersFileError(f"{path}: {error}") from None
