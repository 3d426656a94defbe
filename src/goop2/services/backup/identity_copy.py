"""The copy of a peer's key that `goop2 backup DIR --identity FILE` writes: as it is, or encrypted with a passphrase.

Encrypted it is a line of JSON: the salt and cost of Argon2id, which makes a key of the passphrase, and a secret box of libsodium with the
bytes of data/identity.key. The costs in a file are bounded when it is read: a file may come from anybody.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec
from nacl.exceptions import CryptoError
from nacl.pwhash import argon2id
from nacl.secret import SecretBox
from nacl.utils import random

from goop2.folder import identity
from goop2.folder.identity import Identity
from goop2.folder.regular_files import open_regular, shown
from goop2.folder.whole_file import replace_whole
from goop2.protocols.untrusted_json import InvalidJsonError, decode
from goop2.services.backup.program import BackupError

FORMAT: Final = "goop2 identity, encrypted, 1"
OPERATIONS: Final = argon2id.OPSLIMIT_MODERATE
MEMORY_BYTES: Final = argon2id.MEMLIMIT_MODERATE
"""libsodium's costs for what is asked seldom: some 0.7 s and 256 MB for each passphrase that is tried."""
_OPERATIONS_MAX: Final = argon2id.OPSLIMIT_SENSITIVE
_MEMORY_MAX: Final = argon2id.MEMLIMIT_SENSITIVE
_READ_MAX_BYTES: Final = 4096


class _Sealed(msgspec.Struct, frozen=True, kw_only=True):
    """The encrypted copy; bytes are base64 in JSON."""

    format: str
    operations: int
    memory: int
    salt: bytes
    box: bytes


def write_copy(folder: Path, key_file: str, target: Path, passphrase: str | None) -> str:
    """Write a copy of the key of the peer in `folder` for the owner's eyes; return the peer's id. Raises `BackupError`, `IdentityError`."""
    if not (folder / key_file).exists():
        raise BackupError(f"{shown(folder / key_file)} is missing: this folder has no identity to copy yet")
    found = identity.load_or_create(folder, key_file)
    if target.exists() or target.is_symlink():
        raise BackupError(f"{shown(target)} is there already, and no key is written over anything: name a new file")
    with open_regular(folder / key_file, folder) as opened:
        content = opened.read(_READ_MAX_BYTES)
    try:
        replace_whole(target.absolute(), content if passphrase is None else _seal(content, passphrase))
    except OSError as error:
        raise BackupError(f"{shown(target)} cannot be written ({error.strerror}): name a file in a folder of yours") from None
    return found.peer_id


def is_sealed(source: Path) -> bool:
    """Return whether a copy needs a passphrase. Raises `BackupError`."""
    return _read(source).startswith(b"{")


def read_copy(source: Path, passphrase: str | None) -> bytes:
    """Return the bytes of data/identity.key in a copy. Raises `BackupError` when the passphrase is wrong."""
    content = _read(source)
    if not content.startswith(b"{"):
        return content
    try:
        sealed = decode(content, _Sealed)
    except InvalidJsonError:
        raise BackupError(f"{shown(source)} is not a copy of a peer's key") from None
    if sealed.format != FORMAT or sealed.operations > _OPERATIONS_MAX or sealed.memory > _MEMORY_MAX:
        raise BackupError(f"{shown(source)} is encrypted in a way this goop2 does not know: is it of a newer one?")
    try:
        key = argon2id.kdf(SecretBox.KEY_SIZE, (passphrase or "").encode(), sealed.salt, sealed.operations, sealed.memory)
        return bytes(SecretBox(key).decrypt(sealed.box))
    except CryptoError:  # with what libsodium says of salts and costs that are none
        raise BackupError(f"{shown(source)} cannot be decrypted: the passphrase is wrong, or the file was changed") from None


def put_in_place(folder: Path, key_file: str, content: bytes) -> Identity:
    """Write a key into a restored folder; return its identity. Raises `BackupError`, `IdentityError`."""
    target = folder / key_file
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    replace_whole(target, content)
    return identity.load_or_create(folder, key_file)


def _seal(content: bytes, passphrase: str) -> bytes:
    salt = random(argon2id.SALTBYTES)
    key = argon2id.kdf(SecretBox.KEY_SIZE, passphrase.encode(), salt, OPERATIONS, MEMORY_BYTES)
    box = bytes(SecretBox(key).encrypt(content))
    return msgspec.json.encode(_Sealed(format=FORMAT, operations=OPERATIONS, memory=MEMORY_BYTES, salt=salt, box=box)) + b"\n"


def _read(source: Path) -> bytes:
    try:
        with open_regular(source, None) as opened:
            return opened.read(_READ_MAX_BYTES)
    except OSError as error:
        raise BackupError(f"{shown(source)} cannot be read: {error.strerror}") from None
