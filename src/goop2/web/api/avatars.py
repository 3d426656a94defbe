"""Pictures of peers, `/api/avatar…`: the owner's, those that other peers have sent, and for the rest one made of the id.

    the own site       the owner's pages get the own picture, and that of every peer that has sent one
    a visited site     its pages get that of the site's host, and of who shares a group or a room of that host with the viewer

A made picture depends on the id only, so it tells a page of another peer's site nothing about whom the viewer knows.
"""

from __future__ import annotations

import hashlib
from http import HTTPStatus
from typing import Final

from goop2.protocols.avatar import Picture
from goop2.scripting.engine import Failure
from goop2.scripting.invocation import ErrorCode
from goop2.services.avatars import Avatars
from goop2.services.groups.service import GroupService
from goop2.web.http.files import Compressed, Document, send_document
from goop2.web.http.origins import Realm
from goop2.web.http.request_context import Handler, RequestContext
from goop2.web.http.responses import PAGE_HEADERS, send_failure, send_refusal

OF_PEERS: Final = "avatar/peer/"
"""What the paths of other peers' pictures begin with, after `/api/`."""
ID_MAX_CHARS: Final = 128
"""A peer's id has 52 characters."""
_CELLS, _CELL_PIXELS, _MARGIN_PIXELS = 5, 16, 8
_SIDE_PIXELS: Final = _CELLS * _CELL_PIXELS + 2 * _MARGIN_PIXELS
_ALLOW: Final = (b"allow", b"GET, HEAD")


class AvatarApi:
    """Endpoints of the pictures of this peer and of others."""

    def __init__(self, avatars: Avatars, grouping: GroupService) -> None:
        self._avatars = avatars
        self._grouping = grouping
        self._own_id = grouping.groups.own_id
        self._compressed = Compressed()
        self.api: dict[str, Handler] = {"avatar": self._own, OF_PEERS: self._of_peer}
        """Path after `/api/`, or what such paths begin with → what answers. The same on the origin of another peer's site."""

    async def hash_of_own(self) -> str:
        """Return the name of the own picture, "" when there is none."""
        await self._avatars.look()
        return self._avatars.own_hash

    async def _own(self, call: RequestContext) -> None:
        await self._send(call, self._own_id)

    async def _of_peer(self, call: RequestContext) -> None:
        path: str = call.scope["path"]
        peer = path.rpartition("/")[2]
        if not 0 < len(peer) <= ID_MAX_CHARS:
            await send_failure(call.send, Failure(ErrorCode.BAD_REQUEST, "ask for /api/avatar/peer/<peer id>"), call.headers)
            return
        await self._send(call, peer)

    async def _send(self, call: RequestContext, peer: str) -> None:
        if call.method not in ("GET", "HEAD"):
            await send_refusal(call.send, HTTPStatus.METHOD_NOT_ALLOWED, "a picture is asked for with GET", [_ALLOW, *call.headers])
            return
        picture = await shown_picture(self._avatars, self._own_id, peer) if self._may_see(call, peer) else made_of(peer)
        etag = hashlib.blake2b(picture.content, digest_size=9).hexdigest()
        document = Document(path=f"avatar.{picture.ending}", etag=etag, size=len(picture.content), content=picture.content)
        await send_document(call._replace(headers=[*call.headers, *PAGE_HEADERS[call.origin.realm]]), document, self._compressed)

    def _may_see(self, call: RequestContext, peer: str) -> bool:
        """Return whether the page gets the picture of this peer; visitors without a peer are refused before (endpoints.py)."""
        if call.origin.realm is Realm.VISITED_SITE:
            return peer != self._own_id and peer in met_at(self._grouping, call.origin.peer_id)
        return call.origin.realm is Realm.OWN_SITE and call.caller.owner


def met_at(grouping: GroupService, host: str) -> set[str]:
    """Return whom a page of the peer `host` may know: that peer, and the members of its groups and rooms that this peer is in."""
    return {host, *(member for group in grouping.groups.joined() if group.host == host for member in group.members)}


async def shown_picture(avatars: Avatars, own_id: str, peer: str) -> Picture:
    """Return the picture of a peer as its owner sees it: the one it has, else one made of its id."""
    if peer == own_id:
        await avatars.look()
        return avatars.own or made_of(peer)
    return await avatars.picture(peer) or made_of(peer)


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
