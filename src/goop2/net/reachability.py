"""Whether others can dial this peer, which only somebody who did can say (AutoNAT; protocols/autonat.py). Nothing is guessed.

    client   asks a peer it is connected to, a relay for one, to dial it where that peer sees it, and at the port it listens on there;
             an address counts when the nonce came back on a connection somebody made to us, and for PROOF_SECONDS. Of version 1, which has
             no nonce, a yes counts only when somebody from the server's network connected meanwhile
    server   dials whoever asks, at its own IP address and no other, so that nobody has us dial a third; by another name, and not from
             the listening port: a router could take such a dial for an answer

A peer that is asked sees nothing it does not see anyway: our address and our port.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import secrets
import socket
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from typing import Final

import structlog

from goop2.config.ticks import seconds_to_tick
from goop2.folder.identity import ephemeral
from goop2.net.admission import TokenBucket
from goop2.net.connection import Connection
from goop2.net.connections import ConnectionTable
from goop2.net.dialling import FAULTS
from goop2.net.host import Host
from goop2.net.limits import (
    DIAL_BACK_SECONDS,
    DIAL_BACKS_AT_ONCE,
    DIAL_BACKS_PER_MINUTE,
    DIAL_BACKS_PER_MINUTE_AND_NETWORK,
    PROBE_SECONDS,
    PROOF_SECONDS,
    REACHABILITY_LOOK_SECONDS,
    REACHABILITY_SECONDS,
    REACHABILITY_SERVERS,
)
from goop2.net.muxer import MuxedStream
from goop2.net.requests import NoProtocolSupportedError, Requester
from goop2.net.stream import Stream
from goop2.net.transport import SocketTransport
from goop2.net.upgrade import Upgrade, Upgrader
from goop2.protocols import autonat, multiaddr, peer_ids
from goop2.protocols.autonat import DialRequest, DialResponse
from goop2.protocols.errors import RemoteProtocolError
from goop2.protocols.source_network import network_of

ANSWERED_WITHIN_SECONDS: Final = 4 * DIAL_BACK_SECONDS
"""Of a server: other implementations dial for ten seconds."""
_EVERYBODY: Final = ""
_log: structlog.typing.FilteringBoundLogger = structlog.get_logger("goop2.net")


class NotDialledError(RemoteProtocolError):
    """A server dialled nobody; the message says why."""


class Reachability:
    """What is known of the ways to this peer; made by `open_reachability`.

    `changed` is called when that changes. `own`: the IP addresses of this machine; that somebody on the same private network can dial them
    says nothing about others, and nobody is asked.
    """

    def __init__(
        self,
        host: Host,
        changed: Callable[[], object] = lambda: None,
        own: Callable[[], Iterable[str]] = tuple,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._host = host
        self._clock = clock
        self._changed = changed
        self._own = own
        self._asked_at: dict[tuple[str, str], float] = {}
        """Server and address → when it was asked last."""
        self._proved: dict[str, float] = {}
        """Address → until when it counts as one we are reached at."""
        self._disproved: dict[str, float] = {}
        """Address → until when it counts as one nobody came to."""
        self._waiting: dict[int, asyncio.Event] = {}
        """Nonce → set when somebody brought it."""
        self._came: Counter[str] = Counter()
        """Network → connections that came from it."""
        self._detach = host.watch(self._connected)

    @property
    def addresses(self) -> tuple[str, ...]:
        """Return the addresses at which somebody has dialled us not long ago, `/ip4/192.0.2.7/tcp/4001`."""
        return tuple(address for address, until in self._proved.items() if until > self._clock())

    @property
    def is_reachable(self) -> bool | None:
        """Return whether others can dial this peer: True when somebody did, False when nobody who tried could, None when nobody tried."""
        if self.addresses:
            return True
        return False if any(until > self._clock() for until in self._disproved.values()) else None

    async def attach(self) -> None:
        """Take the nonces of those who dial back."""
        await self._host.serve(autonat.DIAL_BACK, self._dialled_back, PROBE_SECONDS)

    def close(self) -> None:
        """Ask nobody any more."""
        self._detach()

    async def keep_asking(self) -> None:
        """For ever: have others dial this peer where they see it, soon after a change and then now and again."""
        while True:
            await asyncio.sleep(seconds_to_tick(REACHABILITY_LOOK_SECONDS))
            self._forget()
            for connection in self._host.connections():
                for address in self._due(connection):
                    await self._ask(connection, address)

    def _connected(self, connection: Connection) -> None:
        if not (connection.is_relayed or connection.opened_by_us):
            self._came[connection.origin] += 1

    def _forget(self) -> None:
        now = self._clock()
        before = self.addresses, self.is_reachable
        for words in (self._proved, self._disproved):
            for address in [address for address, until in words.items() if until <= now]:
                del words[address]
        for question in [question for question, at in self._asked_at.items() if at + REACHABILITY_SECONDS <= now]:
            del self._asked_at[question]
        self._came.clear()
        if before != (self.addresses, self.is_reachable):
            self._changed()

    def _due(self, connection: Connection) -> list[str]:
        """Return the addresses to ask the other side about now."""
        said = connection.identified
        if said is None or connection.is_relayed or not connection.is_open or not said.observed:
            return []
        if not {autonat.DIAL_REQUEST, autonat.VERSION_1} & said.protocols:
            return []
        host, port = _parts(said.observed)
        if not host or self._is_near(host):
            return []
        ports = dict.fromkeys((port if connection.from_listening_port else "", str(self._host.port)))
        addresses = [f"{host}/tcp/{each}" for each in ports if each not in ("", "0")]
        asked = Counter(address for _, address in self._asked_at)
        return [
            address for address in addresses if (connection.peer, address) not in self._asked_at and asked[address] < REACHABILITY_SERVERS
        ]

    def _is_near(self, host: str) -> bool:
        ip = host.rpartition("/")[2]
        return not ipaddress.ip_address(ip).is_global and ip in self._own()

    async def _ask(self, connection: Connection, address: str) -> None:
        """Have the other side dial us at this address, and note what came of it."""
        self._asked_at[connection.peer, address] = self._clock()
        assert connection.identified is not None
        ask = self._ask_2 if autonat.DIAL_REQUEST in connection.identified.protocols else self._ask_1
        try:
            async with asyncio.timeout(ANSWERED_WITHIN_SECONDS):
                came = await ask(connection, address)
        except FAULTS as error:
            _log.debug("nobody was asked to dial back", server=connection.peer, why=str(error) or type(error).__name__)
            return
        self._note(connection.peer, address, came=came)

    def _note(self, server: str, address: str, *, came: bool) -> None:
        before = self.addresses, self.is_reachable
        until = self._clock() + PROOF_SECONDS
        if came:
            self._proved[address] = until
            self._disproved.pop(address, None)
        elif address not in self.addresses:
            # One who could dial us weighs more than one who could not.
            self._disproved[address] = until
        if before != (self.addresses, self.is_reachable):
            _log.info("this peer was dialled" if came else "this peer was not reached", address=address, by=server)
            self._changed()

    async def _ask_2(self, connection: Connection, address: str) -> bool:
        nonce = secrets.randbits(64)
        brought = self._waiting[nonce] = asyncio.Event()
        try:
            async with await self._host.open_on(connection, autonat.DIAL_REQUEST) as stream:
                await stream.write(autonat.dial_request([address], nonce))
                answer = autonat.read_dial_response(await _message(stream))
            if not isinstance(answer, DialResponse):
                raise NotDialledError("the server wants to be sent bytes first")
            if answer.status != autonat.OK or answer.index != 0:
                raise NotDialledError(f"the server dialled nobody (status {answer.status})")
            if answer.dial_status == autonat.DIAL_ERROR:
                return False
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(brought.wait(), PROBE_SECONDS)
            if not brought.is_set():
                raise NotDialledError("the server says it has dialled us, and nobody came")
            return True
        finally:
            del self._waiting[nonce]

    async def _ask_1(self, connection: Connection, address: str) -> bool:
        before = self._came[connection.origin]
        async with await self._host.open_on(connection, autonat.VERSION_1) as stream:
            await stream.write(autonat.v1_dial(peer_ids.to_bytes(self._host.peer_id), [address]))
            status, text, dialled = autonat.read_v1_response(await _message(stream))
        if status == autonat.V1_DIAL_ERROR:
            return False
        if status != autonat.V1_OK or dialled.partition("/p2p/")[0] != address:
            raise NotDialledError(f"the server dialled nobody there (status {status}, {text or 'no word'})")
        if self._came[connection.origin] == before:
            raise NotDialledError("the server says it has dialled us, and nobody came")
        return True

    async def _dialled_back(self, stream: Stream) -> None:
        brought = self._waiting.get(autonat.read_dial_back(await _message(stream)))
        if brought is None or stream.connection.is_relayed or stream.connection.opened_by_us:
            raise RemoteProtocolError("nobody was asked to bring this")
        brought.set()
        await stream.finish(autonat.dial_back_response())


class DialBack:
    """Dials peers that ask for it; made by `open_dial_back`."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._networks = TokenBucket(DIAL_BACKS_PER_MINUTE_AND_NETWORK, time.monotonic)
        self._all = TokenBucket(DIAL_BACKS_PER_MINUTE, time.monotonic)
        self._under_way: set[str] = set()
        """Peers that are dialled now."""
        connections = ConnectionTable(per_peer=1, most=1)
        # By another name: the peer has a connection to this one already, and a second must not end it.
        self._upgrader = Upgrader(ephemeral(), host.admission, MuxedStream.abandon, connections)
        self._requester = Requester(connections, asyncio.create_task)

    async def attach(self) -> None:
        """Answer those who want to be dialled."""
        await self._host.serve(autonat.DIAL_REQUEST, self._answer_2, ANSWERED_WITHIN_SECONDS)
        await self._host.serve(autonat.VERSION_1, self._answer_1, ANSWERED_WITHIN_SECONDS)

    async def _answer_2(self, stream: Stream) -> None:
        request = autonat.read_dial_request(await _message(stream))
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
        peer, addresses = autonat.read_v1_dial(await _message(stream))
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
        """Return whether an address is at the host the peer comes from; of one that comes through a relay nobody knows that."""
        host, port = _parts(address)
        return bool(host) and port != "0" and not stream.connection.is_relayed and _parts(stream.connection.remote)[0] == host

    @contextlib.contextmanager
    def _place(self, stream: Stream) -> Iterator[bool]:
        """Give whether the peer may be dialled now; while the block runs nobody else of its id is."""
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
        """Dial a peer and bring it its nonce, where it has one; the status to say."""
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
            autonat.read_dial_back_response(await _message(stream))
        finally:
            stream.reset()


@contextlib.asynccontextmanager
async def open_reachability(
    host: Host, changed: Callable[[], object] = lambda: None, own: Callable[[], Iterable[str]] = tuple
) -> AsyncIterator[Reachability]:
    """Find out how this peer is reached until the block is left; `changed` and `own` as `Reachability` has them."""
    reachability = Reachability(host, changed, own)
    await reachability.attach()
    asking = asyncio.create_task(reachability.keep_asking())
    try:
        yield reachability
    finally:
        reachability.close()
        asking.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asking


async def open_dial_back(host: Host) -> DialBack:
    """Dial those who ask for it, for as long as the host is there."""
    server = DialBack(host)
    await server.attach()
    return server


async def _message(stream: Stream) -> bytes:
    """Return the next message of a stream. Raises one of `dialling.FAULTS`; its time is the caller's affair."""
    reader = autonat.reader()
    while (message := reader.next_message()) is None:
        piece = await stream.read(None)
        if not piece:
            reader.end()
        reader.feed(piece)
    return message


def _parts(address: str) -> tuple[str, str]:
    """Return `/ip4/<host>` and the port of an address, "" and "" when it has none of its own."""
    try:
        parts: Sequence[tuple[str, str]] = multiaddr.parse(address)
    except multiaddr.MultiaddrError:
        return "", ""
    if [name for name, _ in parts] not in (["ip4", "tcp"], ["ip6", "tcp"]):
        return "", ""
    return f"/{parts[0][0]}/{parts[0][1]}", parts[1][1]
