"""A rendezvous server from a peer's side: announcements are posted to it, and those of others come back as server-sent events.

Nothing that the server says is trusted (roster.py). When it is away, everything else continues, and it is asked again after growing pauses.
The same happens when something else answers, such as the login page of a network; then the owner is told, who can do something about it.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Final

import httpcore
import msgspec
import structlog

from goop2.net.address import PeerAddress, parse
from goop2.net.faults import AddressError
from goop2.net.limits import ADDRESSES_MAX, DIAL_SECONDS, RETRY_FIRST_SECONDS, RETRY_MAX_SECONDS
from goop2.peers.discovery.cpu_share import CpuShare
from goop2.peers.discovery.troubles import Troubles
from goop2.protocols.errors import RemoteProtocolError
from goop2.protocols.event_stream import ServerSentEventReader
from goop2.protocols.presence import Presence, cut, write
from goop2.protocols.untrusted_json import InvalidJsonError, decode

SILENT_SECONDS: Final = 60.0
"""A stream without even a comment for so long is dead; servers send one every quarter of a minute."""
_TIMEOUT: Final = {"connect": DIAL_SECONDS, "write": DIAL_SECONDS, "read": DIAL_SECONDS, "pool": DIAL_SECONDS}
_STREAM_TIMEOUT: Final = _TIMEOUT | {"read": SILENT_SECONDS}
ANSWER_MAX_BYTES: Final = 16 * 1024
"""What a server says of its relay, or to an announcement."""
AWAY_TOLD_SECONDS: Final = 10.0
"""How long a server may be away before the owner is told: one that is started again is back by then."""
HEARING_SHARE: Final = 0.2
"""Of a core, for what one server sends: two thousand peers that give an announcement every 5 s take a third of it."""
EVENT_STREAM: Final = "text/event-stream"
RETRY_AFTER_MAX_SECONDS: Final = 600.0
"""A server that is full and says more is asked after so long."""
_OK: Final = 200
_NO_CONTENT: Final = 204
_NOT_FOUND: Final = 404
_REDIRECTS: Final = range(300, 400)

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger("goop2.net")


class ServerAwayError(Exception):
    """The server does not answer as it should."""

    def __init__(self, message: str, retry_after_seconds: float = 0.0) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class NotARendezvousError(ServerAwayError):
    """Something other than a rendezvous server answers; the text is a sentence for the owner."""


AWAY: Final = (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError, RemoteProtocolError, ServerAwayError, OSError)


class _SaidRelay(msgspec.Struct):
    peer_id: str
    addrs: tuple[str, ...] = ()


class Server:
    """One server. Made by `open_server`."""

    def __init__(self, url: str, hear: Callable[[bytes], object], pool: httpcore.AsyncConnectionPool, troubles: Troubles) -> None:
        self.url = url.rstrip("/")
        self._troubles = troubles
        self.reached = False
        """Whether its events come now."""
        self._hear = hear
        self._pool = pool
        self._reader = ServerSentEventReader()
        self._share = CpuShare(HEARING_SHARE)
        self._silent_since = time.monotonic()
        """When its events were heard last, or it was asked first."""

    async def send(self, said: Presence) -> None:
        """Post an announcement. Raises when it is not accepted."""
        headers = [("content-type", "application/json")]
        async with self._pool.stream(
            "POST", f"{self.url}/publish", headers=headers, content=write(said), extensions={"timeout": _TIMEOUT}
        ) as answer:
            if answer.status not in (_OK, _NO_CONTENT):
                raise ServerAwayError(f"{self.url} answers {answer.status}")
            # Read to the end, so that the connection can be used again.
            await self._content(answer, "/publish")

    async def relay(self) -> list[PeerAddress]:
        """Return the addresses of the server's relay; nothing when it has none. Raises one of AWAY."""
        async with self._pool.stream("GET", f"{self.url}/relay", extensions={"timeout": _TIMEOUT}) as answer:
            if answer.status == _NOT_FOUND:
                return []
            if answer.status != _OK:
                raise ServerAwayError(f"{self.url}/relay answers {answer.status}")
            content = await self._content(answer, "/relay")
        return relay_addresses(content)

    async def _content(self, answer: httpcore.Response, path: str) -> bytes:
        """Read the body of an answer. Raises `ServerAwayError` when it is too long: a stranger's answer may be endless."""
        content = bytearray()
        async for piece in answer.aiter_stream():
            content += piece
            if len(content) > ANSWER_MAX_BYTES:
                raise ServerAwayError(f"{self.url}{path} answers more than {ANSWER_MAX_BYTES} bytes")
        return bytes(content)

    async def _listen(self) -> None:
        wait = RETRY_FIRST_SECONDS
        while True:
            least = 0.0
            try:
                await self._hear_all()
            except AWAY as error:
                tell = _log.warning if self.reached else _log.debug
                tell("the rendezvous server is away", server=self.url, why=str(error) or type(error).__name__)
                self._tell_owner(error)
                if isinstance(error, ServerAwayError):
                    least = min(error.retry_after_seconds, RETRY_AFTER_MAX_SECONDS)
            if self.reached:
                self._silent_since = time.monotonic()
            # A server that worked is asked again soon; one that never did, after growing pauses.
            wait = RETRY_FIRST_SECONDS if self.reached else min(wait * 2, RETRY_MAX_SECONDS)
            self.reached = False
            await asyncio.sleep(max(wait * random.uniform(0.5, 1), least))

    def _tell_owner(self, error: Exception) -> None:
        """Report what answers in the server's place at once, and a server that is away when it has been for AWAY_TOLD_SECONDS."""
        if isinstance(error, NotARendezvousError):
            self._troubles.report(self.url, str(error))
        elif self.url not in self._troubles.current and time.monotonic() - self._silent_since >= AWAY_TOLD_SECONDS:
            why = str(error) or type(error).__name__
            self._troubles.report(
                self.url,
                f"the rendezvous server {self.url} does not answer ({why}), so it brings no peers. It is asked again; "
                "check presence.rendezvous_wan, and that the server runs and its port is open",
            )

    async def _hear_all(self) -> None:
        """Read events until the stream ends; the next stream begins after the last event of this one."""
        # A new stream needs a new reader, since half an event may be left in the old one.
        last_id = self._reader.last_id
        self._reader = ServerSentEventReader()
        self._reader.last_id = last_id
        headers = [("accept", "text/event-stream")] + ([("last-event-id", last_id)] if last_id else [])
        async with self._pool.stream("GET", f"{self.url}/events", headers=headers, extensions={"timeout": _STREAM_TIMEOUT}) as answer:
            self._check(answer)
            self.reached = True
            self._troubles.resolve(self.url, f"the rendezvous server {self.url} is heard again")
            async for piece in answer.aiter_stream():
                events: list[bytes] = []
                await self._share.do(partial(self._read, piece, events))
                for event in events:
                    await self._share.do(partial(self._hear, event))

    def _read(self, piece: bytes, events: list[bytes]) -> None:
        """Handle the events that a piece completes. Raises `RemoteProtocolError`."""
        events += self._reader.receive(piece)

    def _check(self, answer: httpcore.Response) -> None:
        """Raise `ServerAwayError` unless events follow, and `NotARendezvousError` where the owner must be told."""
        headers = {name.lower(): value.decode("latin-1") for name, value in answer.headers}
        kind = headers.get(b"content-type", "").partition(";")[0].strip().lower()
        # Redirects are never followed: a login page would otherwise get our announcements.
        if answer.status in _REDIRECTS or (answer.status == _OK and kind != EVENT_STREAM):
            what = f"{cut(kind)[:60] or 'something without a type'}" if answer.status == _OK else f"a redirect ({answer.status})"
            raise NotARendezvousError(
                f"{self.url} is no rendezvous server from here: /events answers {what} instead of events; "
                "a login page of this network may stand before it, or the address in presence.rendezvous_wan is another server's"
            )
        if answer.status != _OK:
            raise ServerAwayError(f"{self.url}/events answers {answer.status}", _seconds(headers.get(b"retry-after", "")))


def _seconds(text: str) -> float:
    """Return the seconds of `Retry-After`; 0 for a date, or nothing."""
    return float(text) if text.isascii() and text.isdecimal() and len(text) < 10 else 0.0


def relay_addresses(content: bytes) -> list[PeerAddress]:
    """Return the addresses in a server's answer about its relay, with or without the relay's id at their end. Raises `ServerAwayError` when
    there are none.
    """
    try:
        said = decode(content, _SaidRelay)
    except InvalidJsonError as error:
        raise ServerAwayError(f"the answer about the relay is invalid: {error}") from None
    found = []
    for text in said.addrs[:ADDRESSES_MAX]:
        with contextlib.suppress(AddressError):
            address = parse(text if "/p2p/" in text else f"{text}/p2p/{said.peer_id}")
            if address.peer == said.peer_id and not address.is_circuit:
                found.append(address)
    return found


@contextlib.asynccontextmanager
async def open_server(url: str, hear: Callable[[bytes], object], troubles: Troubles) -> AsyncIterator[Server]:
    """Read the announcements of others at `url` until the block is left; `hear` gets each message and must not raise."""
    async with httpcore.AsyncConnectionPool(max_connections=3, retries=0) as pool:
        server = Server(url, hear, pool, troubles)
        listening = asyncio.create_task(server._listen())
        try:
            yield server
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)
