"""The second key pair of a peer, for payload encryption: X25519, base64, in goop.json `p2p.nacl_public_key` and `p2p.nacl_private_key`.

It is not among the settings of settings.py: those are shown on pages and can be environment variables, and a private key must be neither.
Encryption is on when the pair exists. An existing key is never replaced, and no message shows a private one.
"""

from __future__ import annotations

import binascii
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from nacl.public import PrivateKey

from goop2.config.editing import replace_document
from goop2.config.loading import FILE, SettingsError, read_document

SECTION: Final = "p2p"
PUBLIC: Final = "nacl_public_key"
PRIVATE: Final = "nacl_private_key"
KEY_BYTES: Final = 32
_OTHERS_MAY: Final = stat.S_IRWXG | stat.S_IRWXO


@dataclass(frozen=True, slots=True)
class PayloadKeys:
    """The key pair for payloads, as bytes."""

    public: bytes
    private: bytes = field(repr=False)

    @property
    def public_text(self) -> str:
        """Return the public key in base64, as it stands in goop.json and in presence."""
        return binascii.b2a_base64(self.public, newline=False).decode()


def load(folder: Path) -> PayloadKeys | None:
    """Return the key pair of the peer in `folder`; None when it has none. Raises `SettingsError` for an invalid pair."""
    return _pair(folder / FILE, _section(read_document(folder)[1]))


def make(folder: Path) -> tuple[PayloadKeys, bool]:
    """Return the key pair of the peer in `folder`, made if there is none, and whether it was made. Then only the owner may read goop.json.

    Raises `SettingsError`, and `SettingsConflictError` when somebody saves goop.json at the same moment.
    """
    content, document = read_document(folder)
    known = _pair(folder / FILE, _section(document))
    if known is not None:
        return known, False
    private = PrivateKey.generate()
    made = PayloadKeys(bytes(private.public_key), bytes(private))
    section = dict(_section(document)) | {PUBLIC: made.public_text, PRIVATE: binascii.b2a_base64(made.private, newline=False).decode()}
    replace_document(folder, content, {**document, SECTION: section}, mode=0o600)
    return made, True


def others_may_read(folder: Path, private: bool = True) -> str:
    """Return a warning for an owner whose goop.json holds a private key and can be read by others on this machine; "" when not needed.

    `private`: to the group neither (`storage.group_readable`).
    """
    file = folder / FILE
    if not file.stat().st_mode & (_OTHERS_MAY if private else stat.S_IRWXO):
        return ""
    return f"{file} holds a private key ({SECTION}.{PRIVATE}) and others of this machine may read it: chmod 600 {file}"


def _section(document: Mapping[str, object]) -> Mapping[str, object]:
    section = document.get(SECTION)
    return section if isinstance(section, dict) else {}


def _pair(file: Path, section: Mapping[str, object]) -> PayloadKeys | None:
    public, private = (_key(file, name, section.get(name)) for name in (PUBLIC, PRIVATE))
    if private is None:
        if public is not None:
            raise SettingsError(f"{file}: {SECTION}.{PUBLIC} stands there without {SECTION}.{PRIVATE}: restore the other, or take it out")
        return None
    belongs = bytes(PrivateKey(private).public_key)
    if public not in (None, belongs):
        raise SettingsError(f"{file}: {SECTION}.{PUBLIC} does not belong to {SECTION}.{PRIVATE}: restore the pair, or take both out")
    return PayloadKeys(belongs, private)


def _key(file: Path, name: str, value: object) -> bytes | None:
    if value is None or value == "":
        return None
    try:
        key = binascii.a2b_base64(value, strict_mode=True) if isinstance(value, str) else b""
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise SettingsError(f"{file}: {SECTION}.{name} is not a key; allowed is base64 of {KEY_BYTES} bytes")
    return key
