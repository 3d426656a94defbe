"""A NATS server as a bus: the connection, its key and certificate, and what is wrong with it in one sentence.

The only module that imports nats, and only in functions: nothing loads it where `cluster.nats` is not set. It must not know what the
messages mean.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import logging
import ssl
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

import structlog

from goop2.cluster.bus import ClusterError, Heard
from goop2.cluster.keys import ClusterKey
from goop2.cluster.limits import (
    CONNECT_SECONDS,
    HANDSHAKE_SECONDS,
    MESSAGE_MAX_BYTES,
    MESSAGE_NEEDED_BYTES,
    PING_SECONDS,
    QUICK_ATTEMPTS,
    RECONNECT_SECONDS,
    REFUSED_SECONDS,
    SERVER_LEAST,
    SLOW_RECONNECT_SECONDS,
    UNSENT_MAX_BYTES,
)
from goop2.config.types import NotAllowedError, nats_address

if TYPE_CHECKING:
    from nats.aio.client import Client
    from nats.aio.msg import Msg

MISSING: Final = "the cluster needs nats-py, which is not installed: pip install 'goop2[cluster]'"
NOBODY: Final = "503"
"""Status of the server's own answer where nobody listens."""
PINGS_UNANSWERED: Final = 2
ATTEMPTS: Final = 3
"""To connect, where the server hangs up without a word."""
UNWAITED_MAX_BYTES: Final = 256 * 1024
"""Unsent bytes below which a message is handed to the client at once."""

log = structlog.get_logger(__name__)
_EOF_WARNING: Final = "returning true from eof_received()"
logging.getLogger("asyncio").addFilter(lambda record: _EOF_WARNING not in record.getMessage())  # of nats-py's streams, at each end


class ServerUnreachableError(ClusterError):
    """The server does not answer: it may be away for a while."""


class HangUpError(ServerUnreachableError):
    """The server ended the connection while it was being made, and did not say why."""


def check_url(url: str) -> None:
    """Raise `ClusterError` unless `url` names a server that may be talked to: encrypted, but on this machine."""
    kind = nats_address()
    try:
        kind.parse(url)
    except NotAllowedError:
        raise ClusterError(f"{url!r} is no address of a NATS server that may be used; allowed is {kind.allowed}") from None


def check_installed() -> None:
    """Raise `ClusterError` unless nats-py is there."""
    if importlib.util.find_spec("nats") is None:
        raise ClusterError(MISSING)


def _client(key: ClusterKey) -> Client:
    """Return a client that shows `key` by our own nkeys: the package `nkeys` has no wheel."""
    try:
        from nats.aio.client import Client
    except ImportError:
        raise ClusterError(MISSING) from None

    class KeyClient(Client):
        def _setup_nkeys_connect(self) -> None:
            # Private parts of nats-py 2.16.0 (`Client` of nats.aio.client), which reads them when the server asks for a signature.
            self._public_nkey = key.public
            self._signature_cb = key.signed

    return KeyClient()


def _tls(url: str, key: ClusterKey) -> ssl.SSLContext | None:
    if not url.startswith("tls:"):
        return None
    if not key.certificate:
        return ssl.create_default_context()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # The one certificate that came with the key is believed, wherever its server is reached: a name would say nothing more.
    context.check_hostname = False
    try:
        context.load_verify_locations(cadata=key.certificate)
    except ssl.SSLError:
        raise ClusterError("the certificate in the key file is damaged; have its owner invite this machine again") from None
    return context


class NatsBus:
    """A connection to one server (`Bus`)."""

    def __init__(self, url: str, client: Client, closed: asyncio.Future[str]) -> None:
        self.url = url
        self.client = client
        self.closed = closed
        """Done with a sentence when the server does not want this connection any more."""
        self._unsent: deque[tuple[str, bytes, str]] = deque()
        self._wake = asyncio.Event()
        self._sender = asyncio.get_running_loop().create_task(self._send_all())

    @property
    def connected(self) -> bool:
        """Return whether the server is reached now, as far as is known."""
        return self.client.is_connected

    @property
    def max_bytes(self) -> int:
        """Return how large a message the server takes."""
        return min(self.client.max_payload, MESSAGE_MAX_BYTES)

    @property
    def server_version(self) -> str:
        """Return the version of the server, as it says it."""
        version = self.client.connected_server_version
        return f"{version.major}.{version.minor}.{version.patch}"

    def send(self, subject: str, content: bytes, reply: str = "") -> None:
        """Send a message without waiting; one that finds no connection is dropped, since nobody would take it in time."""
        if not self.connected:
            return
        if not self._unsent and self.client.pending_data_size < UNWAITED_MAX_BYTES:
            # With room in its buffer the client's coroutine comes to its end without waiting, so that no task is needed for it.
            publishing = self.client.publish(subject, content, reply)
            try:
                publishing.send(None)
            except StopIteration:
                return
            except Exception as error:
                self._not_sent(subject, error)
                return
            publishing.close()  # its message was in the buffer before it waited
            return
        self._unsent.append((subject, content, reply))
        self._wake.set()

    async def listen(self, subject: str, heard: Heard) -> None:
        """Hear what comes at `subject`, in order, until the connection is closed."""

        async def take(message: Msg) -> None:
            nobody = bool(message.headers) and not message.data and (message.headers or {}).get("Status") == NOBODY
            heard(message.subject, message.data, nobody)

        await self.client.subscribe(subject, cb=take, pending_bytes_limit=UNSENT_MAX_BYTES * 4)
        await self.client.flush()

    async def flush(self) -> None:
        """Wait until what was sent has left."""
        # Not for ever where the connection is gone: nothing will leave then.
        while self._unsent and self.connected:
            self._wake.set()
            await asyncio.sleep(0)
        with contextlib.suppress(Exception):
            await self.client.flush(timeout=1)

    async def close(self) -> None:
        """End the connection. Idempotent."""
        self._sender.cancel()
        await asyncio.gather(self._sender, return_exceptions=True)
        await _close(self.client)

    async def _send_all(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._unsent:
                subject, content, reply = self._unsent.popleft()
                try:
                    await self.client.publish(subject, content, reply)
                except Exception as error:  # nobody may be left without a sender
                    self._not_sent(subject, error)

    def _not_sent(self, subject: str, error: Exception) -> None:
        """Take note of a message that was not sent: the connection went, or it is larger than the server takes."""
        log.debug("a message to the cluster was not sent", subject=subject, error=str(error))


@asynccontextmanager
async def connected_to(url: str, key: ClusterKey, name: str) -> AsyncIterator[NatsBus]:
    """Be connected to the server at `url` in the block. Raises `ServerUnreachableError` when it is away, else `ClusterError`."""
    check_url(url)
    for again in reversed(range(ATTEMPTS)):
        try:
            bus = await _connect(url, key, name)
            break
        # A server that refuses a key says so and hangs up: whoever is still writing then may hear of the latter alone.
        except HangUpError:
            if not again:
                raise
    try:
        _check_server(bus)
        yield bus
    finally:
        await bus.close()


async def _connect(url: str, key: ClusterKey, name: str) -> NatsBus:
    client, tls = _client(key), _tls(url, key)
    closed: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    # The client tells its callbacks the cause, and raises something vaguer itself: the owner is told the cause.
    last: list[BaseException] = []
    connecting = True

    async def failed(error: Exception) -> None:
        last[:] = [error]
        if connecting:
            raise error  # else the client would try for ever; when to try again is decided in `stay_connected`

    async def ended() -> None:
        if not closed.done():
            closed.set_result(_sentence(url, last[0]) if last else f"the server at {url} ended the connection")

    options: dict[str, Any] = {} if tls is None else {"tls": tls}
    try:
        connect = client.connect(
            url,
            error_cb=failed,
            closed_cb=ended,
            name=name,
            allow_reconnect=False,
            connect_timeout=int(CONNECT_SECONDS),
            nkeys_seed_str=key.secret,
            ping_interval=int(PING_SECONDS),
            max_outstanding_pings=PINGS_UNANSWERED,
            pending_size=UNSENT_MAX_BYTES,
            skip_subject_validation=True,  # every part of a subject is ours, or came as a part of one
            **options,
        )
        async with asyncio.timeout(HANDSHAKE_SECONDS):
            await connect
    except Exception as error:
        await _close(client)
        raise _fault(url, last[0] if last else error) from None
    connecting = False
    return NatsBus(url, client, closed)


async def _close(client: Client) -> None:
    with contextlib.suppress(Exception):
        async with asyncio.timeout(CONNECT_SECONDS):  # after a failed TLS handshake it would wait for ever
            await client.close()


def _check_server(bus: NatsBus) -> None:
    version = bus.client.connected_server_version
    if (version.major, version.minor) < SERVER_LEAST:
        needed = ".".join(map(str, SERVER_LEAST))
        raise ClusterError(f"the server at {bus.url} is nats-server {bus.server_version}; {needed} or newer is needed")
    if bus.client.max_payload < MESSAGE_NEEDED_BYTES:
        raise ClusterError(
            f"the server at {bus.url} takes messages of {bus.client.max_payload >> 10} KB, which is too few: "
            f"write max_payload: {MESSAGE_MAX_BYTES >> 20}MB into its configuration"
        )


def _fault(url: str, error: BaseException) -> ClusterError:
    sentence = _sentence(url, error)
    if isinstance(error, BrokenPipeError | ConnectionResetError) or "unexpected eof" in str(error).lower():
        return HangUpError(sentence)
    away = isinstance(error, OSError | TimeoutError) and not isinstance(error, ssl.SSLError)
    return ServerUnreachableError(sentence) if away or "NoServers" in type(error).__name__ else ClusterError(sentence)


def _sentence(url: str, error: BaseException) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    low = text.lower()
    if "authorization" in low or "authentication" in low or "revoked" in low:
        remedy = "invite this machine again, or have the server read its configuration again"
        return f"the server at {url} does not know the key of this machine: {remedy}"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the server at {url} shows another certificate than the one of the key file ({error.verify_message})"
    if isinstance(error, ssl.SSLError) or "tls" in low:
        return f"no encrypted connection to {url} can be made ({text})"
    if isinstance(error, OSError):
        return f"the server at {url} is not reached: {error.strerror or text}"
    return f"the server at {url} is not reached: {text}"


async def stay_connected(
    url: str,
    key: ClusterKey,
    name: str,
    *,
    use: Callable[[NatsBus], Awaitable[None]],
    told: Callable[[ClusterError], None],
    give_up: bool,
) -> None:
    """Be connected for as long as the server can be reached, again and again; `use` is awaited with each connection and may end it.

    `told`: is given each fault that is another than the one before. `give_up`: whether a fault that does not pass by itself is raised.
    """
    before, attempts = "", 0
    while True:
        attempts += 1
        pause = RECONNECT_SECONDS if attempts <= QUICK_ATTEMPTS else SLOW_RECONNECT_SECONDS
        try:
            async with connected_to(url, key, name) as bus:
                # It worked: the next fault is new to the owner, and is met with quick attempts.
                before, attempts = "", 0
                using = asyncio.ensure_future(use(bus))
                try:
                    await asyncio.wait((using, bus.closed), return_when=asyncio.FIRST_COMPLETED)
                    if using.done():
                        using.result()
                        return
                finally:
                    using.cancel()
                    await asyncio.gather(using, return_exceptions=True)
                raise ServerUnreachableError(bus.closed.result())
        except ClusterError as error:
            if not isinstance(error, ServerUnreachableError):
                if give_up:
                    raise
                pause = REFUSED_SECONDS
            if str(error) != before:
                before = str(error)
                told(error)
        await asyncio.sleep(pause)
