"""Our own files for browsers, from the package: the SDK and the console. Read once at start; a few hundred KB."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from http import HTTPStatus
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Final

from goop2.folder.content_types import UNTYPED, content_type
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
CORE: Final = "core.js"


class Assets:
    """The files of one folder of the package `goop2.web`. Those of the SDK each begin with `core.js`, so that each stands alone."""

    def __init__(self, folder: str) -> None:
        # All at once: it is a few hundred KB, and no request waits for the disk.
        contents = dict(_contents(resources.files("goop2.web").joinpath(folder), ""))
        core = contents.pop(CORE, b"")
        self._documents = {path: _document(path, core + content if path.endswith(".js") else content) for path, content in contents.items()}
        self._compressed = Compressed()

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
        await send_document(call, document, self._compressed)


def _contents(folder: Traversable, prefix: str) -> Iterator[tuple[str, bytes]]:
    for entry in folder.iterdir():
        path = prefix + entry.name
        if entry.is_dir():
            yield from _contents(entry, f"{path}/")
        else:
            yield path, entry.read_bytes()


def _document(path: str, content: bytes) -> Document:
    return Document(path=path, etag=hashlib.blake2b(content, digest_size=9).hexdigest(), size=len(content), content=content)
