"""Peers the owner typed in, kept in data/peers.json: whoever they are, they are looked for again at the next start.

    {"peers": [{"id": "12D3Koo…", "addresses": ["/ip4/192.0.2.7/tcp/4001"]}]}

A file and not a table: `goop2 connect` writes it while no peer runs, the owner can read and mend it, and data.db stays what other
implementations know. It is written whole and renamed, so a crash leaves the old one or the new.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
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


class PeersFileError(NetworkError):
    """data/peers.json cannot be read; the message says what to do."""


class _PeerCollector(msgspec.Struct):
    id: str
    addresses: list[str] = []


class _PeersDocument(msgspec.Struct):
    peers: list[_PeerCollector] = []


class RememberedPeers:
    """The file with the peers the owner has typed in."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE

    def addresses(self) -> list[PeerAddress]:
        """All of them, the last typed in first. Raises `PeersFileError`."""
        return list(_addresses(self._path, self._read()))

    def add(self, address: PeerAddress) -> None:
        """Remember it; beyond REMEMBERED_MAX peers the oldest is forgotten. Raises `PeersFileError` and OSError."""
        file = self._read()
        known = next((peer for peer in file.peers if peer.id == address.peer), _PeerCollector(address.peer))
        known.addresses = list(dict.fromkeys([address.transport, *known.addresses]))[:ADDRESSES_MAX]
        file.peers = [known, *(peer for peer in file.peers if peer.id != address.peer)][:REMEMBERED_MAX]
        self._write(file)

    def forget(self, peer: str, transport: str = "") -> bool:
        """Forget a peer, or one address of it, and return whether it was there. Raises `PeersFileError` and OSError."""
        file = self._read()
        left = []
        for each in file.peers:
            kept = [address for address in each.addresses if transport and address != transport] if each.id == peer else each.addresses
            if each.id != peer or kept:
                left.append(_PeerCollector(each.id, kept))
        if left == file.peers:
            return False
        self._write(_PeersDocument(left))
        return True

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
