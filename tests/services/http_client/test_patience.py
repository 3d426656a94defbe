"""Scripts that wait for slow servers keep nobody else waiting."""

from __future__ import annotations

import asyncio
import statistics
import time
from pathlib import Path

from tests.services.http_client.peers import peer_with, said
from tests.services.http_client.stage import Heard, Stage

from goop2.scripting.invocation import Caller
from goop2.services.peer import Peer

WAITING = 64
SAMPLES = 50
ATTEMPTS = 10
SCRIPTS = {
    "hello": "function handle(args) return 'Hello, ' .. args .. '!' end",
    "slow": "function handle(args) local body, err = goop.http.get(args) return err or body end",
}


async def latency(peer: Peer) -> float:
    """Median seconds of a `!hello` of somebody who has nothing to do with it."""
    times = []
    for _ in range(SAMPLES):
        begun = time.perf_counter()
        assert await said(peer, "!hello you", Caller("somebody else")) == "Hello, you!"
        times.append(time.perf_counter() - begun)
    return statistics.median(times)


async def test_sixty_four_scripts_waiting_do_not_slow_down_a_hello(stage: Stage, tmp_path: Path) -> None:
    all_wait = asyncio.Event()

    async def slow(_: Heard, writer: asyncio.StreamWriter) -> None:
        """Drips a header."""
        if house.connections == WAITING:
            all_wait.set()
        writer.write(b"HTTP/1.1 200 OK\r\nX-A: ")
        while True:
            writer.write(b"a")
            await writer.drain()
            await asyncio.sleep(1)

    house = await stage.house("slow.example", slow)
    async with peer_with(tmp_path, stage.world(), SCRIPTS, timeout_seconds=60, max_workers=2 * WAITING) as peer:
        await latency(peer)
        idle = [await latency(peer) for _ in range(ATTEMPTS)]
        waiting = [asyncio.create_task(said(peer, "!slow http://slow.example/", Caller(f"caller {n}"))) for n in range(WAITING)]
        await asyncio.wait_for(all_wait.wait(), 30)
        busy = [await latency(peer) for _ in range(ATTEMPTS)]
        assert not any(each.done() for each in waiting)
        for each in waiting:
            each.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
    # The least of the medians: what other processes of the machine take away for a moment is not measured.
    assert min(busy) < 2 * min(idle), f"idle {idle}, busy {busy}"
