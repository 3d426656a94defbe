"""One HTTP request as it is sent, and the answer as it is recorded."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from tests.recording.recorded import masked
from tests.web.served import parsed

ANSWER_SECONDS = 10
MASKED_HEADERS = frozenset({"date", "content-length", "etag", "last-modified"})
"""Of these only that they are there."""
LIST_SHOWN = 1
"""Of a list the shape of so many elements."""


async def ask(port: int, method: str, path: str, host: str, body: bytes | None = None, **headers: str) -> dict[str, Any]:
    """Send a request on a connection of its own; return status, headers and shape of the answer. A stream is left after its head."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    if body is not None and "Content_Length" not in headers:
        lines.append(f"Content-Length: {len(body)}")
    async with asyncio.timeout(ANSWER_SECONDS):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            writer.write("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + (body or b""))
            head = await reader.readuntil(b"\r\n\r\n")
            streamed = b"text/event-stream" in head and method != "HEAD"
            answer = parsed(head + (b"" if streamed else await reader.read(-1)))
        finally:
            writer.close()
    shown: dict[str, Any] = {"status": answer.status, "headers": shown_headers(answer.raw_headers)}
    if answer.body:
        shown["body"] = shown_body(answer.headers.get("content-type", ""), answer.body)
    return shown


def shown_headers(headers: list[tuple[str, str]]) -> list[str]:
    """Return the headers, sorted, without what differs between runs."""
    return sorted(name if name in MASKED_HEADERS else f"{name}: {masked_header(name, value)}" for name, value in headers)


def masked_header(name: str, value: str) -> str:
    """Return a header's value without what differs between runs, such as the value of a cookie."""
    if name == "allow":  # a set, in some frameworks without an order
        return ", ".join(sorted(value.split(", ")))
    if name != "set-cookie":
        return masked(value).partition("=")[0] + "=<code>" if "goop2-code=" in value else masked(value)
    pair, _, attributes = value.partition(";")
    return f"{pair.partition('=')[0].rstrip('0123456789')}=<value>;{attributes}"


def shown_body(content_type: str, body: bytes) -> Any:
    """Return the shape of JSON, the words of an error, and of anything else its size where that does not change."""
    if not content_type.startswith("application/json"):
        return f"<{content_type.partition(';')[0] or 'no type'}>"
    value = json.loads(body)
    if isinstance(value, dict) and {"code", "message"} <= set(value):
        return json.loads(masked(json.dumps(value, ensure_ascii=False)))
    return shape(value)


def shape(value: Any) -> Any:
    """Return the keys and kinds of a JSON value."""
    if isinstance(value, dict):
        return {masked(key): shape(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [shape(inner) for inner in value[:LIST_SHOWN]]
    if isinstance(value, bool) or value is None:
        return value if value is None else "boolean"
    return "text" if isinstance(value, str) else "number"
