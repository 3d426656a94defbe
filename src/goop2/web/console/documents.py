"""The documentation at `/docs/` of the console's origin, offline: the Markdown pages of the package, rendered when they are asked for.

    /docs/            all pages, each with its first sentence
    /docs/console     docs/console.md; `/docs/console.md` is the same
    /docs/growth.svg  a picture, or another file beside the pages

Only for the owner: by the connection, or by the pass cookie of a browser that has shown the console's token, as for the console's links.
It must not know what a page says.
"""

from __future__ import annotations

import asyncio
import html
import re
from collections.abc import Iterator
from functools import cache
from hashlib import blake2b
from http import HTTPStatus
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Final

import msgspec
from starlette.types import Receive, Scope, Send

from goop2.web.app import NOBODY
from goop2.web.console.markdown import Rendered, render
from goop2.web.http.admission import SiteAdmission
from goop2.web.http.files import Compressed, Document, send_document, send_html, send_page
from goop2.web.http.origins import Origin, Realm
from goop2.web.http.passes import CONSOLE
from goop2.web.http.request_context import RequestContext
from goop2.web.http.responses import NO_HEADERS

FOLDER: Final = "docs"
"""In the package `goop2.web`. In a checkout it has a link to each file of docs/, since what builds the package takes files from there."""
FIRST: Final = (
    "console",
    "folder",
    "authors",
    "pages",
    "data",
    "goop-table",
    "settings",
    "api",
    "http",
    "listening",
    "network",
    "security",
)
"""What an owner reads first; all other pages follow by name."""
_PAGE: Final = ".md"
_NAME: Final = re.compile(r"(?:[A-Za-z0-9_-]+/)?[A-Za-z0-9_-]+(?:\.[a-z0-9]+)?")
"""Of a page, or of a file beside it: no dots but before the ending, so nothing outside the folder has such a name."""


class PageSummary(msgspec.Struct, frozen=True):
    """A page of the documentation as lists show it."""

    name: str
    title: str
    about: str


def documentation() -> Traversable:
    """Return the folder of the documentation."""
    return resources.files("goop2.web").joinpath(FOLDER)


@cache
def summaries() -> tuple[PageSummary, ...]:
    """Return every page, those of FIRST at the top; () in an installation without them."""
    folder = documentation()
    if not folder.is_dir():
        return ()
    names = {entry.name.removesuffix(_PAGE) for entry in folder.iterdir() if entry.name.endswith(_PAGE)}
    ordered = [*(name for name in FIRST if name in names), *sorted(names.difference(FIRST))]
    return tuple(PageSummary(name, *_title_and_about(folder.joinpath(name + _PAGE).read_text("utf-8"))) for name in ordered)


def _title_and_about(text: str) -> tuple[str, str]:
    title = next((line.removeprefix("# ") for line in text.splitlines() if line.startswith("# ")), "")
    paragraphs = [part for part in text.split("\n\n") if re.match(r"[A-Za-z`\[*]", part)]
    plain = re.sub(r"\[([^\]]*)\]\([^)]*\)|[`*]", r"\1", " ".join(paragraphs[0].split())) if paragraphs else ""
    return title, re.split(r"(?<=[.:])\s", plain, maxsplit=1)[0]


@cache
def _page(name: str) -> Rendered | None:
    """Return a page, rendered once; None when there is none of this name."""
    if name not in {each.name for each in summaries()}:
        return None
    files = frozenset(_files(documentation(), ""))
    return render(documentation().joinpath(name + _PAGE).read_text("utf-8"), files)


def _files(folder: Traversable, prefix: str) -> Iterator[str]:
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _files(entry, f"{prefix}{entry.name}/")
        else:
            yield prefix + entry.name


class Documents:
    """ASGI application: the documentation, for the owner."""

    def __init__(self, admission: SiteAdmission, peer_id: str) -> None:
        self._admission = admission
        self._origin = Origin(Realm.CONSOLE, peer_id, "")
        self._compressed = Compressed()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send a page or a file (ASGI)."""
        call = RequestContext(origin=self._origin, caller=NOBODY, scope=scope, receive=receive, send=send, headers=NO_HEADERS)
        cookies = b";".join(value for name, value in scope["headers"] if name == b"cookie")
        if not self._admission.is_owner(scope, cookies, CONSOLE):
            await send_page(call, HTTPStatus.FORBIDDEN, "This peer belongs to another user of this machine", _NOT_YOURS)
            return
        path = scope["path"].removeprefix("/docs").strip("/")
        if call.method in ("GET", "HEAD") and (not path or _NAME.fullmatch(path)) and await self._sent(call, path):
            return
        await send_page(call, HTTPStatus.NOT_FOUND, "There is no such page", "The documentation has no page of that name.")

    async def _sent(self, call: RequestContext, path: str) -> bool:
        if not path:
            await send_html(call, HTTPStatus.OK, _framed("Documentation", await asyncio.to_thread(_contents), ""))
            return True
        page = await asyncio.to_thread(_page, path.removesuffix(_PAGE))
        if page is not None:
            await send_html(call, HTTPStatus.OK, _framed(page.title, page.html, path.removesuffix(_PAGE)))
            return True
        content = await asyncio.to_thread(_file, path)
        if content is None:
            return False
        etag = blake2b(content, digest_size=9).hexdigest()
        # A file of Lua is to be read here, and not to be kept.
        shown = path if "." in path and not path.endswith(".lua") else f"{path}.txt"
        await send_document(call, Document(path=shown, etag=etag, size=len(content), content=content), self._compressed)
        return True


def _file(path: str) -> bytes | None:
    folder = documentation()
    return folder.joinpath(path).read_bytes() if folder.is_dir() and path in set(_files(folder, "")) else None


def _contents() -> str:
    pages = "".join(
        f'<li><a href="/docs/{each.name}">{html.escape(each.title)}</a><p>{html.escape(each.about)}</p></li>' for each in summaries()
    )
    return f"<h1>Documentation</h1><ul class=contents>{pages}</ul>" if pages else _MISSING


def _framed(title: str, body: str, name: str) -> str:
    def link(page: PageSummary) -> str:
        here = ' aria-current="page"' if page.name == name else ""
        return f'<li><a href="/docs/{page.name}"{here}>{html.escape(page.title)}</a></li>'

    return _FRAME.format(title=html.escape(title), links="".join(map(link, summaries())), body=body)


_NOT_YOURS: Final = (
    'Its documentation is shown to its owner alone. The owner lets a browser in from the console, or with "goop2 console DIR".'
)
_MISSING: Final = "<h1>Documentation</h1><p>This installation has none. It is in the folder docs of goop2’s source.</p>"
_FRAME: Final = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title} · goop2</title>
<link rel="icon" href="data:,">
<script src="/theme.js"></script>
<link rel="stylesheet" href="/console.css">
<link rel="stylesheet" href="/docs.css">
<body class="docs">
<a class="skip" href="#text">Skip to the text</a>
<header class="top"><div class="bar"><p class="who"><span class="mark" aria-hidden="true"></span><a href="/docs/">Documentation</a></p>
<a class="button" href="/">To the console</a></div></header>
<div class="docs-columns">
<nav aria-label="Pages of the documentation"><ul>{links}</ul></nav>
<main id="text" tabindex="-1">{body}</main>
</div>
</body>
</html>
"""
