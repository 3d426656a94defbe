"""Pictures of peers, `/api/avatar…`: on the own site the owner's is `avatar.png` of the peer folder; every other is made from the id.

A made picture depends on the id only, so it tells a page of another peer's site nothing about whom the viewer knows.
"""

from __future__ import annotations

import hashlib
from http import HTTPStatus
from pathlib import Path
from typing import Final, NamedTuple

from goop2.folder import threads
from goop2.folder.regular_files import read_regular
from goop2.scripting.engine import Failure
from goop2.scripting.invocation import ErrorCode
from goop2.web.http.files import Compressed, Document, send_document
from goop2.web.http.origins import Realm
from goop2.web.http.request_context import Handler, RequestContext
from goop2.web.http.responses import PAGE_HEADERS, send_failure, send_refusal
from goop2.web.limits import AVATAR_MAX_BYTES

OF_PEERS: Final = "avatar/peer/"
"""What the paths of other peers' pictures begin with, after `/api/`."""
FILE: Final = "avatar.png"
HASH_CHARS: Final = 16
"""Hexadecimal digits of SHA-256 by which peers name a picture (network.md)."""
_ID_MAX_CHARS: Final = 128
_BEGINNINGS: Final = ((b"\x89PNG\r\n\x1a\n", "png"), (b"\xff\xd8\xff", "jpg"))
_WEBP: Final = (b"RIFF", b"WEBP")
_CELLS, _CELL_PIXELS, _MARGIN_PIXELS = 5, 16, 8
_SIDE_PIXELS: Final = _CELLS * _CELL_PIXELS + 2 * _MARGIN_PIXELS
_ALLOW: Final = (b"allow", b"GET, HEAD")


class Picture(NamedTuple):
    """The content of a picture and the ending of its type."""

    content: bytes
    ending: str


class AvatarApi:
    """Endpoints of the pictures of this peer and of others."""

    def __init__(self, folder: Path, own_id: str) -> None:
        self._folder = folder
        self._own_id = own_id
        self._compressed = Compressed()
        self.api: dict[str, Handler] = {"avatar": self._own, OF_PEERS: self._of_peer}
        """Path after `/api/`, or what such paths begin with → what answers. The same on the origin of another peer's site."""

    async def hash_of_own(self) -> str:
        """Return the name of the own picture, "" when there is none."""
        picture = await threads.SITE.run(picture_in, self._folder)
        return hashlib.sha256(picture.content).hexdigest()[:HASH_CHARS] if picture else ""

    async def _own(self, call: RequestContext) -> None:
        await self._send(call, self._own_id)

    async def _of_peer(self, call: RequestContext) -> None:
        path: str = call.scope["path"]
        peer = path.rpartition("/")[2]
        if not 0 < len(peer) <= _ID_MAX_CHARS:
            await send_failure(call.send, Failure(ErrorCode.BAD_REQUEST, "ask for /api/avatar/peer/<peer id>"), call.headers)
            return
        await self._send(call, peer)

    async def _send(self, call: RequestContext, peer: str) -> None:
        if call.method not in ("GET", "HEAD"):
            await send_refusal(call.send, HTTPStatus.METHOD_NOT_ALLOWED, "a picture is asked for with GET", [_ALLOW, *call.headers])
            return
        own = peer == self._own_id and call.origin.realm is Realm.OWN_SITE
        picture = (await threads.SITE.run(picture_in, self._folder) if own else None) or made_of(peer)
        etag = hashlib.blake2b(picture.content, digest_size=9).hexdigest()
        document = Document(path=f"avatar.{picture.ending}", etag=etag, size=len(picture.content), content=picture.content)
        await send_document(call._replace(headers=[*call.headers, *PAGE_HEADERS[call.origin.realm]]), document, self._compressed)


def picture_in(folder: Path) -> Picture | None:
    """Return the picture in a peer folder; None when there is none that may be read, or it is no PNG, JPEG or WebP. Blocking."""
    try:
        content = read_regular(folder / FILE, folder, AVATAR_MAX_BYTES)
    except OSError:
        return None
    ending = next((ending for beginning, ending in _BEGINNINGS if content.startswith(beginning)), "")
    if not ending and (content[:4], content[8:12]) == _WEBP:
        ending = "webp"
    return Picture(content, ending) if ending else None


def made_of(peer: str) -> Picture:
    """Return a picture that follows from a peer's id: cells in one colour, the right half mirrors the left one."""
    digest = hashlib.sha256(peer.encode("utf-8", "surrogatepass")).digest()
    columns = (_CELLS + 1) // 2
    cells = [
        f"M{_MARGIN_PIXELS + column * _CELL_PIXELS} {_MARGIN_PIXELS + row * _CELL_PIXELS}h{_CELL_PIXELS}v{_CELL_PIXELS}h-{_CELL_PIXELS}z"
        for row in range(_CELLS)
        for half in range(columns)
        if digest[2 + row * columns + half] % 2
        for column in sorted({half, _CELLS - 1 - half})
    ]
    hue = int.from_bytes(digest[:2]) % 360
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_SIDE_PIXELS} {_SIDE_PIXELS}" role="img" aria-label="peer">'
        f'<rect width="100%" height="100%" fill="hsl({hue} 45% 90%)"/><path fill="hsl({hue} 55% 42%)" d="{"".join(cells)}"/></svg>\n'
    )
    return Picture(svg.encode(), "svg")
