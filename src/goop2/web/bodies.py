"""Bodies of requests, read with an end in size; the end in time is the server's (server.py)."""

from __future__ import annotations

from starlette.types import Receive


class BodyTooLarge(Exception):
    """More than whoever reads accepts; what came so far is thrown away."""

    def __init__(self, max_bytes: int) -> None:
        super().__init__(f"the body is larger than {max_bytes} bytes")


class ClientGone(Exception):
    """The connection ended before the body did. There is nobody to answer."""


async def read_body(receive: Receive, max_bytes: int) -> bytes:
    """The whole body. Raises `BodyTooLarge` as soon as it is, and `ClientGone`."""
    message = await receive()
    body: bytes = message.get("body", b"")
    pieces = [body]
    size = len(body)
    while True:
        if message["type"] == "http.disconnect":
            raise ClientGone
        if size > max_bytes:
            raise BodyTooLarge(max_bytes)
        if not message.get("more_body", False):
            return body if len(pieces) == 1 else b"".join(pieces)
        message = await receive()
        pieces.append(message.get("body", b""))
        size += len(pieces[-1])
