"""ChaCha20-Poly1305 (RFC 8439) by libsodium, called directly. Every exchange between peers makes four calls, and through PyNaCl's public
functions each would take four times as long.

It uses `ffi` and `lib` of PyNaCl's module _sodium (1.6), on which its own bindings are built; tests/net/test_sodium.py compares both.
"""

from __future__ import annotations

from typing import Any, Final

import nacl.bindings  # noqa: F401  (starts libsodium, so that it takes its code for this processor: long messages cost a third)
from nacl import _sodium

_ffi: Final[Any] = _sodium.ffi
_new: Final = _ffi.new
_buffer: Final = _ffi.buffer
_NULL: Final = _ffi.NULL
_encrypt: Final = _sodium.lib.crypto_aead_chacha20poly1305_ietf_encrypt
_decrypt: Final = _sodium.lib.crypto_aead_chacha20poly1305_ietf_decrypt

TAG_BYTES: Final = 16
KEY_BYTES: Final = 32
NONCE_BYTES: Final = 12


def seal(plain: bytes, associated: bytes, nonce: bytes, key: bytes) -> bytes:
    """Return `plain` encrypted, with its tag behind it."""
    assert len(nonce) == NONCE_BYTES
    assert len(key) == KEY_BYTES
    size = len(plain) + TAG_BYTES
    sealed = _new("unsigned char[]", size)
    _encrypt(sealed, _NULL, plain, len(plain), associated, len(associated), _NULL, nonce, key)
    return bytes(_buffer(sealed, size))


def open_sealed(sealed: bytes, associated: bytes, nonce: bytes, key: bytes) -> bytes | None:
    """Return the decrypted bytes; None unless they were encrypted with this key, nonce and associated data."""
    assert len(nonce) == NONCE_BYTES
    assert len(key) == KEY_BYTES
    size = len(sealed) - TAG_BYTES
    if size < 0:
        return None
    plain = _new("unsigned char[]", size or 1)
    failed = _decrypt(plain, _NULL, _NULL, sealed, len(sealed), associated, len(associated), nonce, key)
    return None if failed else bytes(_buffer(plain, size))
