"""Shared files over the network: give this peer's to the members of a group, and ask other members for theirs.

A caller is known by the id that its connection proved. To somebody who is no member a group does not exist, so its id tells nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING, Final, NamedTuple

from goop2.folder import threads
from goop2.folder.content_types import content_type
from goop2.folder.reading import read_piece
from goop2.folder.shared_files import OpenedFile, SharedFileError
from goop2.net.admission import ByteBudget
from goop2.net.limits import ANSWER_SECONDS, ENCRYPTED_FILES_BYTES, EXCHANGE_SECONDS, READ_MAX_BYTES
from goop2.peers.client import named
from goop2.peers.payload_crypto import KeyRing
from goop2.peers.server import read_line
from goop2.protocols import encrypted_payload, shared_files
from goop2.protocols.encrypted_payload import DecryptionError, PayloadBox
from goop2.protocols.errors import RemoteProtocolError
from goop2.protocols.shared_files import FileRequest, PieceHeader, SharedFile, SharingRefusedError
from goop2.services.shared_files.errors import FilesRefusedError
from goop2.services.shared_files.service import SharedFiles
from goop2.services.shared_files.transfer import FILES, Pieces

if TYPE_CHECKING:
    from goop2.net.host import Host
    from goop2.net.stream import Stream

LIST_SECONDS: Final = 60.0
"""A list whose hashes must be computed first: a gigabyte at 20 MB/s."""
NO_MEMBER: Final = "no group of yours shares files here"


class _Answer(NamedTuple):
    """The beginning of an answer: its first line as plain text, and what came behind it."""

    stream: Stream
    line: bytes
    rest: bytes
    box: PayloadBox | None
    """The request was encrypted with it."""


@contextlib.contextmanager
def _told(peer: str) -> Iterator[None]:
    """Raise whatever goes wrong as a `NetworkError` that names the peer."""
    with named(peer):
        try:
            yield
        except SharingRefusedError as refusal:
            raise FilesRefusedError(f"{peer} gives nothing: {refusal}") from None


class FileExchange:
    """Serves shared files, and asks for them (`FileSource` of services/shared_files/transfer.py)."""

    def __init__(self, files: SharedFiles, host: Host, key_ring: KeyRing) -> None:
        self._files = files
        self._host = host
        self._key_ring = key_ring
        self._encrypted = ByteBudget(ENCRYPTED_FILES_BYTES)
        self._one_encrypts = asyncio.Lock()

    async def attach(self) -> None:
        """Answer members that ask this host."""
        await self._host.serve(shared_files.PROTOCOL, self.answer)

    # Serve.

    async def answer(self, stream: Stream) -> None:
        """Answer one request over `stream`."""
        box: PayloadBox | None = None
        try:
            line = await read_line(stream, shared_files.request_reader())
            line, box = self._key_ring.line(stream.peer, line, "the request", shared_files.REQUEST_MAX_BYTES)
            asked = shared_files.requested(line)
            group = self._files.group_of(stream.peer, asked.group_id)
            # The same sentence for a group that is not here and for one whose member the caller is not.
            if group is None:
                raise SharingRefusedError(NO_MEMBER)
            if asked.op == "list":
                await stream.finish(encrypted_payload.line(box, shared_files.list_answer(await self._files.own(group))))
            elif asked.op == "get":
                await self._send(stream, await self._files.opened(group, asked.file), asked, box)
            else:
                raise SharingRefusedError(f"there is no operation {asked.op[:40]!r}; there are list and get")
        except (RemoteProtocolError, SharedFileError, threads.FolderHangsError) as fault:
            await stream.finish(encrypted_payload.line(box, shared_files.refusal(str(fault))))

    async def _send(self, stream: Stream, opened: OpenedFile, asked: FileRequest, box: PayloadBox | None) -> None:
        with opened.content:
            if asked.offset > opened.size:
                raise SharingRefusedError(f"the file has {opened.size} bytes, and is asked for from {asked.offset} on")
            size = min(asked.length or opened.size, opened.size - asked.offset)
            opened.content.seek(asked.offset)
            if box is None or not await self._send_encrypted(stream, opened, asked.file, size, box):
                await self._send_plain(stream, opened, asked.file, size)

    async def _send_plain(self, stream: Stream, opened: OpenedFile, name: str, size: int) -> None:
        await stream.write(shared_files.header(content_type(name), size))
        while size and (piece := await read_piece(opened.content, min(size, READ_MAX_BYTES))):
            await stream.write(piece)
            size -= len(piece)
        if size:
            # The header has promised more; the reset of the stream tells that it is not the file.
            raise OSError(f"{name} ended {size} bytes early")
        await stream.finish()

    async def _send_encrypted(self, stream: Stream, opened: OpenedFile, name: str, size: int, box: PayloadBox) -> bool:
        """Return whether it was sent: a box holds all of it in memory, so where there is no room for one it goes plain, inside Noise."""
        # The content and its encrypted text exist at the same time.
        held = 2 * encrypted_payload.size_of(size)
        if not self._encrypted.hold(held):
            return False
        try:
            # One after the other: each takes a processor for as long as the file is large.
            async with self._one_encrypts:
                text = await FILES.run(_sealed, opened, size, box)
            await stream.write(shared_files.header(content_type(name), len(text), encrypted=True))
            await stream.finish(text)
        finally:
            self._encrypted.free(held)
        return True

    # Ask.

    async def files(self, peer: str, group: str) -> list[SharedFile]:
        """Return what a peer shares with a group."""
        async with contextlib.AsyncExitStack() as stack:
            with _told(peer):
                return shared_files.listed((await self._asked(stack, peer, FileRequest("list", group), LIST_SECONDS)).line)
        raise AssertionError

    @contextlib.asynccontextmanager
    async def piece(self, peer: str, group: str, file: SharedFile, offset: int, length: int) -> AsyncIterator[Pieces]:
        """Open a piece of a file, of `length` bytes from `offset` on, or the whole file where the peer knows no pieces."""
        async with contextlib.AsyncExitStack() as stack:
            with _told(peer):
                await stack.enter_async_context(asyncio.timeout(EXCHANGE_SECONDS))
                answer = await self._asked(stack, peer, FileRequest("get", group, file.name, offset, length), ANSWER_SECONDS)
                header = shared_files.piece(answer.line)
                if header.encrypted:
                    content = await self._opened(answer, header)
                    yield Pieces(_begins(len(content), file, offset, length), _once(content))
                else:
                    yield Pieces(_begins(header.size, file, offset, length), _bytes(answer, header.size))

    async def _asked(self, stack: contextlib.AsyncExitStack, peer: str, asked: FileRequest, seconds: float) -> _Answer:
        """Return the beginning of the answer to a request, which is encrypted if possible, and plain if the peer cannot decrypt it."""
        known = self._key_ring.box(peer)
        # Two requests at most. The peer may have other keys since a restart; inside Noise a plain request is encrypted all the same.
        for box in (known, None) if known is not None else (None,):
            stream = await stack.enter_async_context(await self._host.open(peer, shared_files.PROTOCOL))
            await stream.write(encrypted_payload.line(box, shared_files.request(asked)))
            reader = shared_files.answer_reader()
            line = await read_line(stream, reader, seconds)
            text = encrypted_payload.text_of_line(line)
            if text is not None:
                if box is None:
                    raise DecryptionError("the answer to a plain request is encrypted")
                line = box.open(text)
            elif box is not None and line.startswith(b"{"):
                # A refusal gives nothing away, and may mean that the request could not be decrypted. A plain list is nobody's we know.
                with contextlib.suppress(SharingRefusedError):
                    shared_files.listed(line)
                    raise DecryptionError("the answer to an encrypted request is plain")
                continue
            return _Answer(stream, line, reader.rest(), box)
        raise AssertionError("the last request is plain")

    async def _opened(self, answer: _Answer, header: PieceHeader) -> bytes:
        """Return what is in the box that follows: before its end no part of it is proved. The memory for its copies is counted."""
        box = answer.box
        if box is None:
            raise DecryptionError("the answer to a plain request is encrypted")
        # The base64 text, its decoded bytes and the content exist at the same time.
        held = 3 * header.size
        if not self._encrypted.hold(held):
            raise RemoteProtocolError("too many encrypted bytes come at a time; the file is not read")
        try:
            text = b"".join([piece async for piece in _bytes(answer, header.size)])
            return await asyncio.to_thread(box.open, text)
        finally:
            self._encrypted.free(held)


def _begins(size: int, file: SharedFile, offset: int, length: int) -> int:
    """Return where in the file an answer of so many bytes begins. Raises `RemoteProtocolError`."""
    if size == length:
        return offset
    if size == file.size:
        return 0
    expected = f"{length} or {file.size} are expected: it may be another version by now"
    raise RemoteProtocolError(f"{size} bytes of {file.name!r} come where {expected}")


def _sealed(opened: OpenedFile, size: int, box: PayloadBox) -> bytes:
    content = bytearray()
    while len(content) < size and (piece := opened.content.read(size - len(content))):
        content += piece
    if len(content) < size:
        raise SharedFileError(f"the file ended {size - len(content)} bytes early")
    return box.seal(bytes(content))


async def _once(content: bytes) -> AsyncIterator[bytes]:
    yield content


async def _bytes(answer: _Answer, size: int) -> AsyncIterator[bytes]:
    """Yield exactly so many bytes, the first of which are here already. Raises `RemoteProtocolError` when fewer come."""
    piece = answer.rest[:size]
    while True:
        size -= len(piece)
        if piece:
            yield piece
        if not size:
            return
        piece = (await answer.stream.read())[:size]
        if not piece:
            raise RemoteProtocolError(f"the file ended {size} bytes early")
