"""Errors as plain text for a browser's bare `fetch`, as pages written for Goop2 show them; everybody else gets JSON.

A bare `fetch` has `Sec-Fetch-Mode`, which only browsers send, and says `Accept: */*`. The SDK asks for JSON by name.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

import msgspec
from starlette.types import Message, Send

ANY_TYPE: Final = "*/*"
_JSON: Final = (b"content-type", b"application/json")
_TEXT: Final = (b"content-type", b"text/plain; charset=utf-8")


class _Told(msgspec.Struct):
    message: str


_decoder: Final = msgspec.json.Decoder(_Told)


def wants_plain_errors(mode: str, accept: str) -> bool:
    """Return whether a request is a browser's bare `fetch`.

    :param mode: the value of `Sec-Fetch-Mode`.
    :param accept: the value of `Accept`.
    """
    return bool(mode) and accept.strip() == ANY_TYPE


def plain_errors(send: Send) -> Send:
    """Return a `send` that gives errors in JSON as their message alone, with the same status and headers (ASGI)."""
    start: Message | None = None

    async def sending(message: Message) -> None:
        nonlocal start
        if message["type"] == "http.response.start" and message["status"] >= HTTPStatus.BAD_REQUEST and _JSON in message["headers"]:
            start = message
            return
        if start is None:
            await send(message)
            return
        # Errors are short, and sent in one piece (responses.py); what comes after it only ends the answer.
        body = _text_of(message.get("body", b""))
        headers = [_TEXT if header == _JSON else header for header in start["headers"] if header[0] != b"content-length"]
        begun, start = start, None
        await send({**begun, "headers": [*headers, (b"content-length", b"%d" % len(body))]})
        await send({**message, "body": body})

    return sending


def _text_of(body: bytes) -> bytes:
    """Return the message in the JSON of an error; the body itself when there is none."""
    try:
        return _decoder.decode(body).message.encode()
    except msgspec.DecodeError:
        return body
