"""A small world for `Client`: names, public addresses, servers with real TLS — all of it real sockets on loopback.

Connections to an address that has a house on the stage arrive there; connections to any other address
arrive in the trap, a real listener, so that what the gate should have kept back is seen by who it reaches.
"""

from __future__ import annotations

import asyncio
import gzip
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import httpcore
import trustme

from goop2.scripting.invocation import Caller
from goop2.services.http_client.addresses import IPAddress
from goop2.services.http_client.client import Client, Dependencies
from goop2.services.http_client.request import HttpRequest, Response, checked_headers
from goop2.services.http_client.url import read_url

PUBLIC = "93.184.216.34"
"""A public address; on the stage it is a house of our own."""
PUBLIC_6 = "2606:2800:220:1:248:1893:25c8:1946"
ANOTHER = "8.8.4.4"
STRANGER = Caller("stranger")
SECONDS = 5.0


@dataclass(frozen=True)
class Heard:
    """A request as a server got it."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
Handler = Callable[[Heard, asyncio.StreamWriter], Awaitable[None]]


def answering(body: bytes = b"hello", status: str = "200 OK", headers: Iterable[str] = (), *, length: bool = True) -> Handler:
    """A handler that answers this, whatever is asked."""
    lines = [f"HTTP/1.1 {status}", *headers, *([f"Content-Length: {len(body)}"] if length else []), "", ""]
    return sending("\r\n".join(lines).encode() + body)


def sending(data: bytes) -> Handler:
    """A handler that sends these bytes."""

    async def handle(_: Heard, writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        await writer.drain()

    return handle


def redirecting(location: str, status: str = "302 Found") -> Handler:
    """A handler that sends the client elsewhere."""
    return answering(b"", status, [f"Location: {location}"])


def gzipped(content: bytes) -> Handler:
    """A handler that answers compressed."""
    return answering(gzip.compress(content), headers=["Content-Encoding: gzip"])


@dataclass
class Listener:
    """A server that counts."""

    handler: Handler
    port: int = 0
    connections: int = 0
    heard: list[Heard] = field(default_factory=list)
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    """A client closed its connection."""
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    """A whole request came."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            self.heard.append(await _request(reader))
            self.arrived.set()
            await asyncio.gather(self.handler(self.heard[-1], writer), self._until_gone(reader))
        except (asyncio.IncompleteReadError, OSError, ssl.SSLError):
            self.gone.set()
        finally:
            writer.close()

    async def _until_gone(self, reader: asyncio.StreamReader) -> None:
        try:
            await reader.read()
        finally:
            self.gone.set()


async def _request(reader: asyncio.StreamReader) -> Heard:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.rstrip("\r\n").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    method, path, _ = first.split(" ")
    return Heard(method, path, headers, body)


class StageSockets(httpcore.AsyncNetworkBackend):
    """Real connections, all to loopback: to the house at an address, or to the trap."""

    def __init__(self, houses: Mapping[tuple[str, int], Listener], trap: Listener) -> None:
        self._houses = houses
        self._trap = trap
        self._real = httpcore.AnyIOBackend()
        self.dialled: list[tuple[str, int]] = []

    async def connect_tcp(self, host: str, port: int, *args: Any, **kwargs: Any) -> httpcore.AsyncNetworkStream:
        """httpcore.AsyncNetworkBackend."""
        self.dialled.append((host, port))
        listener = self._houses.get((host, port), self._trap)
        return await self._real.connect_tcp("127.0.0.1", listener.port, *args, **kwargs)


class Stage:
    """Names, houses and the trap."""

    def __init__(self, trap: Listener) -> None:
        self.trap = trap
        self.names: dict[str, list[str]] = {}
        self.houses: dict[tuple[str, int], Listener] = {}
        self.asked: list[str] = []
        self.sockets = StageSockets(self.houses, trap)
        self.source: dict[IPAddress, IPAddress] = {}
        self._servers: list[asyncio.Server] = []

    def lookup(self, name: str, port: int) -> list[tuple[str, int]]:
        """The stage's resolver."""
        self.asked.append(name)
        if name not in self.names:
            raise OSError("no such name")
        return [(address, port) for address in self.names[name]]

    async def house(
        self, name: str, handler: Handler, *, port: int = 80, address: str = PUBLIC, tls: ssl.SSLContext | None = None
    ) -> Listener:
        """A server for `name` at a public address."""
        listener = Listener(handler)
        await self.open(listener, tls=tls)
        self.names.setdefault(name, [address])
        self.houses[address, port] = listener
        return listener

    async def raw_house(self, name: str, serve: Serve, *, port: int = 80) -> None:
        """A server for `name` that need not speak HTTP."""
        self._servers.append(server := await asyncio.start_server(serve, "127.0.0.1", 0))
        self.names[name] = [PUBLIC]
        self.houses[PUBLIC, port] = Listener(answering(), server.sockets[0].getsockname()[1])

    async def open(self, listener: Listener, sock: socket.socket | None = None, tls: ssl.SSLContext | None = None) -> None:
        """Let `listener` serve on a port of loopback, or on `sock`."""
        server = await asyncio.start_server(listener.serve, sock=sock or socket.create_server(("127.0.0.1", 0)), ssl=tls)
        listener.port = server.sockets[0].getsockname()[1]
        self._servers.append(server)

    def world(self) -> Dependencies:
        """What a client is given."""
        return Dependencies(self.lookup, self.source.get, client_tls(), self.sockets)

    def client(self, *allow: tuple[str, int]) -> Client:
        return Client(self.world(), allow)

    def close(self) -> None:
        for server in self._servers:
            server.close()


@asynccontextmanager
async def a_stage() -> AsyncIterator[Stage]:
    """A stage with nothing on it but the trap."""
    stage = Stage(Listener(answering(b"you should not be here")))
    await stage.open(stage.trap)
    try:
        yield stage
    finally:
        stage.close()


@cache
def authority() -> trustme.CA:
    """The test CA."""
    return trustme.CA()


@cache
def client_tls() -> ssl.SSLContext:
    """As a client trusts: the test CA, everything else as in the default."""
    context = ssl.create_default_context()
    authority().configure_trust(context)
    return context


def server_tls(*names: str, by: trustme.CA | None = None, **more: Any) -> ssl.SSLContext:
    """A server's certificate for `names`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    (by or authority()).issue_cert(*names, **more).configure_cert(context)
    return context


def get(url: str, **headers: str) -> HttpRequest:
    """A GET of `url` with headers; underscores stand for hyphens."""
    return HttpRequest("GET", read_url(url), checked_headers((name.replace("_", "-"), value) for name, value in headers.items()))


def post(url: str, body: bytes, **headers: str) -> HttpRequest:
    """A POST."""
    request = get(url, **headers)
    return HttpRequest("POST", request.target, request.headers, body)


async def fetch(client: Client, request: HttpRequest | str, seconds: float = SECONDS) -> Response:
    """As a stranger's script would."""
    return await client.fetch(get(request) if isinstance(request, str) else request, STRANGER, seconds)
