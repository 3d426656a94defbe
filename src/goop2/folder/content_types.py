"""The content type of a site's file, by the ending of its name.

The web and the network share this table, and the machine's own is not used, so a site has the same types everywhere. It must not look into
files.
"""

from __future__ import annotations

from mimetypes import MimeTypes
from typing import Final

UNTYPED: Final = "application/octet-stream"

_TYPES: Final = MimeTypes(filenames=())
"""Python's own table and what follows."""
for _ending, _type in {
    ".js": "text/javascript",
    ".mjs": "text/javascript",
    ".cjs": "text/javascript",
    ".ts": "text/plain",  # types for editors; Python's own table takes them for films
    ".mts": "text/plain",
    ".map": "application/json",
    ".jsonld": "application/ld+json",
    ".geojson": "application/geo+json",
    ".xhtml": "application/xhtml+xml",
    ".rss": "application/rss+xml",
    ".atom": "application/atom+xml",
    ".webmanifest": "application/manifest+json",
    ".wasm": "application/wasm",
    ".md": "text/markdown",
    ".vtt": "text/vtt",
    ".ics": "text/calendar",
    ".log": "text/plain",
    ".yaml": "application/yaml",
    ".yml": "application/yaml",
    ".toml": "application/toml",
    ".epub": "application/epub+zip",
    ".avif": "image/avif",
    ".webp": "image/webp",
    ".jxl": "image/jxl",
    ".apng": "image/apng",
    ".ico": "image/x-icon",
    ".woff": "font/woff",
    ".woff2": "font/woff2",
    ".ttf": "font/ttf",
    ".otf": "font/otf",
    ".flac": "audio/flac",
    ".ogg": "audio/ogg",
    ".oga": "audio/ogg",
    ".opus": "audio/ogg",
    ".m4a": "audio/mp4",
    ".m4b": "audio/mp4",
    ".aac": "audio/aac",
    ".wav": "audio/wav",
    ".weba": "audio/webm",
    ".ogv": "video/ogg",
    ".m4v": "video/mp4",
    ".mkv": "video/x-matroska",
    ".glb": "model/gltf-binary",
    ".gltf": "model/gltf+json",
}.items():
    _TYPES.add_type(_type, _ending)

_TEXT_TYPES: Final = frozenset(
    {"application/json", "application/xml", "application/yaml", "application/toml", "application/javascript", "application/rtf"}
)
"""Text by another name than text/…, or …+json and …+xml: they get a charset, and compression helps."""


def content_type(path: str) -> str:
    """Return the type a file is sent with, by its name's ending; text says that it is UTF-8."""
    # The / in front: without it what stands before a colon would be taken for an address's scheme.
    found, encoding = _TYPES.guess_type(f"/{path}", strict=False)
    if found is None or encoding is not None:
        return "application/gzip" if encoding == "gzip" else UNTYPED
    return f"{found}; charset=utf-8" if is_text(found) else found


def is_text(type_: str) -> bool:
    """Return whether a type is text, which compression makes smaller."""
    name = type_.partition(";")[0]
    return name.startswith("text/") or name.endswith(("+json", "+xml")) or name in _TEXT_TYPES
