"""goop.http's client with its gate, against plain httpx, to one server on loopback."""

from __future__ import annotations

import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpcore
import httpx
import trustme

from benchmarks.report import table
from goop2.scripting.invocation import Caller
from goop2.services.http_client.client import Client, Dependencies
from goop2.services.http_client.request import HttpRequest
from goop2.services.http_client.url import read_url

ROUNDS = 7
REQUESTS = 150
MICROSECONDS = 1e6
NAME = "api.example.com"
PUBLIC = "93.184.216.34"
CALLER = Caller("bench")

Get = Callable[[], Awaitable[object]]

INTRODUCTION = f"""Median of {ROUNDS} rounds of {REQUESTS} requests, one after the other, each answered with 80 bytes by a server in a
process of its own. *Ours* is the whole way of one request: address read, a place taken, the name looked up in a thread, every
address checked, connected, answered, read within its limits, closed. httpx connects to the address and looks nothing up.

Connections are not kept. A kept one would skip the lookup and the check, hold sockets of strangers' choosing open, and hand what
a server sends after its answer to the request of somebody else. Scripts make at most three requests a call, so what a kept
connection would save is a handshake."""


class ToLoopback(httpcore.AnyIOBackend):
    """Whatever the address, the server on loopback."""

    async def connect_tcp(self, host: str, port: int, *args: Any, **kwargs: Any) -> httpcore.AsyncNetworkStream:
        """httpcore.AsyncNetworkBackend."""
        del host
        return await super().connect_tcp("127.0.0.1", port, *args, **kwargs)


async def run() -> str:
    """Measure, and return the section of docs/benchmarks.md."""
    authority = trustme.CA()
    trust = ssl.create_default_context()
    authority.configure_trust(trust)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        certificate = Path(folder, "server.pem")
        authority.issue_cert(NAME, "127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(certificate))
        for scheme, arguments in (("http", []), ("https", [str(certificate)])):
            with _server(arguments) as port:
                rows.append(await _compare(scheme, port, trust))
    return "\n\n".join(["## Requests of scripts", INTRODUCTION, table(HEADINGS, rows)])


HEADINGS = ["", "httpx, kept connection, µs", "httpx, a connection a request, µs", "ours, µs", "ours to httpx, both connecting"]


async def _compare(scheme: str, port: int, trust: ssl.SSLContext) -> list[str]:
    client = Client(Dependencies(lambda _, port: [(PUBLIC, port)], sockets=ToLoopback(), tls=trust))
    request = HttpRequest("GET", read_url(f"{scheme}://{NAME}:{port}/data"))
    url = f"{scheme}://127.0.0.1:{port}/data"
    no_keeping = httpx.Limits(max_keepalive_connections=0)
    async with (
        httpx.AsyncClient(verify=trust, trust_env=False) as kept,
        httpx.AsyncClient(verify=trust, trust_env=False, limits=no_keeping) as single,
    ):
        sides: list[Get] = [lambda: kept.get(url), lambda: single.get(url), lambda: client.fetch(request, CALLER, 10)]
        rounds = [[await _mean_seconds(get) for get in sides] for _ in range(ROUNDS)]
    medians = [statistics.median(column) for column in zip(*rounds, strict=True)]
    ratio = statistics.median(ours / connecting for _, connecting, ours in rounds)
    return [scheme, *(f"{seconds * MICROSECONDS:,.0f}" for seconds in medians), f"**{ratio:.2f}**"]


async def _mean_seconds(get: Get) -> float:
    begun = time.perf_counter()
    for _ in range(REQUESTS):
        await get()
    return (time.perf_counter() - begun) / REQUESTS


@contextmanager
def _server(arguments: list[str]) -> Iterator[int]:
    command = [sys.executable, "-m", "benchmarks.loopback_server", *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.stdin.close()
