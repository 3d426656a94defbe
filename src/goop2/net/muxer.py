"""Yamux: many streams over one secured connection.

- A peer that sends more than its window, or more than it may in a minute, loses the connection. The bytes held for all are bounded.
- A writer waits for window space as long as its caller allows.
- A stream that was reset differs from one that has ended.
- A peer that vanished without a word is noticed: `look` asks for a sign of life.
- There is no await between one frame and the next, so nothing needs a lock. Incoming bytes are handled as they come, outgoing frames are
  collected and sent together (transport.py), and a cancelled caller leaves no partial frame.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Protocol

from goop2.net import frames
from goop2.net.admission import Admission
from goop2.net.frames import MuxerFrame, MuxerFrameReader
from goop2.net.limits import (
    CONTROL_FRAME_COSTS_BYTES,
    CONTROL_FRAMES_MAX,
    MUXER_CLOSE_SECONDS,
    SILENCE_SECONDS,
    STREAMS_PER_DIRECTION,
    UNSENT_MAX_BYTES,
    WINDOW_MAX_BYTES,
)
from goop2.net.notification import Notification
from goop2.net.packets import PLAIN_MAX_BYTES
from goop2.protocols.errors import RemoteProtocolError

if TYPE_CHECKING:
    from goop2.net.connection import Connection

FIRST_WINDOW_BYTES: Final = 256 * 1024
"""What a stream may send before it is told of more; Yamux's own number."""
BATCH_MAX_BYTES: Final = PLAIN_MAX_BYTES
"""What is sent at a time: a Noise message. Larger pieces of memory are had of the system anew each time, which costs more than to encrypt
them."""
FRAME_MAX_BYTES: Final = BATCH_MAX_BYTES - frames.HEADER_BYTES
"""What a stream sends at a time, so that streams take turns."""


class MuxedStreamError(Exception):
    """A stream cannot be read or written any more."""


class MuxedStreamEndedError(MuxedStreamError):
    """The other side has sent everything and ended its direction."""


class MuxedStreamResetError(MuxedStreamError):
    """A side ended the stream before it was done, or the connection is lost."""


class Carrier(Protocol):
    """Sends a muxer's bytes: a transport with its encryption."""

    def wake(self) -> None:
        """Send the collected frames soon."""

    def finish(self) -> bool:
        """Announce that no more is sent; return whether the other side is told, and so will end the connection too."""

    def end(self) -> None:
        """Stop sending, and close what carries the bytes."""


class MuxedStream:
    """One of a connection's streams. `close_now` ends writing, `abandon` both directions at once."""

    def __init__(self, muxer: Muxer, stream_id: int) -> None:
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
        self.changed = Notification()
        """Notified when something has come, or may be sent, or never will."""

    @property
    def connection(self) -> Connection:
        """Return the connection it belongs to."""
        return self._muxer.connection

    @property
    def origin(self) -> str:
        """Return where its connection comes from (`Muxer.origin`)."""
        return self._muxer.origin

    @property
    def waiting(self) -> bytearray:
        """Return the bytes that have come and are not read yet; do not change them."""
        return self._buffer

    @property
    def ended(self) -> bool:
        """Return whether nothing more can be read or needs to be done."""
        return self.was_reset or (self.read_ended and self.write_ended)

    @property
    def readable(self) -> bool:
        """Return whether there is something to read, or never will be."""
        return bool(self._buffer) or self.was_reset or self.read_ended

    async def read(self, size: int) -> bytes:
        """Return at most so many received bytes, waiting for them. Raises `MuxedStreamEndedError` at the end; `MuxedStreamResetError`."""
        while not self.readable:
            await self.changed.wait()
        return self.read_now(size)

    def read_now(self, size: int) -> bytes:
        """Do as `read`, without waiting: there must be something to read."""
        if not self._buffer:
            raise MuxedStreamEndedError("the stream has ended") if self.read_ended else MuxedStreamResetError("the stream was reset")
        if len(self._buffer) <= size:
            data = bytes(self._buffer)
            self._buffer.clear()
        else:
            data = bytes(memoryview(self._buffer)[:size])
            del self._buffer[:size]
        self._muxer.admission.memory.free(len(data))
        self._give_window()
        return data

    async def write(self, data: bytes) -> None:
        """Send all of `data`, as fast as the other side reads. Raises `MuxedStreamError`; the caller limits the time."""
        view = memoryview(data)
        while view:
            size = self.write_now(view)
            view = view[size:]
            if not size:
                await self.room.wait()

    @property
    def room(self) -> Notification:
        """Return the notification that is sent when more may be written."""
        return self._muxer.room if self._muxer.full else self.changed

    def write_now(self, data: bytes | memoryview) -> int:
        """Send as much as the window allows now; return how many bytes that was, 0 when it is full."""
        if self.was_reset or self.write_ended:
            raise MuxedStreamResetError("the stream is not open for writing")
        if self._muxer.full or self.send_window <= 0:
            return 0
        size = min(len(data), self.send_window, FRAME_MAX_BYTES)
        self.send_window -= size
        self._muxer.post(frames.write(frames.DATA, 0, self.stream_id, data=data[:size]))
        return size

    def close_now(self) -> None:
        """Tell the other side that no more data follows."""
        if not (self.write_ended or self.was_reset):
            self.write_ended = True
            self._muxer.post(frames.write(frames.WINDOW, frames.FIN, self.stream_id))
            self._forget_if_ended()

    def abandon(self) -> None:
        """End both directions; unread bytes are dropped."""
        if not self.ended:
            self._muxer.post(frames.write(frames.WINDOW, frames.RST, self.stream_id))
        self.lose()
        self.drop()

    # What the connection tells it.

    def receive(self, data: bytes) -> None:
        """Take bytes from the other side. Raises `RemoteProtocolError` when it may not send so many."""
        if len(data) > self._receive_window:
            raise RemoteProtocolError(f"{len(data) - self._receive_window} bytes more than the window of a stream")
        self._muxer.hold(self.stream_id, len(data))
        self._receive_window -= len(data)
        self._buffer += data
        self.changed.notify()

    def grow(self, by: int) -> None:
        """Enlarge the window for writing by so many bytes."""
        self.send_window += by
        self.changed.notify()

    def end(self) -> None:
        """Note that the other side sends no more."""
        self.read_ended = True
        self._forget_if_ended()
        self.changed.notify()

    def lose(self) -> None:
        """Note that the stream was reset, or the connection lost. Bytes that arrived whole can still be read."""
        self.was_reset = True
        if not self.read_ended:
            self.drop()
        self._muxer.forget(self)
        self.changed.notify()

    def drop(self) -> None:
        """Drop unread bytes that nobody will read."""
        self._muxer.admission.memory.free(len(self._buffer))
        self._buffer.clear()

    def __del__(self) -> None:
        self.drop()

    def _give_window(self) -> None:
        """Announce more window in large steps, half a window at a time. A stream that is read so fast gets the largest window."""
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


class Muxer:
    """The streams of a connection. `accept` gets each stream that the other side opens, before its first bytes are taken."""

    def __init__(
        self,
        peer: str,
        carrier: Carrier,
        admission: Admission,
        *,
        opened_by_us: bool,
        origin: str = "",
        accept: Callable[[MuxedStream], object],
        ended: Callable[[], object],
    ) -> None:
        self.peer = peer
        self.opened_by_us = opened_by_us
        self.origin = origin
        """The network the other side comes from; `/p2p-circuit/<relay>` when it comes through a relay, "" when nothing is known."""
        self.admission = admission
        self.connection: Connection
        """Whose it is; set by the connection."""
        self.streams: dict[int, MuxedStream] = {}
        self.room = Notification()
        """Notified when something was sent, or will not be."""
        self.is_ended = False
        self._carrier = carrier
        self._accept_stream = accept
        self._ended = ended
        # Yamux: the client opens streams with odd ids, the server with even ones. So both can open a stream at once.
        self._next_id = 1 if opened_by_us else 2
        self._opened = self._accepted = 0
        """Streams that are open, by whose they are."""
        self._reader = MuxerFrameReader(WINDOW_MAX_BYTES)
        self._outgoing: list[bytes] = []
        self._unsent = self._unsent_control = self._queued = self._batch = 0
        """Bytes not with the system yet, frames without data among them, bytes in `_outgoing`, and bytes that `outgoing` gave last."""
        self._unasked = 0
        """Bytes that others began to send, not counted yet (`receive`)."""
        self._heard = True
        """Anything, since it was last looked."""
        self._heard_at = asyncio.get_running_loop().time()

    async def close(self) -> None:
        """Tell the other side, wait until it has read that, and end every stream."""
        if self.is_ended:
            return
        self.post(frames.write(frames.GO_AWAY, 0, 0))
        until = asyncio.get_running_loop().time() + MUXER_CLOSE_SECONDS
        while self._unsent and not self.is_ended and await self._room_by(until):
            pass
        if not self.is_ended and self._carrier.finish():
            while not self.is_ended and await self._room_by(until):
                pass
        self.end()

    def end(self) -> None:
        """End the connection and every stream now. Idempotent."""
        if self.is_ended:
            return
        self.is_ended = True
        for stream in list(self.streams.values()):
            stream.lose()
        self._carrier.end()
        self.room.notify()
        self._ended()

    def open(self) -> MuxedStream:
        """Return a new stream to the other side. Raises `MuxedStreamError`."""
        if self.is_ended:
            raise MuxedStreamError("the connection has ended")
        if self._opened >= STREAMS_PER_DIRECTION:
            raise MuxedStreamError(f"{STREAMS_PER_DIRECTION} streams are open, the most there may be")
        # No wait for the other side's ACK, as go-yamux does it: data may follow the SYN within the first window.
        stream = self.streams[self._next_id] = MuxedStream(self, self._next_id)
        self._opened += 1
        self._next_id += 2
        self.post(frames.write(frames.WINDOW, frames.SYN, stream.stream_id))
        return stream

    def look(self, now: float) -> None:
        """Ask for a sign of life; end a connection that gave none for SILENCE_SECONDS. Called every PING_SECONDS."""
        if self._heard:
            self._heard, self._heard_at = False, now
        elif now - self._heard_at >= SILENCE_SECONDS:
            self.end()
            return
        self.post(frames.write(frames.PING, frames.SYN, 0, 1))

    async def _room_by(self, until: float) -> bool:
        left = until - asyncio.get_running_loop().time()
        return left > 0 and await self.room.wait(left)

    # What its streams ask of it.

    @property
    def full(self) -> bool:
        """Return whether so much waits to be sent that the streams should wait."""
        return self._unsent >= UNSENT_MAX_BYTES

    def post(self, frame: bytes) -> None:
        """Queue a frame, to be sent in this turn of the loop or later."""
        if not self.is_ended:
            self._outgoing.append(frame)
            self._unsent += len(frame)
            self._queued += len(frame)
            self._unsent_control += len(frame) == frames.HEADER_BYTES
            self._carrier.wake()

    def hold(self, stream_id: int, size: int) -> None:
        """Hold bytes that have come. What we asked for is not counted against the other side; what it begins is. Raises
        `RemoteProtocolError`."""
        if not self.admission.memory.hold(size):
            raise RemoteProtocolError("more comes than is read")
        if not self._ours(stream_id):
            self._unasked += size

    def forget(self, stream: MuxedStream) -> None:
        """Remove a stream that has ended."""
        if self.streams.pop(stream.stream_id, None) is not None:
            if self._ours(stream.stream_id):
                self._opened -= 1
            else:
                self._accepted -= 1

    def _ours(self, stream_id: int) -> bool:
        return stream_id % 2 == self._next_id % 2

    # What its carrier asks of it and tells it.

    def receive(self, data: bytes) -> None:
        """Handle received bytes. Raises `RemoteProtocolError`, and `EOFError` when the other side goes away."""
        self._heard = True
        for frame in self._reader.receive(data):
            if frame.kind == frames.GO_AWAY:
                raise EOFError
            self._take(frame)
        # Once for all that came together, before any of it is acted on.
        unasked, self._unasked = self._unasked, 0
        if unasked and not self.admission.received(self.peer, unasked, self.origin):
            raise RemoteProtocolError("more comes than may come in a minute")
        if self._unsent_control > CONTROL_FRAMES_MAX:
            # Pings and stream openings each cost the sender a header and us an answer. The window bounds data only.
            raise RemoteProtocolError("it makes us answer and does not read our answers")

    def outgoing(self) -> bytes:
        """Return the next batch of bytes to send, and remove it from the queue."""
        if not self._outgoing:
            return b""
        if self._queued <= BATCH_MAX_BYTES:
            batch, self._outgoing, self._unsent_control = b"".join(self._outgoing), [], 0
        else:
            batch = b"".join(self._take_frames())
        self._batch = len(batch)
        self._queued -= self._batch
        return batch

    def _take_frames(self) -> list[bytes]:
        """Return the frames of one batch."""
        size = count = 0
        for frame in self._outgoing:
            size += len(frame)
            # At least one frame: a single one is never larger than a batch (FRAME_MAX_BYTES).
            if size > BATCH_MAX_BYTES and count:
                break
            count += 1
        taken, self._outgoing = self._outgoing[:count], self._outgoing[count:]
        self._unsent_control -= sum(len(frame) == frames.HEADER_BYTES for frame in taken)
        return taken

    def sent(self) -> None:
        """Note that the last of `outgoing` was passed to the system."""
        self._unsent -= self._batch
        self._batch = 0
        self.room.notify()

    def lost(self) -> None:
        """Note that the transport has ended."""
        self.end()

    def _take(self, frame: MuxerFrame) -> None:
        if not frame.data:
            self._unasked += CONTROL_FRAME_COSTS_BYTES
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
        """Return a stream that the other side opens; None when it has too many. Raises `RemoteProtocolError`."""
        if self._ours(stream_id) or stream_id in self.streams or not stream_id:
            raise RemoteProtocolError(f"stream {stream_id} is not theirs to open")
        stream = MuxedStream(self, stream_id)
        if self._accepted >= STREAMS_PER_DIRECTION:
            self.post(frames.write(frames.WINDOW, frames.RST, stream_id))
            return None
        self.streams[stream_id] = stream
        self._accepted += 1
        self.post(frames.write(frames.WINDOW, frames.ACK, stream_id))
        # It has a task when it is admitted, and is abandoned when it is not.
        self._accept_stream(stream)
        return stream
