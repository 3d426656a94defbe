"""Our own files for browsers, from the package: the SDK and the console. Read once at start; a few hundred KB."""

from __future__ import annotations

import hashlib
from http import HTTPStatus
from importlib import resources
from importlib.resources.abc import Traversable

from goop2.web.calls import Call
from goop2.web.pages import Compressed, Document, send_document, send_page


class Assets:
    """The files of one folder of the package `goop2.web`."""

    def __init__(self, folder: str) -> None:
        self._documents = dict(_documents(resources.files("goop2.web").joinpath(folder), ""))
        self._compressed = Compressed()

    def __contains__(self, path: str) -> bool:
        return path in self._documents

    async def answer(self, call: Call, path: str) -> None:
        """Answer a request for the file `path`, relative to the folder."""
        document = self._documents.get(path)
        if document is None or call.method not in ("GET", "HEAD"):
            await send_page(call, HTTPStatus.NOT_FOUND, "There is nothing here", "No file of this peer's own has that name.")
            return
        await send_document(call, document, self._compressed)


def _documents(folder: Traversable, prefix: str) -> list[tuple[str, Document]]:
    found: list[tuple[str, Document]] = []
    for entry in folder.iterdir():
        path = prefix + entry.name
        if entry.is_dir():
            found += _documents(entry, f"{path}/")
        elif not entry.name.endswith((".py", ".pyc")):
            content = entry.read_bytes()
            found.append((path, Document(path, hashlib.blake2b(content, digest_size=9).hexdigest(), len(content), content)))
    return found
