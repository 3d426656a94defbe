"""The rendezvous server a peer runs itself."""

from __future__ import annotations

import asyncio
import socket

import httpx
import pytest
from tests.net.hosts import SECONDS

from goop2.config import PresenceSettings
from goop2.rendezvous import embedded as module
from goop2.rendezvous.embedded import open_servers


async def test_a_server_whose_port_is_taken_is_opened_when_that_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TRY_AGAIN_SECONDS", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        async with open_servers(PresenceSettings(rendezvous_host=True, rendezvous_port=port)) as urls:
            assert urls == [f"http://127.0.0.1:{port}"]
            await asyncio.sleep(0.2)  # it fails a few times meanwhile
            taken.close()
            async with asyncio.timeout(SECONDS), httpx.AsyncClient() as client:
                while True:
                    try:
                        answer = await client.get(f"{urls[0]}/healthz")
                        break
                    except httpx.TransportError:
                        await asyncio.sleep(0.05)
            assert answer.text == "ok\n"
    with socket.create_server(("127.0.0.1", port)):
        pass
