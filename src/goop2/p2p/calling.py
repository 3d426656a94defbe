"""What this peer asks of others: a label, a file, a data operation, a message taken. Asyncio; libp2p is behind the host."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import uuid
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING

import msgspec

from goop2.p2p.faults import Broken, NetworkFault
from goop2.p2p.limits import ACK_SECONDS, ANSWER_SECONDS, PROBE_SECONDS, RESEND_AFTER_SECONDS
from goop2.p2p.protocols import content, data, mq, site, topics
from goop2.p2p.protocols.faults import RemoteFault
from goop2.p2p.serving import read_line

if TYPE_CHECKING:
    from goop2.p2p.host import Host
    from goop2.p2p.stream import Stream

SENDS = 2
"""A message is sent, and once more when nobody acknowledges it."""


class Refused(NetworkFault):
    """The peer is there and gives no file; `reason` is its own word."""

    def __init__(self, peer: str, path: str, reason: str) -> None:
        super().__init__(f"{peer} gives no {path}: {reason}")
        self.reason = reason


class SiteAnswer:
    """A file of a peer's site on its way."""

    def __init__(self, header: site.Header, pieces: AsyncIterator[bytes]) -> None:
        self.mime = header.mime
        self.size = header.size
        self.pieces = pieces
        """The body. Raises `Broken` when it ends early; what came until then is not the file."""


class Calling:
    """Exchanges with other peers. All raise `NetworkFault` with a sentence that names the peer."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._numbers = itertools.count(1)

    async def label(self, peer: str) -> str:
        """What the peer calls itself: untrusted text. A probe whether it can be reached."""
        with _named(peer):
            async with await self._host.open(peer, content.PROTOCOL) as stream:
                return content.label(await read_line(stream, content.reader(), PROBE_SECONDS))
        raise AssertionError

    @contextlib.asynccontextmanager
    async def file(self, peer: str, path: str) -> AsyncIterator[SiteAnswer]:
        """A file of the peer's site; read it inside the block. Raises `Refused` too."""
        async with await self._host.open(peer, site.PROTOCOL) as stream:
            with _named(peer):
                await stream.write(site.request(path))
                events = _events(stream, site.AnswerReader())
                first = await anext(events)
            if isinstance(first, site.Refusal):
                raise Refused(peer, path, first.reason)
            assert isinstance(first, site.Header)
            yield SiteAnswer(first, _bodies(peer, events))

    async def ask(self, peer: str, asked: data.Request) -> data.Answer:
        """The answer to a data operation, whatever it says."""
        with _named(peer):
            question, reader = data.request(asked), data.answer_reader()
            return data.answered(await self._host.ask(peer, data.PROTOCOL, question, reader, ANSWER_SECONDS, kept=data.KEPT_PROTOCOL))
        raise AssertionError

    async def call(self, peer: str, function: str, params: bytes = b"{}") -> data.Answer:
        """The answer of a data function."""
        return await self.ask(peer, data.Request("lua-call", function=function, params=msgspec.Raw(params)))

    async def send(self, peer: str, topic: str, payload: bytes, message_id: str = "") -> str:
        """Send a message until it is acknowledged; gives its id."""
        message = mq.Message(message_id or str(uuid.uuid4()), next(self._numbers), topic, msgspec.Raw(payload))
        for attempt in range(1, SENDS + 1):
            try:
                with _named(peer):
                    await self._deliver(peer, message)
                return message.id
            except Broken:
                if attempt == SENDS:
                    raise
                await asyncio.sleep(RESEND_AFTER_SECONDS)
        raise AssertionError

    async def chat(self, peer: str, text: str, timestamp_ms: int, message_id: str = "") -> str:
        """Send a direct message; gives its id."""
        return await self.send(peer, topics.CHAT, msgspec.json.encode(topics.Chat(text, timestamp_ms)), message_id)

    async def _deliver(self, peer: str, message: mq.Message) -> None:
        if not self._host.is_connected(peer):
            await self._host.connect(peer)
        # Also the opening counts: a peer that is frozen answers nothing, and its sender is to know.
        mq.ack(await self._host.ask(peer, mq.PROTOCOL, mq.send(message), mq.ack_reader(), ACK_SECONDS), message)


@contextlib.contextmanager
def _named(peer: str) -> Iterator[None]:
    """What breaks the protocol or does not come, said of the peer."""
    try:
        yield
    except RemoteFault as fault:
        raise Broken(f"{peer} does not keep to the protocol: {fault}") from None
    except TimeoutError:
        raise Broken(f"{peer} does not answer in time") from None


async def _events(stream: Stream, reader: site.AnswerReader) -> AsyncIterator[site.Event]:
    while not reader.done:
        piece = await stream.read()
        if not piece:
            reader.end()
        for event in reader.receive(piece):
            yield event


async def _bodies(peer: str, events: AsyncIterator[site.Event]) -> AsyncIterator[bytes]:
    with _named(peer):
        async for event in events:
            if isinstance(event, site.Body):
                yield event.data
