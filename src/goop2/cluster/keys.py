"""The keys of the cluster's machines: nkeys of NATS, Ed25519 pairs written in base32, and the small files that hold them.

    # goop2 cluster key: NAME          a node's name, for people
    SUA…                               its secret
    -----BEGIN CERTIFICATE-----        the certificate of the server, when the owner made it: no other is believed then

It must not know the peer's identity, which is another key.
"""

from __future__ import annotations

import base64
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from nacl.signing import SigningKey

from goop2.cluster.bus import ClusterError
from goop2.cluster.limits import NAME_MAX_CHARS
from goop2.folder.regular_files import read_regular, shown
from goop2.folder.whole_file import replace_whole

_SEED, _USER = 18 << 3, 20 << 3
"""Prefix bytes of NATS: S for a secret, U for a user."""
_SECRET_BYTES = 2 + 32
_CHECKSUM_BYTES = 2
_HEAD: Final = "# goop2 cluster key: "
_NAME = re.compile(rf"[A-Za-z0-9][A-Za-z0-9_-]{{0,{NAME_MAX_CHARS - 1}}}")
FILE_MAX_BYTES: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class ClusterKey:
    """What a machine shows the server, and what it believes the server by."""

    name: str
    seed: bytes = field(repr=False)
    """32 bytes; not in the repr, so not in a log or a traceback."""
    certificate: str = ""
    """PEM of the server's certificate; "" leaves the system's list of authorities."""

    @property
    def public(self) -> str:
        """Return the public key as NATS writes it: `U…`, 56 letters."""
        return _written(bytes([_USER]) + bytes(SigningKey(self.seed).verify_key))

    @property
    def secret(self) -> str:
        """Return the secret as NATS writes it: `SU…`."""
        return _written(bytes([_SEED | _USER >> 5, (_USER & 31) << 3]) + self.seed)

    def signed(self, nonce: str) -> bytes:
        """Return the signature of what the server asks to be signed, in base64."""
        return base64.b64encode(SigningKey(self.seed).sign(nonce.encode()).signature)


def new_key(name: str, certificate: str = "") -> ClusterKey:
    """Make a key. Raises `ClusterError` for a name that is none."""
    return ClusterKey(checked_name(name), os.urandom(32), certificate)


def checked_name(name: str) -> str:
    """Return a node's name. Raises `ClusterError` for one that is none."""
    if not _NAME.fullmatch(name):
        raise ClusterError(f"{shown(name)!r} is no name for a machine: 1 to {NAME_MAX_CHARS} letters, digits, - and _")
    return name


def write_key(file: Path, key: ClusterKey) -> None:
    """Write a key for this user's eyes alone. Raises `ClusterError`."""
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        replace_whole(file, f"{_HEAD}{key.name}\n{key.secret}\n{key.certificate}".encode())
    except OSError as error:
        raise ClusterError(f"{shown(file)} cannot be written: {error.strerror or error}") from None


def read_key(file: Path) -> ClusterKey:
    """Read a key. Raises `ClusterError`."""
    try:
        text = read_regular(file, None, FILE_MAX_BYTES).decode("ascii")
    except UnicodeDecodeError:
        raise _no_key(file) from None
    except OSError as error:
        raise ClusterError(f"{shown(file)}, the key for the cluster, cannot be read: {error.strerror or error}") from None
    lines = text.splitlines()
    name = next((line.removeprefix(_HEAD) for line in lines if line.startswith(_HEAD)), "")
    seed = next((found for line in lines if line.startswith("SU") and (found := _seed(line.strip())) is not None), None)
    if seed is None:
        raise _no_key(file)
    # The rest of the file, whole: it is read by OpenSSL and not by us.
    begin = text.find("-----BEGIN CERTIFICATE-----")
    return ClusterKey(name if _NAME.fullmatch(name) else "", seed, text[begin:] if begin >= 0 else "")


def _no_key(file: Path) -> ClusterError:
    return ClusterError(f"{shown(file)} is no key for a cluster; goop2 cluster invite NAME DIR makes one")


def _written(content: bytes) -> str:
    return base64.b32encode(content + _checksum(content).to_bytes(_CHECKSUM_BYTES, "little")).decode().rstrip("=")


def _seed(text: str) -> bytes | None:
    """Return the 32 bytes of a secret, None when it is none."""
    try:
        # NATS writes base32 without its padding.
        content = base64.b32decode(text + "=" * (-len(text) % 8))
    except ValueError:
        return None
    body, checksum = content[:-_CHECKSUM_BYTES], content[-_CHECKSUM_BYTES:]
    is_user = len(body) == _SECRET_BYTES and body[0] == _SEED | _USER >> 5 and body[1] == (_USER & 31) << 3
    return body[2:] if is_user and int.from_bytes(checksum, "little") == _checksum(body) else None


def _checksum(content: bytes) -> int:
    """Return the CRC-16/XMODEM of NATS."""
    crc = 0
    for byte in content:
        crc ^= byte << 8
        for _ in range(8):
            crc = (crc << 1) ^ 0x1021 if crc & 0x8000 else crc << 1
        crc &= 0xFFFF
    return crc
