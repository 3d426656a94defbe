"""Real hosts on loopback for the tests of this folder."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Callable

import pytest

from goop2.folder.identity import Identity, _peer_id, _public_key
from goop2.net.address import parse
from goop2.net.host import Host, open_host
from goop2.net.limits import HostLimits
from goop2.net.stream import Stream

LOOPBACK = "127.0.0.1"
SECONDS = 20
"""Ends a hang; nothing here waits for it."""


def new_identity() -> Identity:
    """A peer of its own."""
    seed = secrets.token_bytes(32)
    return Identity(_peer_id(_public_key(seed)), seed)


def loopback_host(limits: HostLimits | None = None, port: int = 0) -> contextlib.AbstractAsyncContextManager[Host]:
    """A host nobody beyond this machine can reach."""
    return open_host(new_identity(), port, limits, LOOPBACK)


@contextlib.asynccontextmanager
async def two_hosts(limits: HostLimits | None = None) -> AsyncIterator[tuple[Host, Host]]:
    """A caller that is connected to a callee; the limits are the callee's."""
    async with loopback_host() as caller, loopback_host(limits) as callee:
        await connect(caller, callee)
        yield caller, callee


async def connect(caller: Host, callee: Host) -> None:
    await caller.connect(callee.peer_id, [parse(address) for address in callee.addresses])


async def read_all(stream: Stream) -> bytes:
    pieces = []
    while piece := await stream.read():
        pieces.append(piece)
    return b"".join(pieces)


async def echo(stream: Stream) -> None:
    """Gives back what it is sent, when that is all."""
    await stream.finish(await read_all(stream))


async def asked(caller: Host, callee: Host, request: bytes, protocol: str = "/test/echo") -> bytes:
    """One exchange."""
    async with await caller.open(callee.peer_id, protocol) as stream:
        await stream.finish(request)
        return await read_all(stream)


async def until(condition: Callable[[], bool]) -> None:
    """Waits for what another task brings about."""
    for _ in range(500):
        if condition():
            return
        await asyncio.sleep(0.01)
    pytest.fail("it did not come about within 5 s")
