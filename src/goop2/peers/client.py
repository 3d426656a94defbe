"""Requests to other peers: their label, a file, a data operation, a message. It knows the host (net/host.py), not libp2p."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, TypeVar

import msgspec

from goop2.net.admission import ByteBudget
from goop2.net.faults import NetworkError, StreamBrokenError
from goop2.net.limits import (
    ACK_SECONDS,
    ANSWER_SECONDS,
    AVATAR_SECONDS,
    ENCRYPTED_FILES_BYTES,
    EXCHANGE_SECONDS,
    PROBE_SECONDS,
    READ_MAX_BYTES,
    REQUEST_SECONDS,
    RESEND_AFTER_SECONDS,
)
from goop2.peers.payload_crypto import KeyRing
from goop2.peers.server import read_line
from goop2.protocols import avatar, content, data, encrypted_payload, keys, mq, site, topics
from goop2.protocols.encrypted_payload import DecryptionError, PayloadBox
from goop2.protocols.errors import RemoteProtocolError

if TYPE_CHECKING:
    from goop2.net.host import Host
    from goop2.net.stream import Stream

T = TypeVar("T")

SENDS = 2
"""A message is sent, and once more when nobody acknowledges it."""


class RequestRefusedError(NetworkError):
    """The peer is there and gives no file; `reason` is its answer."""

    def __init__(self, peer: str, path: str, reason: str) -> None:
        super().__init__(f"{peer} gives no {path}: {reason}")
        self.reason = reason


class MessageRejectedError(NetworkError):
    """The peer is there and does not accept the message; the text is its own reason. An immediate retry is of no use."""

    def __init__(self, peer: str, refusal: mq.MessageRefusedError) -> None:
        super().__init__(f"{peer} does not take the message: {refusal}")
        self.code = refusal.code
        """rate_limited, unavailable or forbidden."""
        self.retry_after_seconds = refusal.retry_after_seconds


class AnswerTooLargeError(NetworkError):
    """The peer has the file, and it is larger than any peer reads."""


class NoRoomError(NetworkError):
    """This peer has no memory for the file now: large encrypted ones are held whole until they are decrypted."""


class SiteAnswer:
    """A file of a peer's site while it arrives."""

    def __init__(self, header: site.FileHeader, pieces: AsyncIterator[bytes]) -> None:
        self.mime = header.mime
        self.size = header.size
        self.pieces = pieces
        """The body. Raises `StreamBrokenError` when it ends early; what came until then is not the file."""
        self.encrypted = header.encrypted
        """Then the whole of it is here already, and the size is its own."""


class PeerClient:
    """Exchanges with other peers. All raise `NetworkError` with a sentence that names the peer.

    What can be encrypted for the peer is; when it says that it cannot decrypt that, it gets the same plain (payload_crypto.py).
    """

    def __init__(self, host: Host, key_ring: KeyRing | None = None) -> None:
        self._host = host
        self._key_ring = key_ring or KeyRing()
        self._numbers = itertools.count(1)
        self._encrypted_files = ByteBudget(ENCRYPTED_FILES_BYTES)

    async def label(self, peer: str) -> str:
        """Return the label of a peer: untrusted text. It also shows whether the peer can be reached."""
        with named(peer):
            async with await self._host.open(peer, content.PROTOCOL) as stream:
                return content.label(await read_line(stream, content.reader(), PROBE_SECONDS))
        raise AssertionError

    async def avatar(self, peer: str) -> bytes:
        """Return the picture of a peer as it came, b"" when it has none: untrusted bytes, at most avatar.PICTURE_MAX_BYTES."""
        with named(peer):
            async with asyncio.timeout(AVATAR_SECONDS), await self._host.open(peer, avatar.PROTOCOL) as stream:
                reader = avatar.header_reader()
                header = avatar.header(await read_line(stream, reader, PROBE_SECONDS))
                text = bytearray(reader.rest())
                while len(text) < header.size:
                    piece = await stream.read()
                    if not piece:
                        raise RemoteProtocolError(f"the picture ended {header.size - len(text)} bytes early")
                    text += piece
                del text[header.size :]
                return self._key_ring.open(peer, bytes(text))[0] if header.encrypted else bytes(text)
        raise AssertionError

    @contextlib.asynccontextmanager
    async def file(self, peer: str, path: str) -> AsyncIterator[SiteAnswer]:
        """Open a file of the peer's site; read it inside the block. Also raises `RequestRefusedError`."""
        async with contextlib.AsyncExitStack() as stack:
            yield await self._encrypted_first(peer, lambda box: self._file(stack, peer, path, box))

    async def ask(self, peer: str, asked: data.DataRequest) -> data.Answer:
        """Return the answer to a data operation, success or failure."""
        return await self._encrypted_first(peer, lambda box: self._ask(peer, asked, box))

    async def call(self, peer: str, function: str, params: bytes = b"{}") -> data.Answer:
        """Return the answer of a data function."""
        return await self.ask(peer, data.DataRequest("lua-call", function=function, params=msgspec.Raw(params or b"{}")))

    async def send(self, peer: str, topic: str, payload: bytes, message_id: str = "") -> str:
        """Send a message until it is acknowledged or refused; return its id. Also raises `MessageRejectedError`."""
        message = mq.Message(message_id or str(uuid.uuid4()), next(self._numbers), topic, msgspec.Raw(payload))
        for attempt in range(1, SENDS + 1):
            try:
                # Identity messages carry the keys, so they must be readable without one.
                if topic in topics.PLAIN:
                    await self._deliver(peer, message, None)
                else:
                    await self._encrypted_first(peer, lambda box: self._deliver(peer, message, box))
                return message.id
            except StreamBrokenError:
                if attempt == SENDS:
                    raise
                # The same id again: the other side drops the repeat when only its acknowledgement was lost.
                await asyncio.sleep(RESEND_AFTER_SECONDS)
        raise AssertionError

    async def exchange_identities(self, peer: str, own: topics.IdentityPayload) -> topics.IdentityPayload:
        """Send our identity, with our key, to a peer of ours; return its identity. Also raises `ProtocolNotSupportedError`."""
        with named(peer):
            async with await self._host.open(peer, keys.PROTOCOL) as stream:
                await stream.write(keys.message(own))
                return keys.identity(await read_line(stream, keys.reader(), PROBE_SECONDS))
        raise AssertionError

    async def chat(self, peer: str, text: str, timestamp_ms: int, message_id: str = "") -> str:
        """Send a direct message; return its id."""
        return await self.send(peer, topics.CHAT, msgspec.json.encode(topics.ChatPayload(text, timestamp_ms)), message_id)

    async def _encrypted_first(self, peer: str, exchange: Callable[[PayloadBox | None], Awaitable[T]]) -> T:
        """Do an exchange encrypted if possible, and plain if the peer cannot decrypt it and has done nothing."""
        box = self._key_ring.box(peer)
        if box is not None:
            try:
                result = await exchange(box)
            except _DecryptionError as refusal:
                return await self._plain(peer, box, exchange, refusal.reason)
            except StreamBrokenError:
                # Silence is not yet a refusal: one message may get lost. Several in a row are (FAILURES_BEFORE_ASIDE).
                self._key_ring.failed(peer)
                raise
            else:
                self._key_ring.answered(peer)
                return result
        return await exchange(None)

    async def _plain(self, peer: str, box: PayloadBox, exchange: Callable[[PayloadBox | None], Awaitable[T]], reason: str) -> T:
        """Do an exchange plain that was refused encrypted, with `reason`. When that is the answer now too, the key was not to blame."""
        try:
            result = await exchange(None)
        except RequestRefusedError as again:
            if again.reason != reason:
                self._key_ring.refused(peer, box)
            raise
        except BaseException:
            self._key_ring.refused(peer, box)
            raise
        if not (isinstance(result, data.FailureAnswer) and result.error == reason):
            self._key_ring.refused(peer, box)
        return result

    async def _file(self, stack: contextlib.AsyncExitStack, peer: str, path: str, box: PayloadBox | None) -> SiteAnswer:
        stream = await stack.enter_async_context(await self._host.open(peer, site.PROTOCOL))
        reader = site.AnswerReader()
        stack.callback(_let_go, stream, reader)
        with named(peer):
            await stream.write(encrypted_payload.line(box, site.request(path)))
            events = _events(stream, reader)
            first = await anext(events)
            if isinstance(first, site.FileRefusal):
                # Any other reason may mean that the peer could not decrypt the path: existing ones answer `bad request`.
                if box is not None and first.reason not in (site.NOT_FOUND, site.FORBIDDEN, site.DISABLED):
                    raise encrypted_payload.EncryptionRefusedError(first.reason)
                raise RequestRefusedError(peer, path, first.reason)
            assert isinstance(first, site.FileHeader)
            if first.encrypted:
                content = await self._opened(stack, first, events, partial(self._decrypted, peer, box))
                return SiteAnswer(site.FileHeader(first.mime, len(content), True), _pieces(content))
        return SiteAnswer(first, _bodies(peer, events))

    async def _opened(
        self,
        stack: contextlib.AsyncExitStack,
        header: site.FileHeader,
        events: AsyncIterator[site.Event],
        decrypt: Callable[[bytes], bytes],
    ) -> bytes:
        """Return the whole file in a box: before its end no part of it is proved. The memory for its copies is counted."""
        # The base64 text, its decoded bytes and the file exist at the same time.
        held = 3 * header.size
        if not self._encrypted_files.hold(held):
            raise NoRoomError("too many large files come encrypted at the same time; this one is not read: try again in a moment")
        stack.callback(self._encrypted_files.free, held)
        text = b"".join([event.data async for event in events if isinstance(event, site.BodyChunk)])
        return await asyncio.to_thread(decrypt, text)

    def _decrypted(self, peer: str, box: PayloadBox | None, text: bytes) -> bytes:
        """Return what an answer holds. To a plain request it may be encrypted too, by a peer that always does it."""
        return box.open(text) if box is not None else self._key_ring.open(peer, text)[0]

    async def _ask(self, peer: str, asked: data.DataRequest, box: PayloadBox | None) -> data.Answer:
        with named(peer):
            question, reader = encrypted_payload.line(box, data.request(asked)), data.answer_reader()
            line = await self._host.ask(peer, data.PROTOCOL, question, reader, ANSWER_SECONDS, kept=data.KEPT_PROTOCOL)
            text = encrypted_payload.text_of_line(line)
            return _answer(line, box) if text is None else data.answered(self._decrypted(peer, box, text))
        raise AssertionError

    async def _deliver(self, peer: str, message: mq.Message, box: PayloadBox | None) -> None:
        with named(peer):
            if not self._host.is_connected(peer):
                await self._host.connect(peer)
            # Also the opening counts: a peer that is frozen answers nothing, and its sender is to know.
            mq.ack(await self._host.ask(peer, mq.PROTOCOL, mq.send(message, box), mq.ack_reader(), ACK_SECONDS), message)


class _DecryptionError(StreamBrokenError):
    """The peer cannot decrypt what was encrypted for it, and has done nothing; `reason` is its own word."""

    def __init__(self, message: str, reason: str = "") -> None:
        super().__init__(message)
        self.reason = reason


def _answer(line: bytes, box: PayloadBox | None) -> data.Answer:
    """Return a plain answer. To an encrypted request it is a refusal: the peer could not decrypt it, or did not look."""
    answer = data.answered(line)
    if box is None:
        return answer
    if isinstance(answer, data.FailureAnswer):
        raise encrypted_payload.EncryptionRefusedError(answer.error)
    # Whoever can write on the stream could otherwise take the encryption away.
    raise DecryptionError("the answer to an encrypted request is plain")


class named:  # noqa: N801  (used as a function is; one made of a generator costs a microsecond, in every call)
    """Raise whatever breaks the protocol or does not come as a `NetworkError` that names the peer."""

    def __init__(self, peer: str) -> None:
        self._peer = peer

    def __enter__(self) -> None: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        if error is not None and (fault := _fault_of(self._peer, error)) is not None:
            raise fault from None


def _fault_of(peer: str, error: BaseException) -> NetworkError | None:
    """Return what it is in words that name the peer; None for what is in such words already, or a bug."""
    match error:
        case mq.MessageRefusedError():
            return MessageRejectedError(peer, error)
        case encrypted_payload.EncryptionRefusedError():
            return _DecryptionError(f"{peer} cannot decrypt what was encrypted for it: {error}", str(error))
        case site.FileTooLargeError():
            return AnswerTooLargeError(f"{peer} is not read to the end: {error}")
        case RemoteProtocolError():
            return StreamBrokenError(f"{peer} does not keep to the protocol: {error}")
        case TimeoutError():
            return StreamBrokenError(f"{peer} does not answer in time")
    return None


def _let_go(stream: Stream, reader: site.AnswerReader) -> None:
    """Reset a stream that nobody reads to its end, so that the rest is not sent."""
    if not reader.done:
        stream.reset()


async def _events(stream: Stream, reader: site.AnswerReader) -> AsyncIterator[site.Event]:
    """Yield the events of an answer; header and file each arrive whole in their time, however slowly their bytes come."""
    clock = asyncio.get_running_loop().time
    until = clock() + REQUEST_SECONDS
    while not reader.done:
        if stream.is_plain and stream.muxed.readable and clock() < until:
            piece = stream.read_now()
        else:
            async with asyncio.timeout_at(until):
                piece = await stream.read()
        if not piece:
            reader.end()
        for event in reader.receive(piece):
            if isinstance(event, site.FileHeader):
                until = clock() + EXCHANGE_SECONDS
            yield event


async def _pieces(content: bytes) -> AsyncIterator[bytes]:
    for at in range(0, len(content), READ_MAX_BYTES):
        yield content[at : at + READ_MAX_BYTES]


async def _bodies(peer: str, events: AsyncIterator[site.Event]) -> AsyncIterator[bytes]:
    with named(peer):
        async for event in events:
            if isinstance(event, site.BodyChunk):
                yield event.data
