"""Avatars: the pictures of this peer and of others, and setting the own one.

    GET  /avatar?peer=ID   the picture, or one made of the id; its own picture for this peer's id
    POST /avatar           the picture as the body → {avatar}, its hash; PNG, JPEG or WebP, at most 256 KB
    POST /avatar/remove    → {avatar: ""}

What changes is also published as the event `avatar`: {peer}, "" for this one.
"""

from __future__ import annotations

from collections.abc import Awaitable
from http import HTTPStatus
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from goop2.services.avatars import SET_MAX_BYTES
from goop2.services.peer import Peer
from goop2.web.api.avatars import ID_MAX_CHARS, shown_picture
from goop2.web.console.controls.replies import BadRequestError, refusal, reply, route
from goop2.web.http.bodies import read_body

_HEADERS: Final = {
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
    "cross-origin-resource-policy": "same-origin",
}
"""It is shown in an element for pictures only; opened as a page, nothing in it would run."""


def routes(peer: Peer) -> list[BaseRoute]:
    """Return the routes of the controls of pictures."""
    own_id, avatars = peer.identity.peer_id, peer.avatars

    async def picture(request: Request) -> Response:
        if request.method == "POST":
            # More than may be set, so that a picture that is too large gets a sentence about pictures.
            return await _changed(avatars.set(await read_body(request.scope, request.receive, 2 * SET_MAX_BYTES)))
        named = request.query_params.get("peer", own_id)
        if not 0 < len(named) <= ID_MAX_CHARS:
            raise BadRequestError("name the peer whose picture is to be shown")
        found = await shown_picture(avatars, own_id, named)
        return Response(found.content, HTTPStatus.OK, _HEADERS, found.mime)

    async def remove(_request: Request) -> Response:
        return await _changed(avatars.remove())

    async def _changed(work: Awaitable[None]) -> Response:
        try:
            await work
        except OSError as error:
            return refusal(HTTPStatus.SERVICE_UNAVAILABLE, "unavailable", f"the picture cannot be saved: {error.strerror or error}")
        return reply({"avatar": avatars.own_hash})

    return [route("/avatar", picture, methods=["GET", "POST"]), route("/avatar/remove", remove, methods=["POST"])]
