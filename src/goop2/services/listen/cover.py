"""Find the cover picture in an audio file, if a page should load its size, and if its format can hold only a picture.

The picture may come from a stranger. Its format is read from its first bytes, whatever its tag says, and formats that can hold a script are
refused.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

COVER_MAX_BYTES: Final = 4 * 1024 * 1024
_KINDS: Final = (
    (b"\xff\xd8\xff", "jpg"),
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"GIF8", "gif"),
)
"""First bytes → kind."""
_FRONT: Final = 3
"""The type tags give the front cover, in ID3 and FLAC alike."""


@dataclass(frozen=True, slots=True)
class Cover:
    """A cover picture and its format."""

    kind: str
    """jpg, png, gif or webp."""
    content: bytes


def cover_of(tags: Any, blocks: Iterable[Any] = ()) -> Cover | None:
    """Return the front cover from mutagen's tags, or FLAC's blocks; else the first picture; None if none is usable."""
    found = [(type_ != _FRONT, cover) for type_, content in _pictures(tags, blocks) if (cover := _cover(content)) is not None]
    return min(found, key=lambda each: each[0])[1] if found else None


def _cover(content: bytes) -> Cover | None:
    if len(content) > COVER_MAX_BYTES:
        return None
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return Cover("webp", content)
    return next((Cover(kind, content) for begin, kind in _KINDS if content.startswith(begin)), None)


def _pictures(tags: Any, blocks: Iterable[Any]) -> Iterator[tuple[int, bytes]]:
    """Yield type and content of each picture: in FLAC's own blocks, in ID3, in the comments of Ogg, and in APE."""
    for block in blocks:
        yield block.type, block.data
    if tags is None:
        return
    for frame in tags.getall("APIC") if hasattr(tags, "getall") else ():
        yield int(frame.type), frame.data
    for text in tags.get("metadata_block_picture") or ():
        yield from _encoded(text)
    front = tags.get("Cover Art (Front)")
    if front is not None and hasattr(front, "value"):
        yield _FRONT, bytes(front.value).partition(b"\0")[2]


def _encoded(text: object) -> Iterator[tuple[int, bytes]]:
    from mutagen.flac import Picture, error

    try:
        picture = Picture(base64.b64decode(str(text)))  # type: ignore[no-untyped-call]
    except (binascii.Error, ValueError, error):
        return
    yield picture.type, picture.data
