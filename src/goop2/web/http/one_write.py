"""An answer that is ready goes out in one write: uvicorn (0.54) sends head and body apart, and each is a system call that wakes the client.

An answer whose length is not known, an event stream say, begins at once, as uvicorn sends it. It must not know what is answered.
"""

from __future__ import annotations

from functools import lru_cache
from http import HTTPStatus
from typing import Final, cast

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HEADER_RE, HEADER_VALUE_RE, STATUS_LINE, RequestResponseCycle

_CONTENT_LENGTH: Final = b"content-length"
_CONNECTION: Final = b"connection"
_CLOSE: Final = b"close"
_CLOSE_LINE: Final = b"connection: close\r\n"
_BODILESS: Final = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED})
_LINES_CACHED: Final = 1024
"""Most headers are the same from answer to answer, and all that are not are short."""


class OneWrite:
    """An application that answers by this `send`: it holds the head of an answer of known length until its body is there."""

    __slots__ = ("_app", "_cycle", "_head", "_length")

    def __init__(self, cycle: RequestResponseCycle, app: ASGIApp) -> None:
        self._cycle = cycle
        self._app = app
        self._head: Message | None = None
        self._length: int | None = None
        """Of the body that `_head` announces."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request (ASGI): the head waits for the body, so that both leave in one write."""
        await self._app(scope, receive, self._send)

    async def _send(self, message: Message) -> None:
        head, cycle = self._head, self._cycle
        if head is None:
            self._length = _length_of(message) if message["type"] == "http.response.start" else None
            if self._length is not None:
                self._head = message
            else:
                await _send_by(cycle, message)
            return
        self._head = None
        body: bytes = message.get("body", b"")
        ready = not message.get("more_body", False) and self._length == len(body) and head["status"] not in _BODILESS
        if not ready or cycle.scope["method"] == "HEAD" or cycle.response_started or cycle.disconnected or cycle.flow.write_paused:
            await _send_by(cycle, head)
            await _send_by(cycle, message)
            return
        _write(cycle, head, body)


async def _send_by(cycle: RequestResponseCycle, message: Message) -> None:
    await cast(Send, cycle.send)(message)


def _length_of(head: Message) -> int | None:
    """Return the length of the body that a head announces, None when it says none."""
    for name, value in head.get("headers", ()):
        if name == _CONTENT_LENGTH:
            return int(value)
    return None


def _write(cycle: RequestResponseCycle, head: Message, body: bytes) -> None:
    """Write a whole answer, and do what uvicorn does when it has sent one."""
    lines = [STATUS_LINE[head["status"]]]
    closes = False
    for name, value in (*cycle.default_headers, *head["headers"]):
        lines.append(_line(name, value))
        closes = closes or (name == _CONNECTION and _CLOSE in value.lower())
    if closes:
        cycle.keep_alive = False
    elif not cycle.keep_alive:
        lines.append(_CLOSE_LINE)
    lines.append(b"\r\n")
    cycle.response_started = cycle.response_complete = True
    cycle.waiting_for_100_continue = False
    cycle.transport.writelines((b"".join(lines), body))
    cycle.message_event.set()
    if not cycle.keep_alive:
        cycle.transport.close()
    cycle.on_response()


@lru_cache(maxsize=_LINES_CACHED)
def _line(name: bytes, value: bytes) -> bytes:
    """Return a header as it is sent. Raises `RuntimeError` for what would be more than one, as uvicorn does."""
    if HEADER_RE.search(name) or HEADER_VALUE_RE.search(value):
        raise RuntimeError(f"invalid HTTP header {name!r}")
    return b"%s: %s\r\n" % (name.lower(), value)
