"""What type a file of a site has, by its name's ending: the same on every machine, and for visitors over the network as for browsers here.

It knows no file, only names.
"""

from __future__ import annotations

from mimetypes import MimeTypes
from typing import Final

_TYPES: Final = MimeTypes(filenames=())
"""Python's own table and what follows, not the machine's: a site has the same types everywhere."""
for _ending, _type in {
    ".js": "text/javascript",
    ".mjs": "text/javascript",
    ".ts": "text/plain",  # types for editors; Python's own table takes them for films
    ".mts": "text/plain",
    ".webmanifest": "application/manifest+json",
    ".wasm": "application/wasm",
    ".md": "text/markdown",
    ".avif": "image/avif",
    ".webp": "image/webp",
    ".ico": "image/x-icon",
    ".woff": "font/woff",
    ".woff2": "font/woff2",
    ".ttf": "font/ttf",
    ".otf": "font/otf",
    ".m4a": "audio/mp4",
    ".flac": "audio/flac",
    ".ogg": "audio/ogg",
}.items():
    _TYPES.add_type(_type, _ending)

_TEXT_TYPES: Final = frozenset({"application/json", "application/manifest+json", "application/xml", "image/svg+xml"})
"""Text by another name than text/…: they get a charset, and compression helps."""


def content_type(path: str) -> str:
    """The type a file is sent with, by its name's ending."""
    found, encoding = _TYPES.guess_type(path, strict=False)
    if found is None or encoding is not None:
        return "application/gzip" if encoding == "gzip" else "application/octet-stream"
    return f"{found}; charset=utf-8" if is_text(found) else found


def is_text(type_: str) -> bool:
    """Whether it is text, of which compression makes less."""
    return type_.startswith("text/") or type_.partition(";")[0] in _TEXT_TYPES
