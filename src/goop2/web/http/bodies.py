"""Read bodies of requests up to a limit in bytes; the limit in time is timeout_protocol.py's."""

from __future__ import annotations

from http import HTTPStatus

from starlette.types import Message, Receive, Scope, Send

from goop2.protocols import tolerant_json
from goop2.scripting.engine import Failure
from goop2.scripting.invocation import ErrorCode
from goop2.web.http.responses import send_failure, send_refusal
from goop2.web.limits import UNHEARD_MAX_BYTES


class BodyTooLargeError(Exception):
    """The body is larger than its endpoint accepts. `refused` answers it."""

    def __init__(self, max_bytes: int, unread: bool = False) -> None:
        super().__init__(f"the body is larger than {max_bytes} bytes")
        self.unread = unread
        """Nothing of it was read: the client waits for `100 Continue`, or announces more than we would read to discard it."""


class ClientDisconnectedError(Exception):
    """The connection ended before the body did, so nobody reads an answer."""


async def read_body(scope: Scope, receive: Receive, max_bytes: int) -> bytes:
    """Return the whole body.

    :raises BodyTooLargeError: as soon as that is known; where the length is announced, before anything is read and before `100 Continue`.
    :raises ClientDisconnectedError: the connection ended first.
    """
    # httptools has checked that it is a number.
    announced = int(_header(scope, b"content-length") or 0)
    if announced > max_bytes:
        raise BodyTooLargeError(max_bytes, _waits(scope) or announced > max_bytes + UNHEARD_MAX_BYTES)
    pieces: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnectedError
        piece: bytes = message.get("body", b"")
        size += len(piece)
        if size > max_bytes:
            raise BodyTooLargeError(max_bytes)
        pieces.append(piece)
        if not message.get("more_body", False):
            return pieces[0] if len(pieces) == 1 else b"".join(pieces)


async def refused(scope: Scope, receive: Receive, send: Send, error: BodyTooLargeError) -> None:
    """Answer a body that is too large: 413 and the end of the connection where nothing of it is read, else 400.

    What the client still sends is read and discarded after the answer: a browser does not read an answer while it is sending.
    """
    if error.unread:
        await send_refusal(send, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, str(error))
        return

    async def send_open(message: Message) -> None:
        await send({**message, "more_body": True} if message["type"] == "http.response.body" else message)

    # A chunked body may have no end: the connection is closed after UNHEARD_MAX_BYTES of it.
    headers = [] if _header(scope, b"content-length") else [(b"connection", b"close")]
    await send_failure(send_open, Failure(ErrorCode.BAD_REQUEST, str(error)), headers)
    unheard = 0
    while unheard <= UNHEARD_MAX_BYTES:
        message = await receive()
        unheard += len(message.get("body", b""))
        # `http.disconnect` has no such key.
        if not message.get("more_body", False):
            break
    await send({"type": "http.response.body", "body": b""})


def _waits(scope: Scope) -> bool:
    return _header(scope, b"expect").lower() == b"100-continue"


def _header(scope: Scope, name: bytes) -> bytes:
    return next((value for key, value in scope["headers"] if key == name), b"")


async def read_json(scope: Scope, receive: Receive, max_bytes: int) -> bytes:
    """Return the body like `read_body`, with each half of a surrogate pair replaced by U+FFFD.

    A page that cuts a text by length cuts an emoji in two, and JSON.stringify writes the half that is left as an escape, which no decoder
    of ours accepts.
    """
    return tolerant_json.without_halves(await read_body(scope, receive, max_bytes))
