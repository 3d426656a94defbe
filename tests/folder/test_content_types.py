"""The type of a file follows from its name alone."""

from __future__ import annotations

import mimetypes

import pytest

from goop2.folder.content_types import content_type


@pytest.mark.parametrize(
    ("path", "type_"),
    [
        ("index.html", "text/html; charset=utf-8"),
        ("UP.HTML", "text/html; charset=utf-8"),
        ("a.xhtml", "application/xhtml+xml; charset=utf-8"),
        ("a.js", "text/javascript; charset=utf-8"),
        ("a.mjs", "text/javascript; charset=utf-8"),
        ("a.css", "text/css; charset=utf-8"),
        ("a.json", "application/json; charset=utf-8"),
        ("a.js.map", "application/json; charset=utf-8"),
        ("feed.rss", "application/rss+xml; charset=utf-8"),
        ("a.svg", "image/svg+xml; charset=utf-8"),
        ("a.png", "image/png"),
        ("a.webp", "image/webp"),
        ("a.woff2", "font/woff2"),
        ("a.ttf", "font/ttf"),
        ("a.wasm", "application/wasm"),
        ("a.mp3", "audio/mpeg"),
        ("a.m4a", "audio/mp4"),
        ("a.wav", "audio/wav"),
        ("a.opus", "audio/ogg"),
        ("a.tar.gz", "application/gzip"),
        ("a.unheard-of", "application/octet-stream"),
        ("LICENSE", "application/octet-stream"),
        ("part 1: the beginning.html", "text/html; charset=utf-8"),
        ("data:x.txt", "text/plain; charset=utf-8"),
    ],
)
def test_types_follow_from_names(path: str, type_: str) -> None:
    assert content_type(path) == type_


def test_what_the_machine_thinks_of_an_ending_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Visited and own sites are the same everywhere."""
    monkeypatch.setitem(mimetypes.types_map, ".css", "application/x-pointplus")
    assert content_type("a.css") == "text/css; charset=utf-8"
