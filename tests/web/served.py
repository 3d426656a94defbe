"""A real peer served on loopback, and an HTTP client so plain that it sends exactly what a test says."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from goop2.app import open_peer, serve_peer
from goop2.services.peer import Peer
from goop2.web.server import OpenWeb

ANSWER_SECONDS = 10

FUNCTIONS = {
    "hello": 'function call(request) return "Hello, " .. (request.params.name or "world") .. "!" end',
    "who": "function call() return { id = goop.peer.id, label = goop.peer.label } end",
    "echo": "function call(request) return request.params end",
    "fails": "--- Fails\nfunction call()\n  error('no such game')\nend",
    "raises": "function call()\n  error({code = 'no_stock', message = 'sold out'})\nend",
    "forever": "function call() while true do end end",
    "hungry": "function call() local t = {} for i = 1, 1e9 do t[i] = ('x'):rep(1000) .. i end end",
    "reads": "function call(request) local text, err = goop.site.read(request.params.path) return { text = text, error = err } end",
    "broken": "function call(",
}


@dataclass
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes
    raw_headers: list[tuple[str, str]] = field(default_factory=list)

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Served:
    """A peer that is up."""

    folder: Path
    peer: Peer
    web: OpenWeb

    @property
    def port(self) -> int:
        return urlsplit(self.web.console).port or 80

    @property
    def site(self) -> str:
        """Host of the own site."""
        return urlsplit(self.web.site).netloc

    @property
    def front(self) -> str:
        """Path of the front page."""
        return f"/p/{self.peer.identity.peer_id}/"

    @property
    def console(self) -> str:
        """Host of the console."""
        return urlsplit(self.web.console).netloc

    def visitor(self, name: str) -> str:
        """Host of the own site as this test visitor sees it."""
        return f"{name}.{self.site}"

    async def ask(self, path: str, *, host: str = "", method: str = "GET", body: bytes = b"", **headers: str) -> Answer:
        """One request on a connection of its own; `sec_fetch_site="none"` is the header `Sec-Fetch-Site`."""
        lines = [f"{method} {path} HTTP/1.1", f"Host: {host or self.site}", "Connection: close"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        if body or method == "POST":
            lines.append(f"Content-Length: {len(body)}")
        return await exchange(self.port, "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body)

    async def call(self, function: str, params: object = None, *, host: str = "", **headers: str) -> Answer:
        """A data function, called as pages do."""
        body = json.dumps({"function": function, "params": {} if params is None else params}).encode()
        return await self.ask("/api/data/lua/call", host=host, method="POST", body=body, **headers)


async def exchange(port: int, request: bytes, address: str = "127.0.0.1") -> Answer:
    """Send `request` as it is and read until the end of the connection."""
    async with asyncio.timeout(ANSWER_SECONDS):
        reader, writer = await asyncio.open_connection(address, port)
        try:
            writer.write(request)
            received = await reader.read(-1)
        finally:
            writer.close()
    return parsed(received)


def parsed(received: bytes) -> Answer:
    """The answer in what was received; chunks put together."""
    head, _, body = received.partition(b"\r\n\r\n")
    status, *lines = head.decode("latin-1").split("\r\n")
    pairs = [(name.lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines)]
    headers = dict(pairs)
    if headers.get("transfer-encoding") == "chunked":
        body = _dechunked(body)
    return Answer(int(status.split()[1]) if status else 0, headers, body, pairs)


def _dechunked(body: bytes) -> bytes:
    whole = b""
    while body:
        size, _, rest = body.partition(b"\r\n")
        length = int(size or b"0", 16)
        whole += rest[:length]
        body = rest[length + 2 :]
    return whole


@asynccontextmanager
async def served(
    folder: Path, *, live: bool = False, history: bool = False, functions: Mapping[str, str] = FUNCTIONS, **settings: dict[str, object]
) -> AsyncIterator[Served]:
    """The peer in `folder`, made there with these data functions and a front page, served on a free port."""
    place = folder / "site/lua/functions"
    place.mkdir(parents=True, exist_ok=True)
    for name, source in functions.items():
        (place / f"{name}.lua").write_text(source)
    (folder / "site/index.html").write_text("<!doctype html><title>Front</title><h1>Front page</h1>")
    document = {
        "lua": {"enabled": True, "max_workers": 4, "timeout_seconds": 1, **settings.pop("lua", {})},
        "profile": {"label": "Fred", "email": "fred@example.org"},
        "viewer": {"http_addr": "127.0.0.1:0"},
        **settings,
    }
    (folder / "goop.json").write_text(json.dumps(document))
    (folder / "goop.json").chmod(0o600)  # as the peer makes it; else Home tells that it was tightened
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GOOP2_")}
    async with open_peer(folder, environment, history=history) as peer, serve_peer(peer, live=live) as web:
        yield Served(folder, peer, web)
