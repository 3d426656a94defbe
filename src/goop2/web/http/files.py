"""Files over HTTP: types, ETags, ranges, compression, and small pages of ours for errors.

The files come from the site (folder/site_files.py), from our package (assets.py) or from a session. It must not know the caller.
"""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import html
import re
from collections import OrderedDict
from functools import cache
from http import HTTPStatus
from importlib import resources
from typing import Final, NamedTuple
from urllib.parse import quote

import msgspec

from goop2.folder import threads
from goop2.folder.content_types import content_type, is_text
from goop2.folder.reading import read_piece
from goop2.folder.site_files import UNREADABLE_RETRY_SECONDS, FileNotServedError, SiteFile, SiteFiles, SiteFolderError
from goop2.folder.threads import FolderHangsError
from goop2.web.http.preconditions import range_holds, unmet, written
from goop2.web.http.request_context import RequestContext
from goop2.web.http.responses import Headers
from goop2.web.limits import CHUNK_BYTES, COMPRESSED_FROM_BYTES, COMPRESSED_KEPT_BYTES, COMPRESSED_TO_BYTES

_RANGE = re.compile(r"bytes=(?P<first>\d{0,18})-(?P<last>\d{0,18})", re.IGNORECASE)
ICON: Final = "favicon.ico"
LIVE_SCRIPT: Final = b'\n<script src="/sdk/goop-live.js"></script>\n'


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """A file to send; `content` is None when it is sent in chunks from `file`."""

    path: str
    etag: str
    """Without quotes."""
    size: int
    content: bytes | None = None
    file: SiteFile | None = None
    modified: float | None = None
    """Seconds since 1970; None when it is not known."""


class Compressed:
    """A cache of compressed texts by ETag; the least recently used one is dropped first."""

    def __init__(self, kept_bytes: int = COMPRESSED_KEPT_BYTES) -> None:
        self._kept_bytes = kept_bytes
        self._bytes = 0
        self._texts: OrderedDict[str, bytes] = OrderedDict()

    async def of(self, etag: str, content: bytes) -> bytes:
        """Return `content`, which has this ETag, compressed by gzip."""
        cached = self._texts.get(etag)
        if cached is not None:
            self._texts.move_to_end(etag)
            return cached
        # In a thread: 4 MB take a quarter of a second. Without a time stamp, so that equal texts give equal bytes.
        made = await asyncio.to_thread(gzip.compress, content, 6, mtime=0)
        # Another request may have compressed the same text meanwhile.
        if etag not in self._texts:
            self._texts[etag] = made
            self._bytes += len(made)
            while self._bytes > self._kept_bytes:
                self._bytes -= len(self._texts.popitem(last=False)[1])
        return made


class SitePages:
    """The files of the own site over HTTP."""

    def __init__(self, files: SiteFiles) -> None:
        self._files = files
        self._compressed = Compressed()

    async def answer(self, call: RequestContext, path: str, live: bool = False) -> None:
        """Answer a request for `path`; `live` lets pages reload themselves when something changes."""
        if call.method not in ("GET", "HEAD"):
            await send_page(
                call, HTTPStatus.METHOD_NOT_ALLOWED, "This is a file", "It can be read, nothing else.", [(b"allow", b"GET, HEAD")]
            )
            return
        # `/p/<peer id>`: relative links on its page would resolve below /p/.
        if not path and not call.scope["path"].endswith("/"):
            await send_to_folder(call)
            return
        try:
            document = await threads.SITE.run(_opened, self._files, path, live)
        except SiteFolderError:
            await send_to_folder(call)
            return
        except FolderHangsError as error:
            text = f"{error}: its disk is away or hangs. Reload this page to try again."
            await send_page(call, HTTPStatus.SERVICE_UNAVAILABLE, "This site cannot be read now", text, [(b"retry-after", b"10")])
            return
        except OSError:
            await send_unreadable(call)
            return
        except FileNotServedError:
            if is_icon(path):
                await send_icon(call, self._compressed)
                return
            await send_page(
                call, HTTPStatus.NOT_FOUND, "There is nothing here", "The page was moved, or never was. The address may have a slip."
            )
            return
        try:
            await send_document(call, document, self._compressed)
        finally:
            if document.file is not None:
                document.file.content.close()


def is_icon(path: str) -> bool:
    """Return whether `path` is the file browsers ask every site for, whether its pages name it or not."""
    return path.lstrip("/") == ICON


async def send_icon(call: RequestContext, compressed: Compressed) -> None:
    """Send the icon of a site that has none of its own."""
    await send_document(call, _icon(), compressed)


@cache
def _icon() -> Document:
    content = resources.files("goop2.web").joinpath("console/static", ICON).read_bytes()
    return Document(path=ICON, etag=hashlib.blake2b(content, digest_size=9).hexdigest(), size=len(content), content=content)


async def send_to_folder(call: RequestContext) -> None:
    """Redirect to the address with a / at the end: the path is a folder, and relative links on its page need the /."""
    query = call.scope["query_string"]
    # One / at the beginning: two would name another host.
    location = quote(f"/{call.scope['path'].lstrip('/')}/").encode() + (b"?" + query if query else b"")
    await send_page(call, HTTPStatus.PERMANENT_REDIRECT, "It is a folder", "Its page has a / at the end.", [(b"location", location)])


def _opened(files: SiteFiles, path: str, live: bool) -> Document:
    """Return the file at `path`; a small one is read here too, so that one hop to a thread is enough."""
    file = files.open(path)
    etag = _etag_of(file)
    status = file.status
    if status.st_size > COMPRESSED_TO_BYTES or not (is_text(content_type(file.path)) or status.st_size <= CHUNK_BYTES):
        return Document(path=file.path, etag=etag, size=status.st_size, file=file, modified=status.st_mtime)
    with file:
        content = file.content.readall() if hasattr(file.content, "readall") else file.content.read()
    if live and content_type(file.path).startswith("text/html"):
        content, etag = content + LIVE_SCRIPT, f"{etag}-live"
    return Document(path=file.path, etag=etag, size=len(content), content=content, modified=status.st_mtime)


def _etag_of(file: SiteFile) -> str:
    status = file.status
    # Time and size alone do not change when a file is replaced by another one of the same age and length.
    stamp = f"{status.st_dev} {status.st_ino} {status.st_size} {status.st_mtime_ns} {status.st_ctime_ns}"
    return hashlib.blake2b(stamp.encode(), digest_size=9).hexdigest()


async def send_document(
    call: RequestContext, document: Document, compressed: Compressed, caching: bytes = b"no-cache", vary: bytes = b"accept-encoding"
) -> None:
    """Send a file as the request's headers say: whole, in part, compressed, or only that it is unchanged; `vary` names those headers."""
    type_ = content_type(document.path)
    content, etag = document.content, document.etag
    packed = (
        content is not None and is_text(type_) and len(content) >= COMPRESSED_FROM_BYTES and _takes_gzip(call.header(b"accept-encoding"))
    )
    # Another representation has another ETag, or a cache could join ranges of both.
    if packed:
        etag += "-gz"
    headers: Headers = [
        (b"etag", f'"{etag}"'.encode()),
        (b"cache-control", caching),
        (b"vary", vary),
        *call.headers,
    ]
    if document.modified is not None:
        headers.append((b"last-modified", written(document.modified)))
    status = unmet(call, etag, document.modified)
    if status is HTTPStatus.NOT_MODIFIED:
        await _send(call, status, headers, None)
        return
    if status is not None:
        await send_unmet(call)
        return
    # Ranges are served of the file itself, not of its compressed form.
    headers += [(b"content-type", type_.encode()), (b"accept-ranges", b"none" if packed else b"bytes")]
    if packed and content is not None:
        content = await compressed.of(etag, content)
        await _send(call, HTTPStatus.OK, [*headers, (b"content-encoding", b"gzip"), _length(len(content))], content)
        return
    await _send_part(call, document, headers, etag)


async def _send_part(call: RequestContext, document: Document, headers: Headers, etag: str) -> None:
    size = document.size
    part = asked_part(call, etag, size, document.modified)
    headers = [*headers, *part.headers]
    if document.content is not None or part.status is HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
        await _send(call, part.status, headers, (document.content or b"")[part.first : part.first + part.size])
    elif document.file is not None:
        await _send_pieces(call, part.status, headers, document.file, part.first, part.size)


class Part(NamedTuple):
    """The part of a file that is sent: all of it, a range, or nothing when the range does not exist."""

    status: HTTPStatus
    first: int
    size: int
    headers: Headers


def asked_part(call: RequestContext, etag: str, size: int, modified: float | None = None) -> Part:
    """Return the part that a request asks for of a file of `size` bytes."""
    asked_range = _asked_bytes(call, size) if range_holds(call, etag, modified) else None
    if asked_range is None:
        return Part(HTTPStatus.OK, 0, size, [_length(size)])
    first, last = asked_range
    if first > last:
        return Part(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, 0, 0, [(b"content-range", b"bytes */%d" % size), _length(0)])
    length = last + 1 - first
    return Part(HTTPStatus.PARTIAL_CONTENT, first, length, [(b"content-range", b"bytes %d-%d/%d" % (first, last, size)), _length(length)])


def _asked_bytes(call: RequestContext, size: int) -> tuple[int, int] | None:
    """Return the first and last byte of the range; None for the whole file, first > last when the range does not exist."""
    match = _RANGE.fullmatch(call.header(b"range").replace(" ", ""))
    if call.method != "GET" or match is None or not (match["first"] or match["last"]):
        return None
    if not match["first"]:
        return max(0, size - int(match["last"])), size - 1
    first = int(match["first"])
    if match["last"] and int(match["last"]) < first:
        return None
    return (first, min(int(match["last"] or size), size - 1)) if first < size else (1, 0)


async def _send(call: RequestContext, status: HTTPStatus, headers: Headers, body: bytes | None) -> None:
    await call.send({"type": "http.response.start", "status": status, "headers": headers})
    await call.send({"type": "http.response.body", "body": b"" if body is None or call.method == "HEAD" else body})


async def _send_pieces(call: RequestContext, status: HTTPStatus, headers: Headers, file: SiteFile, first: int, left: int) -> None:
    await call.send({"type": "http.response.start", "status": status, "headers": headers})
    if call.method == "HEAD":
        left = 0
    await threads.SITE.run(file.content.seek, first)
    while left > 0:
        piece = await read_piece(file.content, min(CHUNK_BYTES, left))
        # The file was truncated meanwhile: end before the announced length, so that the browser notices.
        if not piece:
            return
        left -= len(piece)
        await call.send({"type": "http.response.body", "body": piece, "more_body": left > 0})
    if call.method == "HEAD":
        await call.send({"type": "http.response.body", "body": b""})


def _length(size: int) -> tuple[bytes, bytes]:
    return b"content-length", b"%d" % size


def _takes_gzip(accepted: str) -> bool:
    for part in accepted.lower().split(","):
        name, _, weight = part.partition(";")
        if name.strip() in ("gzip", "*"):
            return weight.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False


async def send_unreadable(call: RequestContext) -> None:
    """Send that the file cannot be read now."""
    # Not the reason that the system gives: it is about the owner's disk, and this page may be a stranger's.
    text = "This peer cannot read it at the moment. Reload this page to try again."
    await send_page(
        call, HTTPStatus.SERVICE_UNAVAILABLE, "This file cannot be read now", text, [(b"retry-after", b"%d" % UNREADABLE_RETRY_SECONDS)]
    )


async def send_unmet(call: RequestContext) -> None:
    """Send that the file is no longer the version the request names."""
    await send_page(call, HTTPStatus.PRECONDITION_FAILED, "The file is another one by now", "Reload the page that leads here.")


_PAGE: Final = """<!doctype html>
<html lang="en" style="color-scheme:light dark;background:Canvas;color:CanvasText">
<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{title}</title>
<body style="font:17px/1.6 system-ui,sans-serif;max-width:32rem;margin:18vh auto;padding:0 1.5rem">
<h1 style="font-size:1.5rem">{title}</h1><p style="overflow-wrap:anywhere">{text}</p><p><a href="/">To the front page</a></p></body></html>
"""


async def send_page(call: RequestContext, status: HTTPStatus, title: str, text: str, headers: Headers | None = None) -> None:
    """Send a small page of ours with a link to the front page."""
    await send_html(call, status, _PAGE.format(title=html.escape(title), text=html.escape(text)), headers)


async def send_html(call: RequestContext, status: HTTPStatus, text: str, headers: Headers | None = None) -> None:
    """Send an HTML page that is not cached."""
    await send_text(call, status, "text/html; charset=utf-8", text, headers)


async def send_text(call: RequestContext, status: HTTPStatus, type_: str, text: str, headers: Headers | None = None) -> None:
    """Send a text that is not cached."""
    body = text.encode()
    own = [(b"content-type", type_.encode()), (b"cache-control", b"no-store"), _length(len(body))]
    await _send(call, status, [*own, *(headers or []), *call.headers], body)
