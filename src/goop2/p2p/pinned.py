"""What must be otherwise in py-libp2p 0.8.1, each with its reason. It reaches into the library, so the version is checked.

1. A stream's window is not enforced: the sender may go on and everything is kept. `bound` gives each connection buffers that count.
2. Windows grow to 16 MB, and a frame that long is read before anybody looks at it. Ours end at WINDOW_MAX_BYTES.
3. An inbound connection holds its place, its task and its socket until the host ends, however long it is closed. `inbound` gives them back.
4. Listening shares a port that is taken (SO_REUSEPORT), so that two peers get each other's visitors. Ours fails,
   unless what has the port is over: a peer that starts again gets its own.
5. Writing gives up after 5 s without window, with part of the data sent. `window` lets us wait before we write.
6. A resource manager with limits of its own comes unasked, and an auto-connector that dials every peer ever heard of. `settle` ends both.
7. A dial whose handshake fails leaves its socket open.
8. A stream that was reset ends like one that is done. `was_reset` tells them apart.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import trio
from libp2p.host.basic_host import BasicHost
from libp2p.network.connection.raw_connection import RawConnection
from libp2p.network.stream.net_stream import NetStream
from libp2p.stream_muxer.yamux import yamux
from libp2p.stream_muxer.yamux.yamux import Yamux
from libp2p.transport.tcp import tcp

from goop2.p2p.admission import Admission, Refused
from goop2.p2p.limits import WINDOW_MAX_BYTES

PINNED = "0.8.1"
_POLL_SECONDS = 0.01

Log = Callable[[str], object]


class Flood(trio.TooSlowError):
    """More comes than is read. The muxer closes a connection whose handling raises TooSlowError, and no other exception of our choice."""


def settle(host: BasicHost, admission: Admission, refused: Log) -> None:
    """Make a new host keep our limits. Call before it runs."""
    if version("libp2p") != PINNED:
        raise RuntimeError(f"py-libp2p {version('libp2p')} is installed; goop2 reaches into {PINNED} and needs exactly that")
    swarm: Any = host.get_network()
    swarm.set_resource_manager(None)
    swarm.retry_config.max_retries = 0
    swarm.auto_connector.run_background_task = _nothing
    swarm._schedule_auto_connect = lambda: None
    _bound_connections(swarm, admission)
    _close_failed_dials(swarm)
    _give_places_back(swarm, admission, refused)
    _bound_streams(swarm, admission, refused)


async def _nothing(*_arguments: object) -> None:
    pass


def quiet() -> None:
    """Process-wide: the window's end, the port that is not shared, and a log that strangers cannot fill."""
    yamux.MAX_WINDOW_SIZE = WINDOW_MAX_BYTES
    tcp._set_reuse_flags = _reuse_ended
    logging.getLogger("libp2p").setLevel(logging.CRITICAL)


def _reuse_ended(sock: trio.socket.SocketType) -> None:
    """A port may be had again at once when its last peer has ended (its connections linger for a minute), and not while one listens."""
    sock.setsockopt(trio.socket.SOL_SOCKET, trio.socket.SO_REUSEADDR, 1)


def send_window(stream: NetStream) -> int:
    """Bytes the other side would take now; more than nothing too when the stream is no more, so that writing says so."""
    muxed: Any = stream.muxed_stream
    return int(muxed.send_window) or int(muxed.closed or muxed.send_closed)


def refused(failure: BaseException) -> bool:
    """Whether a stream could not be opened because the other side speaks no such protocol, and not because it is gone or full."""
    return "not supported" in str(failure.__cause__)


def was_reset(stream: NetStream) -> bool:
    """Whether what looks like the end is none: a stream that was reset, or whose connection is lost, reads like one that is done."""
    muxed: Any = stream.muxed_stream
    return bool(muxed.reset_received)


def ended(stream: NetStream) -> bool:
    """Whether both sides have said that no more comes, so that the muxer has forgotten it."""
    muxed: Any = stream.muxed_stream
    return bool(muxed.closed)


async def window(stream: NetStream) -> int:
    """Waits until the other side would take something, and gives how many bytes."""
    while not (size := send_window(stream)):  # noqa: ASYNC110 (the library has no event to wait for)
        await trio.sleep(_POLL_SECONDS)
    return size


def _bound_connections(swarm: Any, admission: Admission) -> None:
    add = swarm.add_conn

    async def add_conn(muxed: Any, direction: str = "unknown") -> Any:
        bound(muxed, admission)
        return await add(muxed, direction)

    swarm.add_conn = add_conn


def bound(muxed: Any, admission: Admission) -> None:
    """Give a connection that has not begun to read buffers that count what they hold."""
    muxed.stream_buffers = _Buffers(muxed, admission)


def _close_failed_dials(swarm: Any) -> None:
    upgrade = swarm.upgrade_outbound_raw_conn

    async def upgrade_or_close(raw: Any, *arguments: Any, **keywords: Any) -> Any:
        try:
            return await upgrade(raw, *arguments, **keywords)
        except BaseException:
            with trio.CancelScope(shield=True), contextlib.suppress(Exception):
                await raw.close()
            raise

    swarm.upgrade_outbound_raw_conn = upgrade_or_close


def _give_places_back(swarm: Any, admission: Admission, refused: Log) -> None:
    async def inbound(stream: Any, listen_address: Any) -> None:
        # The listener closes the socket when this returns.
        address = stream.get_remote_address()
        try:
            with admission.connection(address[0] if address else ""):
                muxed: Any = await swarm.upgrade_inbound_raw_conn(RawConnection(stream, False), listen_address)
                await muxed.event_closed.wait()
        except Refused as refusal:
            refused(str(refusal))

    swarm._handle_inbound_connection = inbound


def _bound_streams(swarm: Any, admission: Admission, refused: Log) -> None:
    handle = swarm.common_stream_handler

    async def counted(stream: Any) -> None:
        try:
            with admission.stream(str(stream.muxed_conn.peer_id)):
                await handle(stream)
        except Refused as refusal:
            refused(str(refusal))
            await stream.reset()

    swarm.set_stream_handler(counted)


class _Buffers(dict[int, bytearray]):
    """What a connection's streams hold unread, by stream id; as the muxer uses a dict of bytearrays."""

    def __init__(self, muxed: Yamux, admission: Admission) -> None:
        super().__init__()
        self.memory = admission.memory
        self._admission = admission
        self._peer = str(muxed.peer_id)
        self._our_parity = muxed.next_stream_id % 2

    def received(self, stream: int, size: int) -> bool:
        """Whether these bytes may come: what we asked for always, what they send of themselves as fast as the limit says."""
        return stream % 2 == self._our_parity or self._admission.received(self._peer, size)

    def __setitem__(self, stream: int, buffer: bytearray) -> None:
        super().__setitem__(stream, _Buffer(self, stream))

    def __delitem__(self, stream: int) -> None:
        self[stream].clear()
        super().__delitem__(stream)

    def pop(self, stream: int, *default: Any) -> Any:
        if stream in self:
            self[stream].clear()
        return super().pop(stream, *default)

    def clear(self) -> None:
        for buffer in self.values():
            buffer.clear()
        super().clear()


class _Buffer(bytearray):
    """Bytes of one stream, counted as they come and go."""

    def __init__(self, buffers: _Buffers, stream: int) -> None:
        super().__init__()
        self._buffers = buffers
        self._stream = stream

    def extend(self, data: Any) -> None:
        size = len(data)
        # The library lets an honest sender a little beyond the window it was given.
        if len(self) + size > 2 * WINDOW_MAX_BYTES or not self._buffers.received(self._stream, size) or not self._buffers.memory.hold(size):
            raise Flood
        super().extend(data)

    def clear(self) -> None:
        self._buffers.memory.free(len(self))
        super().clear()

    def __delitem__(self, key: Any) -> None:
        before = len(self)
        super().__delitem__(key)
        self._buffers.memory.free(before - len(self))
