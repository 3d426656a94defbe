"""Dial peers that ask whether they can be dialled (AutoNAT, both versions; protocols/autonat.py).

A peer that asks is dialled at its own IP address only, so nobody can make this peer dial a third party. The dial uses a key other than this
peer's, and not the listening port: a router could take a dial from that port for an answer. A refused dial takes as long as an unanswered
one, so that the answer says nothing of closed ports.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import Iterator
from typing import Final

from goop2.folder.identity import ephemeral
from goop2.net.admission import TokenBucket
from goop2.net.connection import Connection
from goop2.net.connections import ConnectionTable
from goop2.net.delimited import next_message
from goop2.net.dialling import FAULTS
from goop2.net.host import Host
from goop2.net.limits import (
    DIAL_BACK_SECONDS,
    DIAL_BACKS_AT_ONCE,
    DIAL_BACKS_PER_MINUTE,
    DIAL_BACKS_PER_MINUTE_AND_NETWORK,
    DIALLED_BACK_WITHIN_SECONDS,
    PROBE_SECONDS,
)
from goop2.net.muxer import MuxedStream
from goop2.net.requests import NoProtocolSupportedError, Requester
from goop2.net.stream import Stream
from goop2.net.transport import SocketTransport
from goop2.net.upgrade import Upgrade, Upgrader
from goop2.protocols import autonat, multiaddr, peer_ids
from goop2.protocols.autonat import DialRequest
from goop2.protocols.source_network import network_of

_EVERYBODY: Final = ""


class DialBack:
    """Dials peers that ask for it. Made by `open_dial_back`."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._networks = TokenBucket(DIAL_BACKS_PER_MINUTE_AND_NETWORK, time.monotonic)
        self._all = TokenBucket(DIAL_BACKS_PER_MINUTE, time.monotonic)
        self._under_way: set[str] = set()
        """Peers that are dialled now."""
        # A table of its own: connections of dial-back must not show up as connections of the host.
        connections = ConnectionTable(per_peer=1, most=1)
        # By another name: the peer has a connection to this one already, and a second must not end it.
        self._upgrader = Upgrader(ephemeral(), host.admission, MuxedStream.abandon, connections)
        self._requester = Requester(connections, asyncio.create_task)

    async def attach(self) -> None:
        """Answer peers that ask to be dialled."""
        await self._host.serve(autonat.DIAL_REQUEST, self._answer_2, DIALLED_BACK_WITHIN_SECONDS)
        await self._host.serve(autonat.VERSION_1, self._answer_1, DIALLED_BACK_WITHIN_SECONDS)

    async def _answer_2(self, stream: Stream) -> None:
        request = autonat.read_dial_request(await next_message(stream, autonat.reader()))
        index = next((at for at, address in enumerate(request.addresses) if self._is_its_own(stream, address)), None)
        if index is None:
            await stream.finish(autonat.dial_response(autonat.REFUSED))
            return
        with self._place(stream) as admitted:
            if not admitted:
                await stream.finish(autonat.dial_response(autonat.REJECTED))
                return
            status = await self._dial_back(stream.peer, request, request.addresses[index])
        await stream.finish(autonat.dial_response(autonat.OK, index, status))

    async def _answer_1(self, stream: Stream) -> None:
        peer, addresses = autonat.read_v1_dial(await next_message(stream, autonat.reader()))
        if peer and peer != peer_ids.to_bytes(stream.peer):
            await stream.finish(autonat.v1_response(autonat.V1_BAD_REQUEST, "this is another peer's id"))
            return
        address = next((address for address in addresses if self._is_its_own(stream, address)), "")
        if not address:
            await stream.finish(autonat.v1_response(autonat.V1_DIAL_REFUSED, "no address of yours"))
            return
        with self._place(stream) as admitted:
            if not admitted:
                await stream.finish(autonat.v1_response(autonat.V1_DIAL_REFUSED, "too many dials"))
                return
            status = await self._dial_back(stream.peer, None, address)
        if status == autonat.OK:
            await stream.finish(autonat.v1_response(autonat.V1_OK, "", address))
        else:
            await stream.finish(autonat.v1_response(autonat.V1_DIAL_ERROR, "nobody answers there"))

    def _is_its_own(self, stream: Stream, address: str) -> bool:
        """Return whether an address is at the host the peer comes from; never for a peer that comes through a relay."""
        host, port = autonat.ip_and_port(address)
        return bool(host) and port != "0" and not stream.connection.is_relayed and autonat.ip_and_port(stream.connection.remote)[0] == host

    @contextlib.contextmanager
    def _place(self, stream: Stream) -> Iterator[bool]:
        """Yield whether the peer may be dialled now; while the block runs no other peer of its id is."""
        peer = stream.peer
        full = peer in self._under_way or len(self._under_way) >= DIAL_BACKS_AT_ONCE
        if full or not self._networks.take(stream.origin) or not self._all.take(_EVERYBODY):
            yield False
            return
        self._under_way.add(peer)
        try:
            yield True
        finally:
            self._under_way.discard(peer)

    async def _dial_back(self, peer: str, request: DialRequest | None, address: str) -> int:
        """Dial a peer and send its nonce, if it has one; return the status to answer."""
        began = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(DIAL_BACK_SECONDS):
                connection = await self._dial(peer, address)
        except FAULTS:
            # As long for a port that refuses as for one that drops: nobody learns which of a machine's ports are open.
            await asyncio.sleep(DIAL_BACK_SECONDS - (asyncio.get_running_loop().time() - began))
            return autonat.DIAL_ERROR
        try:
            async with asyncio.timeout(PROBE_SECONDS):
                if request is not None:
                    await self._bring(connection, request.nonce)
        except (*FAULTS, NoProtocolSupportedError):
            return autonat.DIAL_BACK_ERROR
        finally:
            await connection.close()
        return autonat.OK

    async def _dial(self, peer: str, address: str) -> Connection:
        (family, host), (_, port) = multiaddr.parse(address)
        opened = socket.socket(socket.AF_INET6 if family == "ip6" else socket.AF_INET, socket.SOCK_STREAM)
        try:
            opened.setblocking(False)
            await asyncio.get_running_loop().sock_connect(opened, (host, int(port)))
        except BaseException:
            opened.close()
            raise
        about = Upgrade(opened_by_us=True, expected=peer, remote=address, origin=network_of(host), from_listening_port=False)
        return await self._upgrader.upgrade(SocketTransport(opened), about)

    async def _bring(self, connection: Connection, nonce: int) -> None:
        stream = await self._requester.open_on(connection, (autonat.DIAL_BACK,))
        try:
            await stream.finish(autonat.dial_back(nonce))
            autonat.read_dial_back_response(await next_message(stream, autonat.reader()))
        finally:
            stream.reset()


async def open_dial_back(host: Host) -> DialBack:
    """Dial peers that ask for it until the block is left."""
    server = DialBack(host)
    await server.attach()
    return server
