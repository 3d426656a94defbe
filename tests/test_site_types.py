"""Types of files, by their names."""

from __future__ import annotations

import pytest

from goop2.site_types import content_type


@pytest.mark.parametrize(
    ("path", "type_"),
    [
        ("index.html", "text/html; charset=utf-8"),
        ("a.js", "text/javascript; charset=utf-8"),
        ("a.mjs", "text/javascript; charset=utf-8"),
        ("a.css", "text/css; charset=utf-8"),
        ("a.json", "application/json; charset=utf-8"),
        ("a.svg", "image/svg+xml; charset=utf-8"),
        ("a.png", "image/png"),
        ("a.webp", "image/webp"),
        ("a.woff2", "font/woff2"),
        ("a.ttf", "font/ttf"),
        ("a.m4a", "audio/mp4"),
        ("a.md", "text/markdown; charset=utf-8"),
        ("A.HTML", "text/html; charset=utf-8"),
        ("a.wasm", "application/wasm"),
        ("a.mp3", "audio/mpeg"),
        ("a.tar.gz", "application/gzip"),
        ("a.unheard-of", "application/octet-stream"),
        ("LICENSE", "application/octet-stream"),
    ],
)
def test_types_follow_from_names(path: str, type_: str) -> None:
    assert content_type(path) == type_
