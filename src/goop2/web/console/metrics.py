"""`/metrics` in Prometheus' text format, on the console's origin, so on loopback only.

A scraper shows a token of its own, `data/metrics.token` in the peer's folder. It is made at the first start and stays the same, so that a
scraper is configured once (`authorization: {credentials_file: …}`). It opens nothing else.
"""

from __future__ import annotations

import asyncio
import hmac
import os
import secrets
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Final

import structlog
from starlette.types import Receive, Scope, Send

from goop2.folder.regular_files import read_regular
from goop2.web.app import Web
from goop2.web.http.console_token import TOKEN_BYTES, Token
from goop2.web.http.responses import NO_HEADERS, send_refusal

if TYPE_CHECKING:
    from goop2.web.console.families import Families

TOKEN_FILE: Final = "data/metrics.token"
TOKEN_FILE_MAX_BYTES: Final = 4096
"""A token of the owner's own may be longer than ours; not longer than a header line."""
_TYPE: Final = b"text/plain; version=0.0.4; charset=utf-8"
_log: structlog.typing.FilteringBoundLogger = structlog.get_logger("goop2.web")


class Metrics:
    """ASGI application: the metrics, for requests with the metrics token or the console's."""

    def __init__(self, web: Web, console: Token) -> None:
        self._web = web
        self._console = console
        self._token = metrics_token(web.peer.folder)
        self._families: Families | None = None

    async def _loaded(self) -> Families:
        """Return the families, whose library comes with the first request, in a thread: an idle peer does without it."""
        if self._families is None:
            self._families = (await asyncio.to_thread(_import_families))(self._web)
        return self._families

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the metrics to whoever shows the token (ASGI)."""
        shown = [value for name, value in scope["headers"] if name == b"authorization"]
        if len(shown) != 1 or not self._opens(shown[0]):
            await send_refusal(send, HTTPStatus.FORBIDDEN, f"metrics want the token in {TOKEN_FILE} as a bearer token", NO_HEADERS)
            return
        body = (await self._loaded()).text()
        headers = [(b"content-type", _TYPE), (b"cache-control", b"no-store"), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": HTTPStatus.OK, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def _opens(self, authorization: bytes) -> bool:
        # An empty token is none: it must not match an empty header.
        mine = bool(self._token) and hmac.compare_digest(authorization, b"Bearer " + self._token.encode())
        return mine or self._console.is_shown(authorization)


def _import_families() -> type[Families]:
    from goop2.web.console.families import Families

    return Families


def metrics_token(folder: Path) -> str:
    """Return the token of the peer in `folder`, made when there is none; "" when it cannot be saved: then no token opens."""
    file = folder / TOKEN_FILE
    try:
        file.parent.mkdir(mode=0o700, exist_ok=True)
        try:
            with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "w") as out:
                out.write(secrets.token_urlsafe(TOKEN_BYTES) + "\n")
        except FileExistsError:
            pass
        token = read_regular(file, folder, TOKEN_FILE_MAX_BYTES).decode("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        _log.warning("no metrics token", file=TOKEN_FILE, why=error.strerror if isinstance(error, OSError) else str(error))
        return ""
    # A short one was made by hand, or half written: it could be guessed.
    return token if len(token) >= TOKEN_BYTES else ""
