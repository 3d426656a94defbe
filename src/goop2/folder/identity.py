"""The identity of a peer: an Ed25519 key in `data/identity.key`, and the peer id that follows from it.

The file is the libp2p private-key protobuf, the id the libp2p peer id, as for the network's other peers. It must not know anything else of
goop2, and must never overwrite a key: whoever loses it loses their name, their contacts and their rights to their rows.

    08 01        field 1, key type: Ed25519
    12 <size>    field 2, the key: seed (32 bytes), then the public key not at all, once (the form written here) or twice (an old one)
"""

from __future__ import annotations

import errno
import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from nacl.signing import SigningKey

from goop2.folder.regular_files import NotRegularError, open_regular, shown
from goop2.folder.whole_file import make_whole
from goop2.protocols import peer_ids

FILE = "data/identity.key"
SEED_BYTES = 32
PUBLIC_KEY_BYTES = 32
ED25519 = b"\x08\x01\x12"
"""How private and public key protobufs both begin; the key's size, one byte, follows."""
COPIES_OF_THE_PUBLIC_KEY = (0, 1, 2)
FILE_SIZES = tuple(len(ED25519) + 1 + SEED_BYTES + copies * PUBLIC_KEY_BYTES for copies in COPIES_OF_THE_PUBLIC_KEY)


class IdentityError(Exception):
    """The peer's key cannot be read or made; the message says which file, why, and what to do, in one sentence."""

    owner_code: ClassVar = "identity"


@dataclass(frozen=True, slots=True)
class Identity:
    """The signing key of a peer, and the id made from it."""

    peer_id: str
    """`12D3Koo…`, which other peers know it by."""
    seed: bytes = field(repr=False)
    """The secret: 32 bytes, from which the key pair follows. Not in the repr, so not in a log or a traceback."""


def load_or_create(folder: Path, key_file: str = FILE) -> Identity:
    """Return the identity of the peer in `folder`, made if there is none. Raises `IdentityError`.

    `key_file` is relative to the folder.

    Processes that start at the same moment get the same identity.
    """
    file = folder / key_file
    try:
        if not _is_there(file):
            _create(file)
    except OSError as error:
        raise IdentityError(f"{file} cannot be made ({error.strerror}): the peer keeps its key there and must be able to write") from None
    return _load(folder, file)


def _is_there(file: Path) -> bool:
    """Return whether the key exists. Raises `IdentityError` if that cannot be seen: no second key is made beside a hidden one."""
    try:
        file.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise IdentityError(
            f"{shown(file)} cannot be read ({error.strerror}): it holds the peer's key, so the peer does not start"
        ) from None
    return True


def ephemeral() -> Identity:
    """Return an identity for one run, which is not saved."""
    seed = secrets.token_bytes(SEED_BYTES)
    return Identity(_peer_id(_public_key(seed)), seed)


def _load(folder: Path, file: Path) -> Identity:
    try:
        with open_regular(file, folder) as opened:
            content = opened.read(max(FILE_SIZES) + 1)
    except NotRegularError:
        raise IdentityError(_unfit(file, "it is not a regular file")) from None
    except OSError as error:
        # A link to nothing, say to a stick that is not plugged in, is as the system has it.
        reason = os.strerror(errno.ENOENT) if error.errno == errno.ENOENT else error.strerror
        raise IdentityError(f"{shown(file)} cannot be read ({reason}): it holds the peer's key, so the peer does not start") from None
    return _parse(file, content)


def _parse(file: Path, content: bytes) -> Identity:
    if len(content) not in FILE_SIZES:
        expected = "{}, {} or {}".format(*FILE_SIZES)
        size = f"more than {max(FILE_SIZES)}" if len(content) > max(FILE_SIZES) else str(len(content))
        raise IdentityError(_unfit(file, f"it has {size} bytes where {expected} are expected"))
    header = ED25519 + bytes([len(content) - len(ED25519) - 1])
    if not content.startswith(header):
        raise IdentityError(_unfit(file, f"it begins with {content[:4].hex(' ')} where an Ed25519 key of its size has {header.hex(' ')}"))
    seed, copies = content[4 : 4 + SEED_BYTES], content[4 + SEED_BYTES :]
    public_key = _public_key(seed)
    if copies != public_key * (len(copies) // PUBLIC_KEY_BYTES):
        raise IdentityError(_unfit(file, "its public key does not belong to its seed"))
    return Identity(_peer_id(public_key), seed)


def _unfit(file: Path, why: str) -> str:
    return f"{file} is not a peer's key, {why}: restore it from a copy, or move it away and the peer gets a new key and a new id"


def _public_key(seed: bytes) -> bytes:
    return bytes(SigningKey(seed).verify_key)


def _peer_id(public_key: bytes) -> str:
    return peer_ids.peer_of(public_key)


def _create(file: Path) -> None:
    """Make the file whole or not at all, unless another process was first."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    seed = secrets.token_bytes(SEED_BYTES)
    key = seed + _public_key(seed)
    make_whole(file, ED25519 + bytes([len(key)]) + key)
