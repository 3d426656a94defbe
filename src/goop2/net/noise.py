"""Noise_XX_25519_ChaChaPoly_SHA256 (the Noise specification, revision 34), without I/O: messages in, messages out.

    → e                     the initiator's ephemeral key
    ← e, ee, s, es          the responder's, and its static key, encrypted
    → s, se                 the initiator's static key, encrypted

Each message carries a payload, encrypted from the second on. After the third, two ciphers are left, one for each direction.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass, field
from typing import Final

from nacl.bindings import crypto_scalarmult, crypto_scalarmult_base
from nacl.exceptions import CryptoError

from goop2.net.sodium import TAG_BYTES, open_sealed, seal
from goop2.protocols.errors import RemoteProtocolError

NAME: Final = b"Noise_XX_25519_ChaChaPoly_SHA256"
KEY_BYTES: Final = 32
_PATTERN: Final = (("e",), ("e", "ee", "s", "es"), ("s", "se"))
_NONCE_ZEROS: Final = bytes(4)
_NONCE_MAX: Final = (1 << 64) - 2
"""The largest is reserved; a connection ends before it."""


@dataclass(frozen=True, slots=True)
class KeyPair:
    """An X25519 key pair, 32 bytes each; the private half is not in the repr, so not in a log."""

    private: bytes = field(repr=False)
    public: bytes


def key_pair(private: bytes | None = None) -> KeyPair:
    """Return the key pair of a private key, or a new one."""
    private = secrets.token_bytes(KEY_BYTES) if private is None else private
    return KeyPair(private, crypto_scalarmult_base(private))


class Cipher:
    """The cipher of one direction (ChaCha20-Poly1305): a key, and a count of messages."""

    __slots__ = ("_key", "_nonce")

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._nonce = 0

    def encrypt(self, plain: bytes, associated: bytes = b"") -> bytes:
        """Return the next message, encrypted, with its tag behind it."""
        return seal(plain, associated, self._next_nonce(), self._key)

    def decrypt(self, encrypted: bytes, associated: bytes = b"") -> bytes:
        """Return the content of the next message. Raises `RemoteProtocolError` unless the other side encrypted it as the next."""
        plain = open_sealed(encrypted, associated, self._next_nonce(), self._key)
        if plain is None:
            raise RemoteProtocolError("a message of Noise cannot be decrypted")
        return plain

    def _next_nonce(self) -> bytes:
        nonce, self._nonce = self._nonce, self._nonce + 1
        # A number used twice with one key would show what was encrypted.
        if nonce > _NONCE_MAX:
            raise RemoteProtocolError("a cipher of Noise is used up")
        return _NONCE_ZEROS + nonce.to_bytes(8, "little")


class Handshake:
    """The XX handshake of one side: `write` and `read` alternate, the initiator writes first. `ephemeral` is for tests with known keys."""

    def __init__(self, *, is_initiator: bool, static: KeyPair, prologue: bytes = b"", ephemeral: KeyPair | None = None) -> None:
        self._is_initiator = is_initiator
        self._static = static
        self._ephemeral = ephemeral
        self._remote_ephemeral = b""
        self.remote_static = b""
        """The other side's static key, once it is known."""
        self._step = 0
        # A name of exactly 32 bytes is taken as it is, and not hashed (Noise, section 5.2).
        self._hash = NAME
        self._chaining_key = NAME
        self._cipher: Cipher | None = None
        self._mix_hash(prologue)

    @property
    def is_done(self) -> bool:
        """Return whether the third message was read or written."""
        return self._step == len(_PATTERN)

    @property
    def writes_next(self) -> bool:
        """Return whether the next message is this side's to write."""
        return not self.is_done and (self._step % 2 == 0) is self._is_initiator

    def write(self, payload: bytes = b"") -> bytes:
        """Return the next message with this payload."""
        assert self.writes_next
        message = b""
        for token in _PATTERN[self._step]:
            if token == "e":
                self._ephemeral = self._ephemeral or key_pair()
                message += self._ephemeral.public
                self._mix_hash(self._ephemeral.public)
            elif token == "s":
                message += self._encrypt(self._static.public)
            else:
                self._mix_shared(token)
        message += self._encrypt(payload)
        self._step += 1
        return message

    def read(self, message: bytes) -> bytes:
        """Return the payload of the other side's next message. Raises `RemoteProtocolError` for an invalid message."""
        assert not self.is_done
        assert not self.writes_next
        at = 0
        for token in _PATTERN[self._step]:
            if token in ("e", "s"):
                size = KEY_BYTES + (TAG_BYTES if token == "s" else 0)
                part = message[at : at + size]
                if len(part) != size:
                    raise RemoteProtocolError(f"message {self._step + 1} of the handshake has {len(message)} bytes, which are too few")
                at += size
                self._take_key(token, part)
            else:
                self._mix_shared(token)
        payload = self._decrypt(message[at:])
        self._step += 1
        return payload

    def split(self) -> tuple[Cipher, Cipher]:
        """Return the cipher for sending, and the one for receiving."""
        assert self.is_done
        first, second = _expand(self._chaining_key, b"")
        sends, receives = Cipher(first), Cipher(second)
        # The first key is always for what the initiator sends.
        return (sends, receives) if self._is_initiator else (receives, sends)

    @property
    def handshake_hash(self) -> bytes:
        """Return the hash of all messages, which both sides share."""
        return self._hash

    def _take_key(self, token: str, part: bytes) -> None:
        if token == "e":
            self._remote_ephemeral = part
            self._mix_hash(part)
        else:
            self.remote_static = self._decrypt(part)

    def _mix_shared(self, token: str) -> None:
        """Mix in the shared secret of two keys; the token's first letter is the initiator's key, the second the responder's."""
        ours, theirs = (token[0], token[1]) if self._is_initiator else (token[1], token[0])
        assert self._ephemeral is not None
        private = (self._ephemeral if ours == "e" else self._static).private
        public = self._remote_ephemeral if theirs == "e" else self.remote_static
        try:
            shared = crypto_scalarmult(private, public)
        except (CryptoError, RuntimeError):  # crypto_scalarmult of PyNaCl 1.6: a point of low order gives the zero key
            raise RemoteProtocolError("a key of the handshake is not one that can be used") from None
        self._chaining_key, key = _expand(self._chaining_key, shared)
        self._cipher = Cipher(key)

    def _mix_hash(self, data: bytes) -> None:
        self._hash = hashlib.sha256(self._hash + data).digest()

    def _encrypt(self, plain: bytes) -> bytes:
        # Before there is a key, Noise sends as it is; the hash binds what was sent to all that follows.
        encrypted = self._cipher.encrypt(plain, self._hash) if self._cipher else plain
        self._mix_hash(encrypted)
        return encrypted

    def _decrypt(self, encrypted: bytes) -> bytes:
        plain = self._cipher.decrypt(encrypted, self._hash) if self._cipher else encrypted
        self._mix_hash(encrypted)
        return plain


def _expand(chaining_key: bytes, material: bytes) -> tuple[bytes, bytes]:
    """Return two keys (HKDF with HMAC-SHA256, as Noise has it)."""
    secret = hmac.digest(chaining_key, material, "sha256")
    first = hmac.digest(secret, b"\x01", "sha256")
    return first, hmac.digest(secret, first + b"\x02", "sha256")
