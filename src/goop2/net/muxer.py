"""Yamux: many streams over one secured connection, in place of the library's own, which

- holds whatever is sent, however much, and lets windows grow to 16 MB. Here who sends more than its window, or more than it may
  in a minute, loses the connection, and what all hold together is bounded.
- gives up writing after 5 s without window, with part of the data sent. Here a writer waits as long as its caller lets it.
- cannot tell a stream that was reset from one that is done.
- never notices that the other side is gone without a word.
- takes a dozen turns of the loop for every frame. Here nothing waits between a frame and the next, so there is nothing to lock: what
  came is taken as it comes, what gathered is sent together (carriers.py), and a cancelled caller leaves no half a frame behind.

What is async here is trio's, for the library; the rest may be called from either loop, and `MuxedStream.news` be waited for on both.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final

import trio
from libp2p.abc import IMuxedConn, IMuxedStream, ISecureConn
from libp2p.connection_types import ConnectionType
from libp2p.peer.id import ID
from libp2p.stream_muxer.exceptions import MuxedConnUnavailable, MuxedStreamEOF, MuxedStreamError, MuxedStreamReset
from multiaddr import Multiaddr

from goop2.net import frames
from goop2.net.admission import Admission
from goop2.net.carriers import Carrier
from goop2.net.frames import MuxerFrame, MuxerFrameReader
from goop2.net.limits import (
    CONTROL_FRAME_COSTS_BYTES,
    CONTROL_FRAMES_MAX,
    LIBRARY_WRITE_SECONDS,
    MUXER_CLOSE_SECONDS,
    PING_SECONDS,
    READ_MAX_BYTES,
    SILENCE_SECONDS,
    STREAMS_PER_DIRECTION,
    UNSENT_MAX_BYTES,
    WINDOW_MAX_BYTES,
)
from goop2.net.news import Enter, News
from goop2.protocols.errors import RemoteProtocolError

FIRST_WINDOW_BYTES: Final = 256 * 1024
"""What a stream may send before it is told of more; Yamux's own number."""
FRAME_MAX_BYTES: Final = 64 * 1024 - frames.HEADER_BYTES
"""What we send at a time: a Noise message less the header, so that streams take turns."""


class MuxedStream(IMuxedStream):
    """One of a connection's streams. `close` ends the writing, `abandon` both directions at once."""

    def __init__(self, muxer: Muxer, stream_id: int) -> None:
        self.muxed_conn = muxer
        self.stream_id = stream_id
        self.was_reset = False
        """By either side, or with the connection: what came until then may not be all."""
        self.read_ended = False
        """The other side sends no more."""
        self.write_ended = False
        self.send_window = FIRST_WINDOW_BYTES
        self._muxer = muxer
        self._buffer = bytearray()
        self._receive_window = self._window = FIRST_WINDOW_BYTES
        self.news = News(muxer.enter)
        """Told when something has come, or may be sent, or never will."""

    @property
    def origin(self) -> str:
        """Return where its connection comes from (`Muxer.origin`)."""
        return self._muxer.origin

    @property
    def waiting(self) -> bytearray:
        """Return what has come and is not read yet; not to be changed."""
        return self._buffer

    @property
    def ended(self) -> bool:
        """Return whether there is nothing more to be had or to be done."""
        return self.was_reset or (self.read_ended and self.write_ended)

    @property
    def readable(self) -> bool:
        """Return whether there is something to read, or never will be."""
        return bool(self._buffer) or self.was_reset or self.read_ended

    async def arrival(self) -> None:
        """Wait until the stream is readable."""
        while not self.readable:
            await self.news.wait()

    async def read(self, n: int | None = None) -> bytes:
        """Return what has come, at most `n` bytes. Raises MuxedStreamEOF when that was all, MuxedStreamReset."""
        await trio.lowlevel.checkpoint_if_cancelled()
        await self.arrival()
        return self.read_now(n)

    def read_now(self, n: int | None = None) -> bytes:
        """As `read`, of what is readable."""
        if not self._buffer:
            raise MuxedStreamEOF("the stream has ended") if self.read_ended else MuxedStreamReset("the stream was reset")
        size = len(self._buffer) if n is None or n < 0 else n
        data = bytes(self._buffer[:size])
        del self._buffer[:size]
        self._muxer.admission.memory.free(len(data))
        self._give_window()
        return data

    async def write(self, data: bytes) -> None:
        """Hand over all of `data`. Raises MuxedStreamError, also when nothing of it is taken for LIBRARY_WRITE_SECONDS."""
        try:
            await self.write_all(data, LIBRARY_WRITE_SECONDS)
        except trio.TooSlowError:
            raise MuxedStreamError(f"the other side has taken nothing for {LIBRARY_WRITE_SECONDS:.0f} s") from None

    async def write_all(self, data: bytes, seconds: float) -> None:
        """Hand over all of `data`, each part of it within so long. Raises MuxedStreamError and TooSlowError."""
        view = memoryview(data)
        while view:
            with trio.fail_after(seconds):
                view = view[await self.write_some(view) :]

    async def write_some(self, data: bytes | memoryview) -> int:
        """Hand over as much as the other side takes at once, waiting until it takes something; how many bytes that was."""
        await trio.lowlevel.checkpoint_if_cancelled()
        while not (size := self.write_now(data)):
            await self.room.wait()
        return size

    @property
    def room(self) -> News:
        """Told when more may be written that now may not."""
        return self._muxer.room if self._muxer.full else self.news

    def write_now(self, data: bytes | memoryview) -> int:
        """As `write_some`, which waits; 0 when nothing is taken now."""
        if self.was_reset or self.write_ended:
            raise MuxedStreamReset("the stream is not open for writing")
        if self._muxer.full or self.send_window <= 0:
            return 0
        size = min(len(data), self.send_window, FRAME_MAX_BYTES)
        self.send_window -= size
        self._muxer.post(frames.write(frames.DATA, 0, self.stream_id, data=bytes(data[:size])))
        return size

    async def close(self) -> None:
        """Tell the other side that no more data comes."""
        await trio.lowlevel.checkpoint_if_cancelled()
        self.close_now()

    def close_now(self) -> None:
        """Close the writing side without waiting (as `close`)."""
        if not (self.write_ended or self.was_reset):
            self.write_ended = True
            self._muxer.post(frames.write(frames.WINDOW, frames.FIN, self.stream_id))
            self._forget_if_ended()

    async def linger(self, seconds: float) -> None:
        """Say that no more comes, and give the other side so long to read what did: a reset at once would take that from it."""
        with trio.move_on_after(seconds), contextlib.suppress(MuxedStreamError):
            await self.close()
            while not self.ended:
                await self.read(READ_MAX_BYTES)
        self.abandon()

    async def reset(self) -> None:
        """`abandon`, as the library calls it: at the end of the connection too, where what came whole can still be read."""
        if not self.was_reset:
            self.abandon()

    def abandon(self) -> None:
        """End both directions; what was not read is dropped."""
        if not self.ended:
            self._muxer.post(frames.write(frames.WINDOW, frames.RST, self.stream_id))
        self.lose()
        self.drop()

    def set_deadline(self, ttl: int) -> None:
        raise NotImplementedError("time-outs are the caller's")

    def get_remote_address(self) -> tuple[str, int] | None:
        return self._muxer.get_remote_address()

    async def __aenter__(self) -> MuxedStream:
        return self

    # What the connection tells it.

    def receive(self, data: bytes) -> None:
        """Bytes of the other side. Raises `RemoteProtocolError` when it may not send so many."""
        if len(data) > self._receive_window:
            raise RemoteProtocolError(f"{len(data) - self._receive_window} bytes more than the window of a stream")
        if not self._muxer.may_come(self.stream_id, len(data)):
            raise RemoteProtocolError("more comes than is read, or than may come in a minute")
        self._receive_window -= len(data)
        self._buffer += data
        self.news.tell()

    def grow(self, by: int) -> None:
        """The other side takes so much more."""
        self.send_window += by
        self.news.tell()

    def end(self) -> None:
        """The other side sends no more."""
        self.read_ended = True
        self._forget_if_ended()
        self.news.tell()

    def lose(self) -> None:
        """It was reset, or the connection is lost. What came whole can still be read."""
        self.was_reset = True
        if not self.read_ended:
            self.drop()
        self._muxer.forget(self)
        self.news.tell()

    def drop(self) -> None:
        """What was not read nobody will read."""
        self._muxer.admission.memory.free(len(self._buffer))
        self._buffer.clear()

    def __del__(self) -> None:
        self.drop()

    def _give_window(self) -> None:
        """Told in large steps: half a window at a time. Who reads that much gets the largest there is."""
        missing = self._window - self._receive_window - len(self._buffer)
        if missing < self._window // 2 or self.read_ended or self.was_reset:
            return
        self._window = WINDOW_MAX_BYTES
        growth = self._window - self._receive_window - len(self._buffer)
        self._receive_window += growth
        self._muxer.post(frames.write(frames.WINDOW, 0, self.stream_id, growth))

    def _forget_if_ended(self) -> None:
        if self.ended:
            self._muxer.forget(self)


class Muxer(IMuxedConn):
    """A connection and its streams."""

    def __init__(self, conn: ISecureConn, peer_id: ID, admission: Admission, enter: Enter, carrier: Carrier, origin: str = "") -> None:
        self.peer_id = peer_id
        self.origin = origin
        """The network the other side comes from; `/p2p-circuit/<relay>` when it comes through a relay, "" when nothing is known."""
        self.secured_conn = conn
        self.admission = admission
        self.streams: dict[int, MuxedStream] = {}
        self.on_close: Callable[[], Awaitable[object]] | None = None
        """Set by the library, to hear of the end."""
        self.event_started, self.event_closed = trio.Event(), trio.Event()
        self.enter = enter
        self.room = News(enter)
        """Told when something was sent, or will not be."""
        self._peer = str(peer_id)
        self._next_id = 1 if conn.is_initiator else 2
        self._opened = self._accepted = 0
        """Streams that are open, by whose they are."""
        self._carrier = carrier
        self._reader = MuxerFrameReader(WINDOW_MAX_BYTES)
        self._to_accept: deque[MuxedStream] = deque()
        self._arrivals = News(enter)
        self._outgoing: list[bytes] = []
        self._unsent = self._unsent_control = 0
        self._ending = False
        self._heard = False
        """Anything, since it was last looked."""

    # What the library asks of a connection.

    @property
    def is_initiator(self) -> bool:
        return bool(self._next_id % 2)

    @property
    def is_established(self) -> bool:
        return self.event_started.is_set() and not self._ending

    @property
    def is_closed(self) -> bool:
        return self.event_closed.is_set()

    def get_transport_addresses(self) -> list[Multiaddr]:
        return self.secured_conn.get_transport_addresses()

    def get_connection_type(self) -> ConnectionType:
        return self.secured_conn.get_connection_type()

    def get_remote_address(self) -> tuple[str, int] | None:
        return self.secured_conn.get_remote_address()

    async def start(self) -> None:
        """The connection's life, to its end."""
        try:
            async with trio.open_nursery() as nursery:
                for task in (self._carry, self._watch):
                    nursery.start_soon(self._to_its_end, task, nursery.cancel_scope)
                self.event_started.set()
        finally:
            with trio.CancelScope(shield=True):
                await self._end()

    async def close(self) -> None:
        """Say goodbye, have it heard, and end every stream."""
        if not self._ending:
            self.post(frames.write(frames.GO_AWAY, 0, 0))
            with trio.move_on_after(MUXER_CLOSE_SECONDS):
                while self._unsent and not self._ending:
                    await self.room.wait()
                if self._carrier.finish():
                    await self.event_closed.wait()
        await self._end()

    async def open_stream(self) -> MuxedStream:
        """Return a new stream to the other side."""
        await trio.lowlevel.checkpoint_if_cancelled()
        return self.open_now()

    def open_now(self) -> MuxedStream:
        """As `open_stream`. Raises MuxedStreamError."""
        if self._ending:
            raise MuxedStreamError("the connection has ended")
        if self._opened >= STREAMS_PER_DIRECTION:
            raise MuxedStreamError(f"{STREAMS_PER_DIRECTION} streams are open, the most there may be")
        stream = self.streams[self._next_id] = MuxedStream(self, self._next_id)
        self._opened += 1
        self._next_id += 2
        self.post(frames.write(frames.WINDOW, frames.SYN, stream.stream_id))
        return stream

    async def accept_stream(self) -> MuxedStream:
        """Return the next stream the other side opens. Raises MuxedConnUnavailable at the connection's end."""
        await trio.lowlevel.checkpoint_if_cancelled()
        while not self._to_accept:
            if self._ending:
                raise MuxedConnUnavailable("the connection has ended")
            await self._arrivals.wait()
        return self._to_accept.popleft()

    # What its streams ask of it.

    @property
    def full(self) -> bool:
        """Return whether so much waits to be sent that its streams should."""
        return self._unsent >= UNSENT_MAX_BYTES

    def post(self, frame: bytes) -> None:
        """Send this when it is its turn."""
        if not self._ending:
            self._outgoing.append(frame)
            self._unsent += len(frame)
            self._unsent_control += len(frame) == frames.HEADER_BYTES
            self._carrier.wake()

    def may_come(self, stream_id: int, size: int) -> bool:
        """Return whether these bytes may, and then they are held: what we asked for always, what others begin as fast as the limits say."""
        return (self._ours(stream_id) or self.admission.received(self._peer, size, self.origin)) and self.admission.memory.hold(size)

    def forget(self, stream: MuxedStream) -> None:
        """Remove a stream that has ended."""
        if self.streams.pop(stream.stream_id, None) is not None:
            if self._ours(stream.stream_id):
                self._opened -= 1
            else:
                self._accepted -= 1

    def _ours(self, stream_id: int) -> bool:
        return stream_id % 2 == self._next_id % 2

    # Its tasks; the end of one is the end of all.

    async def _to_its_end(self, task: Callable[[], Awaitable[None]], all_of_them: trio.CancelScope) -> None:
        # Whatever the library makes of a stranger's bytes (they need not even decrypt): this connection ends, and no other.
        with contextlib.suppress(Exception):
            await task()
        all_of_them.cancel()

    async def _carry(self) -> None:
        await self._carrier.run(self)

    async def _watch(self) -> None:
        """Asks for a sign of life; who gives none for SILENCE_SECONDS is gone."""
        heard = trio.current_time()
        while trio.current_time() - heard < SILENCE_SECONDS:
            await trio.sleep(PING_SECONDS)
            if self._heard:
                self._heard, heard = False, trio.current_time()
            self.post(frames.write(frames.PING, frames.SYN, 0, 1))

    async def _end(self) -> None:
        if self._ending:
            return
        self._ending = True
        # Nothing waits before the streams are told: the library resets those of a connection that has ended.
        self._carrier.end()
        self._arrivals.tell()
        for stream in list(self.streams.values()):
            stream.lose()
        self.room.tell()
        with contextlib.suppress(Exception):
            await self.secured_conn.close()
        self.event_closed.set()
        if self.on_close is not None:
            with contextlib.suppress(Exception):
                await self.on_close()

    # What its carrier asks of it and tells it.

    def receive(self, data: bytes) -> None:
        """What came. Raises `RemoteProtocolError`, and `EOFError` when the other side goes."""
        self._heard = True
        for frame in self._reader.receive(data):
            if frame.kind == frames.GO_AWAY:
                raise EOFError
            self._take(frame)
        if self._unsent_control > CONTROL_FRAMES_MAX:
            raise RemoteProtocolError("it makes us answer and does not read our answers")

    def outgoing(self) -> bytes:
        """Return all the bytes to send, and take them."""
        batch, self._outgoing, self._unsent_control = b"".join(self._outgoing), [], 0
        return batch

    def sent(self, size: int) -> None:
        """Note that `size` bytes were sent."""
        self._unsent -= size
        self.room.tell()

    def _take(self, frame: MuxerFrame) -> None:
        if not frame.data and not self.admission.received(self._peer, CONTROL_FRAME_COSTS_BYTES, self.origin):
            raise RemoteProtocolError("more frames than may come in a minute")
        if frame.kind == frames.PING:
            if frame.flags & frames.SYN:
                self.post(frames.write(frames.PING, frames.ACK, 0, frame.value))
            return
        stream = self._accept(frame.stream) if frame.flags & frames.SYN else self.streams.get(frame.stream)
        if stream is None:
            # Of a stream that was reset: the rest of it is still on its way.
            return
        if frame.kind == frames.WINDOW:
            stream.grow(frame.value)
        elif frame.data:
            stream.receive(frame.data)
        if frame.flags & frames.RST:
            stream.lose()
        elif frame.flags & frames.FIN:
            stream.end()

    def _accept(self, stream_id: int) -> MuxedStream | None:
        """Return a stream the other side opens; None when it has too many. Raises `RemoteProtocolError`."""
        if self._ours(stream_id) or stream_id in self.streams or not stream_id:
            raise RemoteProtocolError(f"stream {stream_id} is not theirs to open")
        stream = MuxedStream(self, stream_id)
        if max(self._accepted, len(self._to_accept)) >= STREAMS_PER_DIRECTION:
            self.post(frames.write(frames.WINDOW, frames.RST, stream_id))
            return None
        self.streams[stream_id] = stream
        self._accepted += 1
        self._to_accept.append(stream)
        self._arrivals.tell()
        self.post(frames.write(frames.WINDOW, frames.ACK, stream_id))
        return stream
