"""Bodies of requests, read with an end in size; the end in time is the server's (server.py)."""

from __future__ import annotations

from starlette.types import Receive

from goop2.p2p.protocols import leniency
from goop2.web.limits import UNHEARD_MAX_BYTES


class BodyTooLarge(Exception):
    """More than whoever reads accepts; what came so far is thrown away."""

    def __init__(self, max_bytes: int) -> None:
        super().__init__(f"the body is larger than {max_bytes} bytes")


class ClientGone(Exception):
    """The connection ended before the body did. There is nobody to answer."""


async def read_body(receive: Receive, max_bytes: int) -> bytes:
    """The whole body. Raises `ClientGone`, and `BodyTooLarge` once all of it was sent, or far too much: before, nobody reads an answer."""
    pieces: list[bytes] = []
    size = 0
    while size <= max_bytes + UNHEARD_MAX_BYTES:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        piece: bytes = message.get("body", b"")
        size += len(piece)
        if size <= max_bytes:
            pieces.append(piece)
        else:
            pieces.clear()
        if not message.get("more_body", False):
            break
    if size > max_bytes:
        raise BodyTooLarge(max_bytes)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


async def read_json(receive: Receive, max_bytes: int) -> bytes:
    """Like `read_body`, for a page's JSON: half a character alone is U+FFFD in it.

    A page that cuts a text by length cuts an emoji in two, and JSON.stringify writes the half that is left as an escape; no decoder of ours
    takes it.
    """
    body = await read_body(receive, max_bytes)
    return leniency.without_halves(body)
