"""The documentation at `/docs/` of the console's origin, offline: the Markdown pages of the package, rendered when they are asked for.

    /docs/               docs/index.md: all pages, by section, each with a sentence about it
    /docs/console        docs/console.md; `/docs/console.md` is the same
    /docs/how-to/poll    docs/how-to/poll.md
    /docs/growth.svg     a picture, or another file beside the pages

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
INDEX: Final = "index"
"""The page that lists all others: its headings are the sections, in order."""
_ENTRY: Final = re.compile(r"^- \[(?P<title>[^\]]+)\]\((?P<name>[\w/-]+)\.md\): (?P<about>.+)$")
_SECTION: Final = "## "
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
def sections() -> tuple[tuple[str, tuple[PageSummary, ...]], ...]:
    """Return title and pages of each section of the index; () in an installation without documentation."""
    index = documentation().joinpath(INDEX + _PAGE)
    if not index.is_file():
        return ()
    listed: dict[str, list[PageSummary]] = {}
    section = ""
    for line in index.read_text("utf-8").splitlines():
        if line.startswith(_SECTION):
            section = line.removeprefix(_SECTION)
        elif entry := _ENTRY.match(line):
            listed.setdefault(section, []).append(PageSummary(entry["name"], entry["title"], entry["about"].replace("`", "")))
    return tuple((title, tuple(pages)) for title, pages in listed.items())


def summaries() -> tuple[PageSummary, ...]:
    """Return every page, in the order of the index."""
    return tuple(page for _, pages in sections() for page in pages)


@cache
def _page(name: str) -> Rendered | None:
    """Return a page, rendered once; None when there is none of this name."""
    files = frozenset(_files(documentation(), ""))
    if name + _PAGE not in files:
        return None
    return render(documentation().joinpath(name + _PAGE).read_text("utf-8"), files, name.rpartition("/")[0])


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
        name = path.removesuffix(_PAGE) or INDEX
        page = await asyncio.to_thread(_page, name)
        if page is None and name == INDEX:
            page = Rendered("Documentation", _MISSING)
        if page is not None:
            await send_html(call, HTTPStatus.OK, _framed(page, name))
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


def _framed(page: Rendered, name: str) -> str:
    def link(each: PageSummary) -> str:
        here = ' aria-current="page"' if each.name == name else ""
        return f'<li><a href="/docs/{each.name}"{here}>{html.escape(each.title)}</a></li>'

    links = "".join(f"<li>{html.escape(title)}<ul>{''.join(map(link, pages))}</ul></li>" for title, pages in sections())
    return _FRAME.format(title=html.escape(page.title), links=links, body=page.html)


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
