"""Events as server-sent events over HTTP (the `text/event-stream` of the HTML standard)."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable
from http import HTTPStatus
from typing import Final
from urllib.parse import parse_qs

from starlette.types import Receive

from goop2.scripting.engine import Failure
from goop2.scripting.invocation import ErrorCode
from goop2.web.http.event_log import Event, EventReader, Events
from goop2.web.http.request_context import RequestContext
from goop2.web.http.responses import send_failure, send_refusal
from goop2.web.limits import CONSUMERS_MAX, CONSUMERS_PER_CALLER_MAX, FLUSH_SECONDS, HEARTBEAT_SECONDS

_HEADERS: Final = [
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    (b"cross-origin-resource-policy", b"same-origin"),
]
_ALLOW: Final = (b"allow", b"GET, HEAD")
_OPENING: Final = b"retry: 1000\nevent: %s\ndata: {}\n"
"""The first event. It carries the position in the log, so that a page that is cut off before the first real event can resume."""
_HEARTBEAT: Final = b": still here\n\n"
_FULL: Final = Failure(ErrorCode.UNAVAILABLE, "too many pages are listening; close some", retry_after_seconds=5.0)


async def send_events(call: RequestContext, events: Events, name: str, audiences: Iterable[str], opening: bytes = b"here") -> None:
    """Send the events for `audiences` until either side ends.

    :param name: the caller whose page it is: CONSUMERS_PER_CALLER_MAX counts by it.
    :param opening: kind of the first event.
    """
    if call.method not in ("GET", "HEAD"):
        await send_refusal(call.send, HTTPStatus.METHOD_NOT_ALLOWED, "events are asked for with GET", [_ALLOW, *call.headers])
        return
    if call.method == "HEAD":
        # The answer must end, and takes no reader's place.
        await call.send({"type": "http.response.start", "status": HTTPStatus.OK, "headers": [*_HEADERS, *call.headers]})
        await call.send({"type": "http.response.body", "body": b""})
        return
    if events.readers(lambda _: True) >= CONSUMERS_MAX or events.readers(lambda other: other == name) >= CONSUMERS_PER_CALLER_MAX:
        await send_failure(call.send, _FULL, call.headers)
        return
    # Subscribed before the answer begins: an event in between must not be lost.
    reader = events.read(name, frozenset(audiences), _last_id(call))
    gone = asyncio.create_task(disconnected(call.receive))
    try:
        await call.send({"type": "http.response.start", "status": HTTPStatus.OK, "headers": [*_HEADERS, *call.headers]})
        place = b"id: %s\n" % reader.place.encode() if reader.place else b""
        await call.send({"type": "http.response.body", "body": _OPENING % opening + place + b"\n", "more_body": True})
        await _pump(call, events, reader, gone)
    finally:
        reader.close()
        gone.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await gone


def _last_id(call: RequestContext) -> str:
    """Return the id of the last event the page has: in a header when the browser reconnects, in the query when the page does."""
    return call.header(b"last-event-id") or parse_qs(call.scope["query_string"].decode("latin-1")).get("after", [""])[0]


async def _pump(call: RequestContext, events: Events, reader: EventReader, gone: asyncio.Task[None]) -> None:
    while not gone.done() and not reader.ended:
        taken = reader.take()
        if taken:
            body = b"".join(_written(events.start, event) for event in taken)
            await call.send({"type": "http.response.body", "body": body, "more_body": True})
            # Collect events for a moment: a thousand events a second become ten packets.
            await asyncio.wait({gone}, timeout=FLUSH_SECONDS)
        elif not await _news(reader, gone):
            await call.send({"type": "http.response.body", "body": _HEARTBEAT, "more_body": True})
    await call.send({"type": "http.response.body", "body": b""})


async def _news(reader: EventReader, gone: asyncio.Task[None]) -> bool:
    """Wait for an event or the end of the connection; return False when neither came within HEARTBEAT_SECONDS."""
    news = asyncio.create_task(reader.news.wait())
    # `gone` too: the end of the connection must not wait for the heartbeat.
    done, _ = await asyncio.wait({news, gone}, timeout=HEARTBEAT_SECONDS, return_when=asyncio.FIRST_COMPLETED)
    news.cancel()
    return bool(done)


async def disconnected(receive: Receive) -> None:
    """Wait until the client has closed the connection."""
    while (await receive())["type"] != "http.disconnect":
        pass


def _written(start: str, event: Event) -> bytes:
    # JSON has no line breaks, so one data line is enough.
    return b"id: %s-%d\nevent: %s\ndata: %s\n\n" % (start.encode(), event.number, event.kind.encode(), event.data)
