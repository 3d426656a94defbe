"""`/api/site/…`: the files of the site as a list, and for the owner what changes them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from http import HTTPStatus
from typing import Final
from urllib.parse import parse_qs

import msgspec

from goop2.folder import threads
from goop2.folder.site_changes import SiteChangeError, SiteFileMissingError, SiteWriteError, remove, write
from goop2.folder.site_files import SiteFiles
from goop2.protocols.untrusted_json import Decoder, InvalidJsonError
from goop2.scripting.engine import Failure
from goop2.scripting.invocation import ErrorCode
from goop2.web.http.bodies import read_body
from goop2.web.http.forms import FormError, is_form, the_file
from goop2.web.http.request_context import Handler, RequestContext
from goop2.web.http.responses import send_failure, send_json, send_refusal
from goop2.web.limits import ENVELOPE_MAX_BYTES, UPLOAD_MAX_BYTES

_CODES: Final = {SiteFileMissingError: ErrorCode.NOT_FOUND, SiteWriteError: ErrorCode.UNAVAILABLE}
"""Why nothing was changed → error class."""


class _Remove(msgspec.Struct):
    path: str


_remove = Decoder(_Remove)


class SiteApi:
    """The site's files, for pages."""

    def __init__(self, files: SiteFiles) -> None:
        self._files = files
        self.api: dict[str, Handler] = {"site/files": self._list, "site/upload": self._upload, "site/remove": self._remove}

    async def _list(self, call: RequestContext) -> None:
        await send_json(call.send, msgspec.json.encode(await threads.SITE.run(self._files.listing)), HTTPStatus.OK, call.headers)

    async def _upload(self, call: RequestContext) -> None:
        """`POST ?path=…`, the content as the body, or as the only file of a form."""
        path = parse_qs(call.scope["query_string"].decode("latin-1")).get("path", [""])[0]
        body = await _body_of_owner(call, UPLOAD_MAX_BYTES)
        if body is None:
            return
        try:
            kind = call.header(b"content-type")
            content = await asyncio.to_thread(the_file, kind, body) if is_form(kind) else body
        except FormError as error:
            await send_failure(call.send, Failure(ErrorCode.BAD_REQUEST, str(error)), call.headers)
            return
        await self._change(call, lambda: write(self._files, path, content))

    async def _remove(self, call: RequestContext) -> None:
        """Remove a file of the site: `POST {path}`."""
        body = await _body_of_owner(call, ENVELOPE_MAX_BYTES)
        if body is None:
            return
        try:
            path = _remove.decode(body).path
        except InvalidJsonError as error:
            await send_failure(call.send, Failure(ErrorCode.BAD_REQUEST, f'the body should be {{"path": path}}: {error}'), call.headers)
            return
        await self._change(call, lambda: remove(self._files, path))

    async def _change(self, call: RequestContext, change: Callable[[], None]) -> None:
        try:
            await threads.SITE.run(change)
        except SiteChangeError as error:
            await send_failure(call.send, Failure(_CODES.get(type(error), ErrorCode.BAD_REQUEST), str(error)), call.headers)
        else:
            await send_json(call.send, b'{"ok":true}', HTTPStatus.OK, call.headers)


async def _body_of_owner(call: RequestContext, max_bytes: int) -> bytes | None:
    """Return the body, where the owner POSTs one; None when the answer is given already."""
    if call.method != "POST":
        await send_refusal(call.send, HTTPStatus.METHOD_NOT_ALLOWED, "this is asked for with POST", [(b"allow", b"POST"), *call.headers])
    elif not call.caller.owner:
        await send_refusal(call.send, HTTPStatus.FORBIDDEN, "only the owner changes the site", call.headers)
    else:
        return await read_body(call.scope, call.receive, max_bytes)
    return None
