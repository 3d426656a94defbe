"""The way to a socket: counted, and closed however it ends."""

from __future__ import annotations

import asyncio

import httpcore
import pytest

from goop2.services.http_client.connector import EgressConnector
from goop2.services.http_client.errors import OutboundError
from goop2.services.http_client.limits import HEADERS_MAX_BYTES, READ_BYTES, READ_COST_BYTES, RECEIVED_MAX_BYTES


class Sockets(httpcore.AsyncMockBackend):
    """Streams that give one byte a read, and say when they are closed."""

    def __init__(self, closing_takes: float = 0.0) -> None:
        super().__init__([])
        self.asked: list[int] = []
        self.closed = 0
        self._closing_takes = closing_takes

    async def connect_tcp(self, *_: object, **__: object) -> httpcore.AsyncNetworkStream:
        return Stream(self)

    async def close(self) -> None:
        await asyncio.sleep(self._closing_takes)  # what a close takes
        self.closed += 1


class Stream(httpcore.AsyncNetworkStream):
    def __init__(self, sockets: Sockets) -> None:
        self._sockets = sockets

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109
        self._sockets.asked.append(max_bytes)
        return b"x"

    async def start_tls(self, *_: object, **__: object) -> httpcore.AsyncNetworkStream:
        return Stream(self._sockets)

    async def aclose(self) -> None:
        await self._sockets.close()


async def admit(host: str, port: int) -> list[tuple[str, int]]:
    return [(host, port)]


async def reads_until_refused(stream: httpcore.AsyncNetworkStream) -> int:
    count = 0
    try:
        while True:
            await stream.read(65536)
            count += 1
    except OutboundError:
        return count


@pytest.mark.parametrize("encrypted", [False, True])
async def test_byte_after_byte_ends_long_before_a_megabyte_of_them(encrypted: bool) -> None:
    async with EgressConnector(admit, Sockets()) as network:
        stream = await network.connect_tcp("host", 80)
        if encrypted:
            stream = await stream.start_tls(None)  # type: ignore[arg-type]
        assert await reads_until_refused(stream) == HEADERS_MAX_BYTES // READ_COST_BYTES
        network.expect_body()
        assert await reads_until_refused(stream) == RECEIVED_MAX_BYTES // READ_COST_BYTES


async def test_a_little_is_taken_at_a_time() -> None:
    sockets = Sockets()
    async with EgressConnector(admit, sockets) as network:
        await (await network.connect_tcp("host", 80)).read(65536)
    assert sockets.asked == [READ_BYTES]


async def test_whoever_cancels_twice_leaves_nothing_open() -> None:
    sockets = Sockets(closing_takes=0.05)

    async def hang() -> None:
        async with EgressConnector(admit, sockets) as network:
            await network.connect_tcp("host", 80)
            await asyncio.sleep(60)  # until it is cancelled

    task = asyncio.create_task(hang())
    for _ in range(3):
        await asyncio.sleep(0.01)  # so that it is cancelled inside its close too
        task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.sleep(0.1)  # a second close would be counted by now
    assert sockets.closed == 1


async def test_a_socket_of_this_system_cannot_be_asked_for() -> None:
    async with EgressConnector(admit, Sockets()) as network:
        with pytest.raises(NotImplementedError):
            await network.connect_unix_socket("/run/docker.sock")
