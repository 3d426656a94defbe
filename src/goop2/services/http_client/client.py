"""One request for a script: its hops, its time, its place among the others.

It uses httpcore without httpx. Connections come through a backend of ours (connector.py), so the egress policy is the only way out and not
a check beside the client. TLS verifies the host name of the request, whatever address was connected to. What httpx adds (proxies and
certificates from the environment, cookies, .netrc, redirects, unbounded decompression) would each have to be switched off or bounded.

A connection serves one hop and is closed. A kept connection would skip the lookup and the check, and could carry what a server sends after
its answer into the request of another caller; docs/benchmarks.md has the cost.
"""

from __future__ import annotations

import asyncio
import functools
import ssl
import time
from collections.abc import Iterable
from dataclasses import dataclass, field

import certifi
import httpcore

from goop2.scripting.invocation import Caller
from goop2.services.http_client.body import body_for
from goop2.services.http_client.concurrency import Slots
from goop2.services.http_client.connector import Admit, EgressConnector
from goop2.services.http_client.egress_policy import Gate, Route, system_route
from goop2.services.http_client.errors import OutboundError
from goop2.services.http_client.failure_texts import said_in_a_sentence
from goop2.services.http_client.limits import PIECES_A_TURN, REDIRECTS_MAX, REQUESTS_AT_ONCE, REQUESTS_AT_ONCE_PER_CALLER, WAITING_MAX
from goop2.services.http_client.request import HttpRequest, Response, received_headers, redirected
from goop2.services.http_client.resolver import Lookup, system_lookup


def default_tls() -> ssl.SSLContext:
    """Return a TLS context that trusts this system's certificates, and Mozilla's list, for systems that have none."""
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    return context


@dataclass(frozen=True)
class Dependencies:
    """What the client uses outside the peer; tests replace it."""

    lookup: Lookup = system_lookup
    route: Route = system_route
    tls: ssl.SSLContext = field(default_factory=default_tls)
    sockets: httpcore.AsyncNetworkBackend = field(default_factory=httpcore.AnyIOBackend)


class Client:
    """HTTP for scripts. `allow`: (host, port) pairs that need not be public."""

    def __init__(self, world: Dependencies, allow: Iterable[tuple[str, int]] = ()) -> None:
        self._world = world
        self._gate = Gate(allow, world.lookup, world.route)
        self._slots = Slots(REQUESTS_AT_ONCE, REQUESTS_AT_ONCE_PER_CALLER, WAITING_MAX)

    async def fetch(self, request: HttpRequest, caller: Caller, seconds: float) -> Response:
        """Return the answer to `request`, within `seconds`. Raises `OutboundError`; when cancelled, it leaves nothing open."""
        begun = time.monotonic()
        try:
            # The time for waiting counts too: the script's deadline does not wait for a place.
            async with asyncio.timeout(max(0.0, seconds)), self._slots.place(caller):
                return await self._follow(request, caller)
        except TimeoutError:
            raise OutboundError(f"timed out after {time.monotonic() - begun:.1f} s") from None

    async def _follow(self, request: HttpRequest, caller: Caller) -> Response:
        # What the owner allows in the own network is for scripts to ask, not for a server elsewhere to send them to.
        allowed = True
        for _ in range(REDIRECTS_MAX + 1):
            target = request.target
            allowed = allowed and self._gate.allows(target.host, target.port)
            answer = await self._hop(request, functools.partial(self._gate.addresses, caller=caller, allowed=allowed))
            if isinstance(answer, Response):
                return answer
            request = answer
        raise OutboundError(f"more than {REDIRECTS_MAX} redirects")

    async def _hop(self, request: HttpRequest, admit: Admit) -> Response | HttpRequest:
        """Return the answer, or the request it redirects to."""
        target = request.target
        origin = httpcore.Origin(target.scheme.encode(), target.host.encode(), target.port)
        with said_in_a_sentence(target):
            async with EgressConnector(admit, self._world.sockets) as network:
                connection = httpcore.AsyncHTTPConnection(origin, ssl_context=self._world.tls, network_backend=network)
                answer = await connection.handle_async_request(_on_the_wire(request))
                headers = received_headers(answer.headers)
                network.expect_body()
                return redirected(request, answer.status, headers) or await _read(answer, headers)


def _on_the_wire(request: HttpRequest) -> httpcore.Request:
    target = request.target
    url = httpcore.URL(scheme=target.scheme.encode(), host=target.host.encode(), port=target.port, target=target.path.encode())
    return httpcore.Request(request.method, url, headers=request.wire_headers(), content=request.body)


async def _read(answer: httpcore.Response, headers: dict[str, str]) -> Response:
    body = body_for(headers)
    count = 0
    async for piece in answer.aiter_stream():
        body.feed(piece)
        count += 1
        # A fast server could otherwise keep the event loop busy with one answer.
        if not count % PIECES_A_TURN:
            await asyncio.sleep(0)
    return Response(answer.status, headers, body.finish())
