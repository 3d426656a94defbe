r"""`/goop/content/1.0.0`: on open, the peer writes its label and `\n`, then closes. It also shows whether the peer can be reached."""

from __future__ import annotations

from goop2.protocols.line import LineReader, line

PROTOCOL = "/goop/content/1.0.0"
LABEL_MAX_BYTES = 1024
"""A name on one line of a page; ours come from goop.json, theirs may be anything."""
_WHAT = "the label"


def reader() -> LineReader:
    """Return a reader for the label; then `label`."""
    return LineReader(_WHAT, LABEL_MAX_BYTES)


def label(content: bytes) -> str:
    """Return the label as text: untrusted, without control characters; what is not UTF-8 is U+FFFD."""
    text = content.decode("utf-8", "replace")
    return "".join(character for character in text if character.isprintable()).strip()


def answer(own_label: str) -> bytes:
    """Return all a peer writes. A label that is too long is cut at a character."""
    cut = own_label.replace("\n", " ").encode("utf-8", "replace")[:LABEL_MAX_BYTES].decode("utf-8", "ignore")
    return line(_WHAT, cut.encode(), LABEL_MAX_BYTES)
