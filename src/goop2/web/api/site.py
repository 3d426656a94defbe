"""`/api/site/…`: the owner lists, reads, uploads and removes the files of the site."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from functools import partial
from typing import Final, TypeVar
from urllib.parse import parse_qs

import msgspec

from goop2.folder import threads
from goop2.folder.site_changes import remove, write
from goop2.folder.site_files import SHOWN_CHARS, FileNotServedError, SiteFileEntry, SiteFiles, SiteFileTooLargeError
from goop2.scripting.engine import Failure
from goop2.scripting.invocation import ErrorCode
from goop2.web.http.forms import is_form, read_form
from goop2.web.http.handlers import JsonBody, Work, any_bytes, as_sent, endpoint, no_body
from goop2.web.http.request_context import Handler, RequestContext
from goop2.web.limits import ENVELOPE_MAX_BYTES, UPLOAD_MAX_BYTES

T = TypeVar("T")

_DONE: Final = b'{"ok":true}'


class _Remove(msgspec.Struct):
    path: str


class _Listed(msgspec.Struct, frozen=True, kw_only=True):
    """A file as `Goop.site.files` knows it, and a file or a folder as pages of Goop2 know it."""

    path: str
    size: int
    modified: int
    Path: str
    IsDir: bool
    Depth: int
    """0 directly in the site."""


class _Uploaded(msgspec.Struct, frozen=True):
    ok: bool
    status: str
    path: str
    etag: str


class _Content(msgspec.Struct, frozen=True):
    content: str
    etag: str
    path: str


_DELETED: Final = b'{"status":"deleted"}'
_ETAG_BYTES: Final = 9
_REMOVE: Final = JsonBody(_Remove, '{"path": path}')


class SiteApi:
    """Endpoints of the files of the site."""

    def __init__(self, files: SiteFiles) -> None:
        self._files = files
        self.api: dict[str, Handler] = {
            "site/files": endpoint(self._list, as_sent, read=no_body),
            "site/upload": _change(self._upload, as_sent, UPLOAD_MAX_BYTES),
            "site/remove": _change(self._remove, _REMOVE, ENVELOPE_MAX_BYTES),
            "site/delete": _change(self._delete, _REMOVE, ENVELOPE_MAX_BYTES),
            "site/content": endpoint(self._content, as_sent, read=no_body, method="GET", name="site/content"),
        }
        """Path after `/api/` → handler."""

    async def _list(self, _call: RequestContext, _body: bytes) -> bytes:
        """Return the files and folders of the site."""
        entries = await threads.SITE.run(partial(self._files.listing, folders=True))
        listed = [_listed(one) for one in entries]
        return msgspec.json.encode(listed)

    async def _upload(self, call: RequestContext, body: bytes) -> bytes:
        """Save a file: `POST ?path=…`, the content as the body or as the only file of a form, in which `path` may stand as well."""
        path = parse_qs(call.scope["query_string"].decode("latin-1")).get("path", [""])[0]
        kind = call.header(b"content-type")
        content = body
        if is_form(kind):
            # A form of 50 MB takes a moment to parse: not on the event loop.
            form = await asyncio.to_thread(read_form, kind, body)
            content = form.file
            path = path or form.fields.get("path", "")
        await threads.SITE.run(write, self._files, path, content)
        return msgspec.json.encode(_Uploaded(True, "uploaded", path.removeprefix("/"), _etag(content)))

    async def _remove(self, _call: RequestContext, request: _Remove) -> bytes:
        """Remove a file of the site: `POST {path}`."""
        await threads.SITE.run(remove, self._files, request.path)
        return _DONE

    async def _delete(self, call: RequestContext, request: _Remove) -> bytes:
        """Remove a file, as pages of Goop2 ask for it: `POST {path}`."""
        await self._remove(call, request)
        return _DELETED

    async def _content(self, call: RequestContext, _body: bytes) -> bytes | Failure:
        """Return the text of a file: `GET ?path=…`."""
        path = parse_qs(call.scope["query_string"].decode("latin-1")).get("path", [""])[0].lstrip("/")
        try:
            content = await threads.SITE.run(self._files.read, path, UPLOAD_MAX_BYTES)
        except FileNotServedError:
            return Failure(ErrorCode.NOT_FOUND, f"{path[:SHOWN_CHARS]!r} is no file of the site")
        except SiteFileTooLargeError as error:
            return Failure(ErrorCode.BAD_REQUEST, str(error))
        return msgspec.json.encode(_Content(content.decode(errors="replace"), _etag(content), path))


def _listed(one: SiteFileEntry) -> _Listed:
    depth = one.path.count("/")
    return _Listed(path=one.path, size=one.size, modified=one.modified, Path=one.path, IsDir=one.is_folder, Depth=depth)


def _etag(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=_ETAG_BYTES).hexdigest()


def _change(work: Work[T], decode: Callable[[bytes], T], max_bytes: int) -> Handler:
    """Return the handler of what only the owner may do. Somebody else's 50 MB are not read: the connection is closed."""
    return endpoint(work, decode, read=any_bytes(max_bytes), method="POST", check=_refusal, closes=True)


def _refusal(call: RequestContext) -> Failure | None:
    return None if call.caller.owner else Failure(ErrorCode.FORBIDDEN, "only the owner changes the site")
