"""Bodies of requests, read with an end in size; the end in time is the server's (server.py)."""

from __future__ import annotations

from starlette.types import Receive, Scope

from goop2.p2p.protocols import leniency


class BodyTooLarge(Exception):
    """The body is larger than whoever reads it accepts. DoorApp and the console answer it with 413."""

    def __init__(self, max_bytes: int) -> None:
        super().__init__(f"the body is larger than {max_bytes} bytes")


class ClientGone(Exception):
    """The connection ended before the body did. There is nobody to answer."""


async def read_body(scope: Scope, receive: Receive, max_bytes: int) -> bytes:
    """Return the whole body. Raises `ClientGone`, and `BodyTooLarge` as soon as that is known: before anything is read, and before a client
    that asks with `Expect` is told to go on, where the length is announced.

    What a refused client still sends is read and thrown away by the server (protocol.py): one that is sending hears no answer otherwise.
    """
    if _announced(scope) > max_bytes:
        raise BodyTooLarge(max_bytes)
    pieces: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        piece: bytes = message.get("body", b"")
        size += len(piece)
        if size > max_bytes:
            raise BodyTooLarge(max_bytes)
        pieces.append(piece)
        if not message.get("more_body", False):
            return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def _announced(scope: Scope) -> int:
    """`Content-Length`, which the server has checked; 0 without one."""
    return next((int(value) for name, value in scope["headers"] if name == b"content-length"), 0)


async def read_json(scope: Scope, receive: Receive, max_bytes: int) -> bytes:
    """Like `read_body`, for a page's JSON: half a character alone is U+FFFD in it.

    A page that cuts a text by length cuts an emoji in two, and JSON.stringify writes the half that is left as an escape; no decoder of ours
    takes it.
    """
    return leniency.without_halves(await read_body(scope, receive, max_bytes))
