r"""`/goop/avatar/1.0.0`: the picture of a peer. On open, the peer writes one of these and closes:

    NONE\n
    OK <bytes>\n + the picture
    EOK <bytes>\n + one box of so many bytes (encrypted_payload.py), whose content is the picture

Presence and identity name the picture by the first 16 hexadecimal digits of its SHA-256, "" when there is none. What is a picture is
decided by its bytes, never by a name or by what a peer says. No I/O.
"""

from __future__ import annotations

import hashlib
import re
from typing import Final, NamedTuple

from goop2.protocols import encrypted_payload
from goop2.protocols.encrypted_payload import PayloadBox
from goop2.protocols.errors import RemoteProtocolError
from goop2.protocols.line import LineReader, line

PROTOCOL: Final = "/goop/avatar/1.0.0"
PICTURE_MAX_BYTES: Final = 1024 * 1024
"""A picture; no peer reads more of one (network.md)."""
SIDE_MAX_PIXELS: Final = 8192
"""Width and height: a few bytes of PNG can unpack to gigabytes in the browser that shows it."""
HASH_CHARS: Final = 16
HEADER_MAX_BYTES: Final = 64

_WHAT: Final = "the header"
_HASH: Final = re.compile(rf"[0-9a-f]{{{HASH_CHARS}}}")
_PNG: Final = b"\x89PNG\r\n\x1a\n"
_JPEG: Final = b"\xff\xd8\xff"
_WEBP: Final = (b"RIFF", b"WEBP")
_FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""Markers of a JPEG after which its height and width stand."""
_JPEG_SEGMENTS_MAX: Final = 1000
_TYPES: Final = {"png": "image/png", "jpg": "image/jpeg", "webp": "image/webp", "svg": "image/svg+xml"}


class Picture(NamedTuple):
    """The content of a picture and the ending of its type: png, jpg, webp, or svg for one that this program made."""

    content: bytes
    ending: str

    @property
    def mime(self) -> str:
        """Return its media type, such as `image/png`."""
        return _TYPES[self.ending]


class AvatarHeader(NamedTuple):
    """The header of an answer: the bytes that follow; 0 when there is no picture."""

    size: int
    encrypted: bool = False


def picture_of(content: bytes) -> Picture | None:
    """Return the picture that these bytes are; None when they are no PNG, JPEG or WebP, or it is larger than any browser should show."""
    if len(content) > PICTURE_MAX_BYTES:
        return None
    sides: tuple[int, ...]
    if content.startswith(_PNG):
        ending, sides = "png", (_number(content, 16, 4), _number(content, 20, 4)) if content[12:16] == b"IHDR" else ()
    elif content.startswith(_JPEG):
        ending, sides = "jpg", _jpeg_sides(content)
    elif (content[:4], content[8:12]) == _WEBP:
        ending, sides = "webp", _webp_sides(content)
    else:
        return None
    return None if any(side > SIDE_MAX_PIXELS for side in sides) else Picture(content, ending)


def hash_of(content: bytes) -> str:
    """Return the name by which peers know a picture."""
    return hashlib.sha256(content).hexdigest()[:HASH_CHARS]


def is_hash(text: str) -> bool:
    """Return whether a text can name a picture: it becomes the name of a file."""
    return bool(_HASH.fullmatch(text))


def answer(content: bytes, box: PayloadBox | None = None) -> bytes:
    """Return all that a peer writes; `content` is b"" when there is no picture."""
    if not content:
        return line(_WHAT, b"NONE", HEADER_MAX_BYTES)
    text = content if box is None else box.seal(content)
    return line(_WHAT, b"%b %d" % (b"OK" if box is None else b"EOK", len(text)), HEADER_MAX_BYTES) + text


def header_reader() -> LineReader:
    """Return a reader for the header; then `header`, and its `rest` is the beginning of the picture."""
    return LineReader(_WHAT, HEADER_MAX_BYTES)


def header(content: bytes) -> AvatarHeader:
    """Return the header in a line. Raises `RemoteProtocolError`, also for a picture that nobody reads."""
    status, _, size = content.rstrip(b"\r").decode("ascii", "replace").partition(" ")
    if status == "NONE":
        return AvatarHeader(0)
    # isdecimal alone lets through digits of other scripts; never int() of a number of a thousand digits.
    if status not in ("OK", "EOK") or not (size.isascii() and size.isdecimal()):
        raise RemoteProtocolError(f"the header is {content[:HEADER_MAX_BYTES]!r} where OK <bytes>, EOK <bytes> or NONE is expected")
    encrypted = status == "EOK"
    most = encrypted_payload.size_of(PICTURE_MAX_BYTES) if encrypted else PICTURE_MAX_BYTES
    if int(size) > most:
        raise RemoteProtocolError(f"the picture is {size[:20]} bytes; the most is {most}")
    return AvatarHeader(int(size), encrypted)


def _number(content: bytes, at: int, size: int) -> int:
    return int.from_bytes(content[at : at + size])


def _jpeg_sides(content: bytes) -> tuple[int, ...]:
    """Return height and width of every frame; () when the segments in front of the first cannot be followed."""
    at = 2
    for _ in range(_JPEG_SEGMENTS_MAX):
        if content[at : at + 1] != b"\xff":
            break
        marker = _number(content, at + 1, 1)
        if marker in _FRAMES:
            return _number(content, at + 5, 2), _number(content, at + 7, 2)
        at += 2 + max(2, _number(content, at + 2, 2))
    return ()


def _webp_sides(content: bytes) -> tuple[int, ...]:
    if content[12:16] == b"VP8X":
        return tuple(int.from_bytes(content[at : at + 3], "little") + 1 for at in (24, 27))
    return ()  # the other two kinds have at most 16384 pixels a side
