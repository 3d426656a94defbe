"""Base58: known texts, every byte string and back, and texts that are refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goop2.protocols.base58 import ALPHABET, TEXT_MAX_CHARS, decode, encode

KNOWN = {
    # Of the draft "The Base58 Encoding Scheme" (draft-msporny-base58), "Test Vectors".
    b"Hello World!": "2NEpo7TZRRrLZSi2U",
    b"The quick brown fox jumps over the lazy dog.": "USm3fpXnKG5EUBx2ndxBDMPVciP5hGey2Jh4NDv6gmeo1LkMeiKrLJUUBk6Z",
    bytes.fromhex("0000287fb4cd"): "11233QC4",
    b"": "",
    b"\0": "1",
}


@pytest.mark.parametrize(("data", "text"), KNOWN.items())
def test_a_known_text_is_written_and_read(data: bytes, text: str) -> None:
    assert encode(data) == text
    assert decode(text) == data


@given(st.binary(max_size=80))
def test_any_bytes_come_back(data: bytes) -> None:
    assert decode(encode(data)) == data


@pytest.mark.parametrize("character", ["0", "O", "I", "l", " ", "é", "-"])
def test_a_character_outside_the_alphabet_is_refused_by_name(character: str) -> None:
    assert character not in ALPHABET
    with pytest.raises(ValueError, match="not a character of base58"):
        decode(f"2NE{character}")


def test_a_text_is_refused_by_its_length_before_it_is_read() -> None:
    assert decode("z" * TEXT_MAX_CHARS)
    with pytest.raises(ValueError, match=f"{TEXT_MAX_CHARS + 1} characters"):
        decode("0" * (TEXT_MAX_CHARS + 1))
