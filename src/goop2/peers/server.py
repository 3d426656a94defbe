"""Answer other peers: the label, the site's files, data operations, and messages.

Each function answers one exchange. A caller is known by the id that its connection proved, never by what it sends. It must not know libp2p:
a stream is passed in.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import msgspec
import structlog

from goop2.folder import threads
from goop2.folder.content_types import content_type
from goop2.folder.reading import read_piece
from goop2.folder.site_files import FileNotServedError, SiteFile, SiteFiles, UnreadableError
from goop2.net.admission import ByteBudget
from goop2.net.limits import (
    ENCRYPTED_FILES_BYTES,
    EXCHANGE_SECONDS,
    KEPT_LIFE_SECONDS,
    KEPT_WAIT_SECONDS,
    KEPT_WAITING_MAX,
    MALFORMED_TOLD_SECONDS,
    READ_MAX_BYTES,
    REQUEST_SECONDS,
)
from goop2.peers.dedup_cache import DedupCache
from goop2.peers.payload_crypto import KeyRing
from goop2.protocols import content, data, encrypted_payload, mq, site, topics
from goop2.protocols.encrypted_payload import DecryptionError, PayloadBox
from goop2.protocols.errors import LocalProtocolError, RemoteProtocolError
from goop2.protocols.line import LineReader
from goop2.scripting.catalog import Catalog
from goop2.scripting.engine import Engine, Failure
from goop2.scripting.invocation import Caller, ErrorCode

if TYPE_CHECKING:
    from goop2.net.host import Host
    from goop2.net.stream import Stream

Operation = Callable[[Caller, data.DataRequest], Awaitable[data.Answer]]
"""Carries out one data operation for a caller."""
CallerOf = Callable[[str], Caller]
"""Who a connected peer is to our scripts, by its id alone."""
NOT_SAVED: Final = "this peer cannot keep the message now"


@dataclass(frozen=True, slots=True)
class Received:
    """A message that came; `sender` is who the connection proved."""

    sender: str
    id: str
    event: topics.Event
    origin: str = field(default="", compare=False)
    """The network its connection comes from (`Stream.origin`): many ids of one place share what one may have."""


class MessageNotAcceptedError(Exception):
    """A message is not saved: its sender is told this sentence, `code` of mq.REFUSAL_CODES, and when to try again."""

    def __init__(self, code: str, message: str, retry_after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.retry_after_seconds = retry_after_seconds


SaveMessage = Callable[[Received], Awaitable[None]]
"""Called once for every message, repeats left out; it is acknowledged when this returns. A command is answered there too. Raises
`MessageNotAcceptedError`; whatever else it raises resets the stream, and the sender tries again."""


class PeerServer:
    """Everything this peer answers, over what it is given."""

    def __init__(
        self,
        *,
        label: Callable[[], str],
        files: SiteFiles,
        engine: Engine,
        catalog: Catalog,
        caller_of: CallerOf,
        save: SaveMessage,
        operations: Mapping[str, Operation],
        key_ring: KeyRing | None = None,
    ) -> None:
        self._label = label
        self._files = files
        self._engine = engine
        self._catalog = catalog
        self._caller_of = caller_of
        self._save_message = save
        self._operations = {**operations, "lua-call": self._lua_call, "lua-list": self._lua_list}
        self._seen = DedupCache()
        self._being_saved: dict[tuple[str, str], asyncio.Future[None]] = {}
        """Messages that are being saved, by sender and id; the future raises why one was not."""
        self._malformed_told = -MALFORMED_TOLD_SECONDS
        """When the owner was last told of a message that is none."""
        self._waiting = 0
        """Kept streams without a request."""
        self._key_ring = key_ring or KeyRing()
        self._encrypted_files = ByteBudget(ENCRYPTED_FILES_BYTES)
        self._one_encrypts = asyncio.Lock()
        self._log = structlog.get_logger("goop2.net").bind()

    async def attach(self, host: Host) -> None:
        """Answer what comes to this host from now on."""
        for protocol, answer in (
            (content.PROTOCOL, self.answer_content),
            (site.PROTOCOL, self.answer_site),
            (data.PROTOCOL, self.answer_data),
            (mq.PROTOCOL, self.answer_mq),
        ):
            await host.serve(protocol, answer)
        await host.serve(data.KEPT_PROTOCOL, self.keep_answering_data, KEPT_LIFE_SECONDS + EXCHANGE_SECONDS)

    async def answer_content(self, stream: Stream) -> None:
        """Send this peer's label over `stream`."""
        await stream.finish(content.answer(self._label()))

    async def answer_site(self, stream: Stream) -> None:
        """Send a file of the site over `stream`, a piece at a time."""
        try:
            line = await read_line(stream, site.request_reader())
            line, box = self._key_ring.line(stream.peer, line, "the request", site.REQUEST_MAX_BYTES)
        except RemoteProtocolError:
            # An unreadable request is answered like a bad path, so that its sender gets a reason and not a reset.
            line, box = b"", None
        path = site.requested(line)
        if path is None:
            await stream.finish(site.refusal(site.BAD_REQUEST))
            return
        try:
            file = await threads.SITE.run(self._files.open, path)
        except FileNotServedError:
            await stream.finish(site.refusal(site.NOT_FOUND))
            return
        except (UnreadableError, threads.FolderHangsError):
            await stream.finish(site.refusal(site.UNAVAILABLE))
            return
        with file:
            if box is None or not await self._send_encrypted(stream, file, box):
                await self._send_file(stream, file)

    async def answer_data(self, stream: Stream) -> None:
        """Answer one data operation over `stream`."""
        try:
            line = await read_line(stream, data.request_reader())
        except RemoteProtocolError as fault:
            await stream.finish(data.failure(data.FailureAnswer(str(fault), ErrorCode.BAD_REQUEST)))
            return
        await stream.finish(await self._data_answer(stream.peer, stream.origin, line))

    async def keep_answering_data(self, stream: Stream) -> None:
        """Answer one operation after another, each as if it had come alone, while there is room for streams that wait."""
        ends = time.monotonic() + KEPT_LIFE_SECONDS
        while (line := await self._next_request(stream)) is not None:
            await stream.write(await self._data_answer(stream.peer, stream.origin, line))
            # Idle streams of strangers give way to new ones; the client opens another when it asks again.
            if self._waiting >= KEPT_WAITING_MAX or time.monotonic() > ends:
                break
        await stream.finish()

    async def _next_request(self, stream: Stream) -> bytes | None:
        reader = data.request_reader()
        self._waiting += 1
        try:
            line = await stream.next_line(reader, KEPT_WAIT_SECONDS)
        finally:
            self._waiting -= 1
        if reader.rest():
            raise RemoteProtocolError("the next request came before the answer to the last")
        return line

    async def _data_answer(self, peer: str, origin: str, line: bytes) -> bytes:
        """Return the line of the answer, encrypted if the request was."""
        try:
            line, box = self._key_ring.line(peer, line, "the request", data.REQUEST_MAX_BYTES)
        except RemoteProtocolError as fault:
            return data.failure(data.FailureAnswer(str(fault), ErrorCode.BAD_REQUEST))
        return encrypted_payload.line(box, await self._data_line(peer, origin, line))

    async def _data_line(self, peer: str, origin: str, line: bytes) -> bytes:
        try:
            asked = data.requested(line)
        except RemoteProtocolError as fault:
            return data.failure(data.FailureAnswer(str(fault), ErrorCode.BAD_REQUEST))
        return _written(await self._answer(self._caller_of(peer).coming_from(origin), asked))

    async def answer_mq(self, stream: Stream) -> None:
        """Take one message over `stream`: save it, then acknowledge it."""
        await stream.finish(await self._mq_answer(stream))

    async def _mq_answer(self, stream: Stream) -> bytes:
        message = mq.Message("")
        try:
            message = mq.message(await read_line(stream, mq.message_reader()))
            event = self._event(stream, message)
        except DecryptionError as fault:
            self._log.info("an encrypted message is refused", peer=stream.peer, why=str(fault))
            return mq.send_refusal(message, mq.FORBIDDEN, "this peer cannot decrypt what was encrypted for it", cannot_decrypt=True)
        except RemoteProtocolError as fault:
            self._tell_malformed(stream.peer, str(fault))
            of = mq.Message(fault.id) if isinstance(fault, mq.NotAMessageError) else message
            return mq.send_refusal(of, mq.FORBIDDEN, str(fault))
        try:
            await self._save_once(Received(stream.peer, message.id, event, stream.origin))
        except MessageNotAcceptedError as fault:
            return mq.send_refusal(message, fault.code, str(fault), fault.retry_after_seconds)
        return mq.send_ack(message)

    def _event(self, stream: Stream, message: mq.Message) -> topics.Event:
        if message.topic == topics.IDENTITY:
            # Who asks needs nothing in the payload; some peers encrypt it, with a key that we may be about to ask for.
            return topics.read(message.topic, b"{}")
        free = topics.is_free(message.topic)
        payload = self._key_ring.payload(stream.peer, bytes(message.payload), mq.MESSAGE_MAX_BYTES, free=free)
        return topics.read(message.topic, payload)

    def _tell_malformed(self, peer: str, why: str) -> None:
        """Tell the owner, once in a while: a stranger's program that repeats itself, under many ids, must not fill the log."""
        now = time.monotonic()
        quiet = now - self._malformed_told < MALFORMED_TOLD_SECONDS
        if not quiet:
            self._malformed_told = now
        (self._log.info if quiet else self._log.warning)("a message is refused", peer=peer, why=repr(why))

    async def _save_once(self, message: Received) -> None:
        """Save a message unless it is a repeat. Raises, for a repeat too, when the message is not saved."""
        name = (message.sender, message.id)
        if self._seen.first_time(*name):
            await self._save(message)
        elif (saving := self._being_saved.get(name)) is not None:
            # Acknowledge a repeat only with its first copy. Shielded: the end of this stream must not cancel the write of the other.
            await asyncio.shield(saving)

    async def _save(self, message: Received) -> None:
        name = (message.sender, message.id)
        saved = self._being_saved[name] = asyncio.get_running_loop().create_future()
        try:
            await self._save_message(message)
        except BaseException as error:
            # Not acknowledged, so it comes again and must not be taken for a repeat.
            self._seen.forget(*name)
            saved.set_exception(
                error
                if isinstance(error, MessageNotAcceptedError)
                else LocalProtocolError(f"the message {message.id!r} could not be saved")
            )
            saved.exception()  # there may be no repeat that waits for it
            raise
        else:
            saved.set_result(None)
        finally:
            del self._being_saved[name]

    async def _answer(self, caller: Caller, asked: data.DataRequest) -> data.Answer:
        operation = self._operations.get(asked.op)
        if operation is None:
            return data.FailureAnswer(f"no operation {asked.op[:40]!r} for others", ErrorCode.FORBIDDEN)
        return await operation(caller, asked)

    async def _lua_call(self, caller: Caller, asked: data.DataRequest) -> data.Answer:
        result = await self._engine.call(caller, asked.function, bytes(asked.params) or b"{}")
        if not isinstance(result, Failure):
            return data.SuccessAnswer(result.json)
        return data.FailureAnswer(result.message, result.code, result.retry_after_seconds, result.script, result.line, result.detail)

    async def _lua_list(self, _caller: Caller, _asked: data.DataRequest) -> data.Answer:
        listed = [
            {"name": script.name, "description": script.description}
            for script in self._catalog.listing()
            if script.kind == "function" and (script.state == "ok" or script.older_runs)
        ]
        return data.SuccessAnswer(msgspec.json.encode({"functions": listed}))

    async def _send_encrypted(self, stream: Stream, file: SiteFile, box: PayloadBox) -> bool:
        """Whether it is sent: a box is made of the whole file, so one too large for it goes plain, and one there is no room for now."""
        size = file.status.st_size
        # The file and its encrypted text, both whole in memory, since a box has one tag for all of it.
        held = 2 * encrypted_payload.size_of(size)
        if size > site.BODY_MAX_BYTES or not self._encrypted_files.hold(held):
            return False
        try:
            # One at a time: large files would otherwise occupy the threads that read the site.
            async with self._one_encrypts:
                text = await threads.SITE.run(_encrypted_file, file, size, box)
            await stream.write(site.header(content_type(file.path), len(text), encrypted=True))
            await stream.finish(text)
        finally:
            self._encrypted_files.free(held)
        return True

    async def _send_file(self, stream: Stream, file: SiteFile) -> None:
        # The header has promised this size. A file that shrinks meanwhile resets the stream, so that the reader knows.
        missing = file.status.st_size
        try:
            await stream.write(site.header(content_type(file.path), missing))
        except LocalProtocolError:
            await stream.finish(site.refusal(site.FORBIDDEN))
            return
        while missing and (piece := await read_piece(file.content, min(missing, READ_MAX_BYTES))):
            await stream.write(piece)
            missing -= len(piece)
        if missing:
            raise _shrank(file, missing)
        await stream.finish()


async def read_line(stream: Stream, reader: LineReader, seconds: float = REQUEST_SECONDS) -> bytes:
    """Return a line, whole within `seconds` however slowly its bytes come. Raises `RemoteProtocolError` and `StreamBrokenError`."""
    return await stream.line(reader, seconds)


def _encrypted_file(file: SiteFile, size: int, box: PayloadBox) -> bytes:
    content = file.content.read(size)
    if len(content) < size:
        raise _shrank(file, size - len(content))
    return box.seal(content)


def _shrank(file: SiteFile, missing: int) -> OSError:
    """Return the error for a file that became shorter while it was sent: the reader must not take it for whole."""
    return OSError(f"{file.path} ended {missing} bytes early")


def _written(answer: data.Answer) -> bytes:
    if isinstance(answer, data.FailureAnswer):
        return data.failure(answer)
    with contextlib.suppress(LocalProtocolError):
        return data.success(answer.json)
    return data.failure(data.FailureAnswer("the result is too large", ErrorCode.UNAVAILABLE))
