"""Our own files for browsers, from the package: the SDK and the console. Read once at start; a few hundred KB."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Final
from urllib.parse import parse_qsl

from goop2.folder.content_types import UNTYPED, content_type
from goop2.web.http import languages
from goop2.web.http.files import Compressed, Document, send_document, send_page, send_text
from goop2.web.http.request_context import RequestContext

_PAGES: Final = frozenset({content_type("a.html"), UNTYPED})
"""Types of what a reader may have asked for by hand: a page of ours says what is missing."""
_COMMENT: Final = "/* There is no such file. */\n"
_MISSING: Final = {
    content_type("a.js"): _COMMENT,
    content_type("a.css"): _COMMENT,
    content_type("a.json"): '{"code":"not_found","message":"there is no such file"}',
    content_type("a.txt"): "There is no such file.\n",
}
"""Type of a file that is missing → what is sent for it; nothing for other types."""
_BEGINNINGS: Final = (("goop-component-", "component.js"), ("goop-engine.", ""), ("goop-router.", ""), ("goop-", "core.js"))
"""What a script's name begins with → the file that is served in front of it, so that a page may load each alone; the first row that fits.
Components, the engine and the router ask the peer nothing, and go without `core.js`."""
_TEXTS: Final = "texts.js"
"""Served in front of every script that says a text to people."""
BEGINNINGS: Final = ("core.js", "component.js", _TEXTS)
"""Served only in front of others."""
_SPEAKS: Final = "sdk"
"""The folder whose scripts get their texts from the peer; those of the console ask for them."""
_VARY: Final = b"accept-encoding, accept-language"
_OLDER_NAMES: Final = {"goop-drag": "goop-component-drag"}
"""Name in the SDK of older pages → the same file's name now."""


class Assets:
    """The files of one folder of the package `goop2.web`.

    A file of the SDK begins with what it shares with others (`_BEGINNINGS`), and with its texts in the language of the browser.
    """

    def __init__(self, folder: str, more: Mapping[str, bytes] | None = None) -> None:
        """Read the files of `folder`; `more` has others, path → content, which win."""
        # All at once: it is a few hundred KB, and no request waits for the disk.
        contents = _served(folder) | dict(more or {})
        self._documents = {path: _document(path, content) for path, content in contents.items()}
        self._translated = {code: _translated(contents, code) for code in languages.languages()} if folder == _SPEAKS else {}
        self._said = frozenset().union(*self._translated.values())
        self._compressed = Compressed()

    def sizes(self, language: str = languages.ENGLISH) -> dict[str, int]:
        """Return file → bytes as it is served for a language, without compression."""
        return {path: document.size for path, document in (self._documents | self._translated.get(language, {})).items()}

    def __contains__(self, path: str) -> bool:
        return path in self._documents

    async def answer(self, call: RequestContext, path: str) -> None:
        """Answer a request for the file `path`, relative to the folder."""
        document = self._documents.get(path)
        if document is None and (type_ := content_type(path)) not in _PAGES:
            # A browser that gets a page for a script, a style sheet or a picture complains of its type, not of what is missing.
            await send_text(call, HTTPStatus.NOT_FOUND, type_, _MISSING.get(type_, ""))
            return
        if document is None or call.method not in ("GET", "HEAD"):
            await send_page(call, HTTPStatus.NOT_FOUND, "There is nothing here", "No file of this peer's own has that name.")
            return
        if path in self._said:
            await send_document(call, self._in_language(call, document), self._compressed, vary=_VARY)
            return
        await send_document(call, document, self._compressed)

    def _in_language(self, call: RequestContext, document: Document) -> Document:
        """Return the script with its texts in the language that its address names (`?lang=de`), else in the browser's."""
        named = dict(parse_qsl(call.scope["query_string"].decode("latin-1"))).get("lang", "")
        code = named if named in self._translated else languages.asked(call.header(b"accept-language"))
        return self._translated.get(code, {}).get(document.path, document)


def _translated(contents: Mapping[str, bytes], code: str) -> dict[str, Document]:
    """Return path → document in a language, of the scripts that say something in it."""
    beginnings = {path: languages.texts_for(content, code) for path, content in contents.items() if path.endswith(".js")}
    return {path: _document(path, beginning + contents[path]) for path, beginning in beginnings.items() if beginning}


def _served(folder: str) -> dict[str, bytes]:
    """Return path → content of what the folder serves: scripts with their beginnings, and older names."""
    contents = dict(_contents(resources.files("goop2.web").joinpath(folder), ""))
    beginnings = {name: contents.pop(name, b"") for name in BEGINNINGS}
    served = {path: beginnings.get(_beginning(path), b"") + content for path, content in contents.items()}
    if beginnings[_TEXTS]:
        served = {path: beginnings[_TEXTS] + content if languages.says_texts(content) else content for path, content in served.items()}
    for older, name in _OLDER_NAMES.items():
        served |= {f"{older}{ending}": served[f"{name}{ending}"] for ending in (".js", ".css") if f"{name}{ending}" in served}
    return served


def _beginning(path: str) -> str:
    """Return the name of what is served in front of a script; "" for nothing."""
    if not path.endswith(".js"):
        return ""
    return next((first for start, first in _BEGINNINGS if path.startswith(start)), "")


def _contents(folder: Traversable, prefix: str) -> Iterator[tuple[str, bytes]]:
    for entry in folder.iterdir():
        path = prefix + entry.name
        if entry.is_dir():
            yield from _contents(entry, f"{path}/")
        else:
            yield path, entry.read_bytes()


def _document(path: str, content: bytes) -> Document:
    return Document(path=path, etag=hashlib.blake2b(content, digest_size=9).hexdigest(), size=len(content), content=content)
