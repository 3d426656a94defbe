"""A server nobody is connected to does nothing, and is up to date for the first who comes."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest
from tests.net.hosts import until

from goop2.config import Address
from goop2.web.http import server as module
from goop2.web.http.listeners import BoundListener, bound_to
from goop2.web.http.server import HttpServers, serve

TICK_SECONDS = 0.01


async def app(_scope: Any, _receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})


async def test_a_server_ticks_while_somebody_is_connected_and_not_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks: Counter[str] = Counter()
    on_tick = module._Server.on_tick

    async def counted(self: Any, counter: int) -> bool:
        ticks["all"] += 1
        return await on_tick(self, counter)

    monkeypatch.setattr(module._Server, "on_tick", counted)
    monkeypatch.setattr(module, "SWEEP_SECONDS", TICK_SECONDS)
    with bound_to(Address("127.0.0.1", 0), "12D3KooWCUdUXDtxNf2Wg5cTzuo9bYyUvHYY7ecLvSDKZgcZXWda") as listeners:
        listener: BoundListener = listeners[0]
        servers = HttpServers()
        async with serve(servers, [(listener, app)], lambda: None):
            ((server, _),) = servers._running
            await asyncio.sleep(20 * TICK_SECONDS)  # ticks without a connection would be counted
            assert ticks["all"] == 1
            server.server_state.default_headers = [(b"date", b"yesterday")]
            reader, writer = await asyncio.open_connection("127.0.0.1", listener.listener.port)
            writer.write(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n")
            head = await reader.readuntil(b"\r\n\r\n")
            assert b"\r\ndate: " in head
            assert b"yesterday" not in head
            await until(lambda: ticks["all"] >= 5)
            writer.close()
            await writer.wait_closed()
            await until(lambda: not server.server_state.connections)
            await asyncio.sleep(3 * TICK_SECONDS)  # a tick that is under way comes to its end
            before = ticks["all"]
            await asyncio.sleep(20 * TICK_SECONDS)  # ticks without a connection would be counted
            assert ticks["all"] == before
