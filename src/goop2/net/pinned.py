"""What must be otherwise in py-libp2p 0.8.1, each with its reason. It reaches into the library, so the version is checked.

1. Its muxer holds back nobody, and is slow: `settle` puts ours in its place, see muxer.py.
2. It asks the system for each two bytes of length and then for the bytes: `_Ahead` reads what is there, and after the handshake
   carriers.py takes the socket over.
3. An inbound connection holds its place, its task and its socket until the host ends, however long it is closed. `inbound` gives them back.
4. Listening shares a port that is taken (SO_REUSEPORT), so that two peers get each other's visitors. Ours fails,
   unless what has the port is over: a peer that starts again gets its own.
5. A resource manager with limits of its own comes unasked, and an auto-connector that dials every peer ever heard of. `settle` ends both.
6. Each stream that opens or ends is told to everybody in a task each, and nobody listens.
7. Of the peers it has met it keeps a thousand and forgets its own key first, without which gossip is silent; and it notes for ever who has
   gone, for the auto-connector. `_forget_the_gone` forgets those that are not connected, the longest known first.
8. It lets in whoever proves the peer's own id. Only a copy of the peer's key can, and rows of the owner's would be its: `_mux` refuses it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import trio
from libp2p.host.basic_host import BasicHost
from libp2p.io.abc import ReadWriteCloser
from libp2p.io.trio import TrioTCPStream
from libp2p.network.connection.raw_connection import RawConnection
from libp2p.peer.id import ID
from libp2p.transport.exceptions import MuxerUpgradeFailure
from libp2p.transport.tcp import tcp

from goop2.net.accepting import Accepting
from goop2.net.address import CIRCUIT
from goop2.net.admission import Admission, AdmissionError
from goop2.net.carriers import Carrier, LibraryCarrier, SocketCarrier
from goop2.net.limits import READ_MAX_BYTES
from goop2.net.muxer import Muxer
from goop2.net.news import Enter
from goop2.net.packets import Packets
from goop2.protocols.source_network import network_of

PINNED = "0.8.1"

Log = Callable[[str], object]


def settle(host: BasicHost, admission: Admission, refused: Log, enter: Enter) -> None:
    """Make a new host keep our limits. Call before it runs."""
    if version("libp2p") != PINNED:
        raise RuntimeError(f"py-libp2p {version('libp2p')} is installed; goop2 reaches into {PINNED} and needs exactly that")
    swarm: Any = host.get_network()
    swarm.set_resource_manager(None)
    swarm.retry_config.max_retries = 0
    swarm.auto_connector.run_background_task = _nothing
    swarm._schedule_auto_connect = lambda: None
    swarm.notify_opened_stream = swarm.notify_closed_stream = _nothing
    swarm.set_stream_handler(Accepting(host.get_mux().handlers, admission, refused))
    _mux(swarm, admission, enter)
    _forget_the_gone(swarm)
    _read_ahead(swarm)
    _give_places_back(swarm, admission, refused)


async def _nothing(*_arguments: object) -> None:
    pass


def quiet() -> None:
    """Process-wide: the port that is not shared, and a log that strangers cannot fill."""
    tcp._set_reuse_flags = _reuse_ended
    for library in ("libp2p", "trio.serve_listeners"):  # the second tells each connection there was no descriptor for
        logging.getLogger(library).setLevel(logging.CRITICAL)


def _reuse_ended(sock: trio.socket.SocketType) -> None:
    """A port may be had again at once when its last peer has ended (its connections linger for a minute), and not while one listens."""
    sock.setsockopt(trio.socket.SOL_SOCKET, trio.socket.SO_REUSEADDR, 1)


def _mux(swarm: Any, admission: Admission, enter: Enter) -> None:
    muxers = swarm.upgrader.muxer_multistream

    async def new_conn(conn: Any, peer: ID) -> Any:
        if peer == swarm.get_peer_id():
            raise MuxerUpgradeFailure("the other side has this peer's own key")
        protocol, _its_own = await muxers._selector.select(conn, conn.is_initiator, muxers.negotiate_timeout)
        carrier = _carrier(conn, enter)
        return muxers._annotate_connection(Muxer(conn, peer, admission, enter, carrier, _origin(conn)), conn, protocol)

    muxers.new_conn = new_conn


def _carrier(conn: Any, enter: Enter) -> Carrier:
    """Return the socket under a secured connection, where there is one, and what was read of it already."""
    secured = conn.conn
    ahead = secured.read_writer.read_write_closer.stream
    if not (isinstance(ahead, _Ahead) and isinstance(ahead.inner, TrioTCPStream)):
        return LibraryCarrier(conn, enter)
    return SocketCarrier(ahead.inner.stream.socket, Packets(secured.noise_state, ahead.rest()), conn._drain(None), enter)


def _origin(conn: Any) -> str:
    """Return where the other side of a secured connection comes from (`Muxer.origin`)."""
    address = conn.get_remote_address()
    if address:
        return network_of(address[0])
    relay = next((way.value_for_protocol("p2p") for way in conn.get_transport_addresses() if CIRCUIT in str(way)), None)
    return f"{CIRCUIT}/{relay}" if relay else ""


def _forget_the_gone(swarm: Any) -> None:
    known = swarm.peerstore

    def forget() -> None:
        excess = len(known.peer_data_map) - known.max_peers
        if excess > 0:
            needed = {swarm.get_peer_id(), *swarm.get_connections_map()}
            for peer in [peer for peer in known.peer_data_map if peer not in needed][:excess]:
                known.clear_peerdata(peer)

    known._enforce_peer_limit = forget
    swarm.auto_connector.record_disconnect = lambda _peer: forget()


def _read_ahead(swarm: Any) -> None:
    upgrade = swarm.upgrade_outbound_raw_conn

    async def upgrade_ahead(raw: Any, *arguments: Any, **keywords: Any) -> Any:
        raw.stream = _Ahead(raw.stream)
        return await upgrade(raw, *arguments, **keywords)

    swarm.upgrade_outbound_raw_conn = upgrade_ahead


def _give_places_back(swarm: Any, admission: Admission, refused: Log) -> None:
    async def inbound(stream: Any, listen_address: Any) -> None:
        # The listener closes the socket when this returns.
        address = stream.get_remote_address()
        handshake = trio.CancelScope()
        try:
            with admission.connection(network_of(address[0]) if address else "", handshake.cancel) as done:
                with handshake:
                    muxed: Any = await swarm.upgrade_inbound_raw_conn(RawConnection(_Ahead(stream), False), listen_address)
                    done()
                if not handshake.cancelled_caught:
                    await muxed.event_closed.wait()
        except AdmissionError as refusal:
            refused(str(refusal))

    swarm._handle_inbound_connection = inbound


class _Ahead(ReadWriteCloser):
    """A socket's stream, read as far as it has come."""

    def __init__(self, stream: Any) -> None:
        self.inner = stream
        self._read = b""

    async def read(self, n: int | None = None) -> bytes:
        got = self._read or await self.inner.read(READ_MAX_BYTES)
        size = len(got) if n is None else n
        self._read = got[size:]
        return got[:size]

    def rest(self) -> bytes:
        """Return what was read of the socket and of nobody from here; it is handed over once."""
        rest, self._read = self._read, b""
        return rest

    async def write(self, data: bytes) -> None:
        await self.inner.write(data)

    async def close(self) -> None:
        await self.inner.close()

    def get_remote_address(self) -> tuple[str, int] | None:
        address: tuple[str, int] | None = self.inner.get_remote_address()
        return address
