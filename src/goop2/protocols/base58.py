"""Base58 as peer ids are written (the alphabet of Bitcoin, without 0, O, I and l)."""

from __future__ import annotations

from typing import Final

ALPHABET: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_VALUES: Final = {char: value for value, char in enumerate(ALPHABET)}
TEXT_MAX_CHARS: Final = 128
"""Ids have 52 at most; the work grows with the square of the length."""


def encode(data: bytes) -> str:
    """Return bytes as text; each leading zero byte is a 1."""
    value, chars = int.from_bytes(data), []
    while value:
        value, rest = divmod(value, 58)
        chars.append(ALPHABET[rest])
    zeros = len(data) - len(data.lstrip(b"\0"))
    return ALPHABET[0] * zeros + "".join(reversed(chars))


def decode(text: str) -> bytes:
    """Return the bytes of a text. Raises `ValueError` for a character outside the alphabet and for more than TEXT_MAX_CHARS."""
    if len(text) > TEXT_MAX_CHARS:
        raise ValueError(f"{len(text)} characters of base58; the most is {TEXT_MAX_CHARS}")
    value = 0
    for char in text:
        digit = _VALUES.get(char)
        if digit is None:
            raise ValueError(f"{char!r} is not a character of base58")
        value = value * 58 + digit
    zeros = len(text) - len(text.lstrip(ALPHABET[0]))
    return bytes(zeros) + value.to_bytes((value.bit_length() + 7) // 8)
