"""Our way to libsodium gives what PyNaCl's own does, and the vector of RFC 8439."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from nacl.bindings import crypto_aead_chacha20poly1305_ietf_encrypt

from goop2.net.sodium import open_sealed, seal

KEY, NONCE = bytes(range(32)), bytes(range(12))


def test_the_vector_of_the_rfc() -> None:
    plain = b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it."
    associated, key = bytes.fromhex("50515253c0c1c2c3c4c5c6c7"), bytes(range(0x80, 0xA0))
    sealed = seal(plain, associated, bytes.fromhex("070000004041424344454647"), key)
    assert sealed.hex().startswith("d31a8d34648e60db7b86afbc53ef7ec2")
    assert sealed.hex().endswith("1ae10b594f09e26a7e902ecbd0600691")


@given(st.binary(max_size=300), st.binary(max_size=40))
def test_it_is_pynacls_and_comes_back(plain: bytes, associated: bytes) -> None:
    sealed = seal(plain, associated, NONCE, KEY)
    assert sealed == crypto_aead_chacha20poly1305_ietf_encrypt(plain, associated, NONCE, KEY)
    assert open_sealed(sealed, associated, NONCE, KEY) == plain


@given(st.binary(max_size=100))
def test_what_was_not_sealed_is_not_opened(sealed: bytes) -> None:
    assert open_sealed(sealed, b"", NONCE, KEY) is None


def test_another_key_nonce_or_associated_data_opens_nothing() -> None:
    sealed = seal(b"content", b"a", NONCE, KEY)
    assert open_sealed(sealed, b"b", NONCE, KEY) is None
    assert open_sealed(sealed, b"a", bytes(12), KEY) is None
    assert open_sealed(sealed, b"a", NONCE, bytes(32)) is None
    assert open_sealed(sealed[:-1], b"a", NONCE, KEY) is None
