"""Bytes close to what is right, for the fuzz targets: there a reader's mistakes are, and noise alone never comes that far."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st

PIECES = (
    b"",
    b"\n",
    b"\r\n",
    b" ",
    b'"',
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b"null",
    b"-1",
    b"1e999",
    b"9" * 30,
    b"\x00",
    b"\xff",
    b"\\ud800",
)


@st.composite
def nearly(draw: st.DrawFn, right: Sequence[bytes]) -> bytes:
    """One of these with up to three pieces of it cut out, doubled, or with something else in their place."""
    text = draw(st.sampled_from(right))
    for _ in range(draw(st.integers(0, 3))):
        begin = draw(st.integers(0, len(text)))
        end = draw(st.integers(begin, min(len(text), begin + 12)))
        instead = draw(st.sampled_from(PIECES) | st.just(text[begin:end] * 2) | st.binary(max_size=4))
        text = text[:begin] + instead + text[end:]
    return text
