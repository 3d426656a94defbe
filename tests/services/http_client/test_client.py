"""What the client adds to its parts: turns for others, places, one time for all hops."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpcore
import pytest
from tests.services.http_client.stage import Heard, Stage, answering, fetch, get

from goop2.scripting.invocation import Caller
from goop2.services.http_client.client import _read
from goop2.services.http_client.limits import PIECES_A_TURN, REQUESTS_AT_ONCE_PER_CALLER


async def crumbs() -> AsyncIterator[bytes]:
    for _ in range(10 * PIECES_A_TURN):
        yield b"x"


async def test_a_body_in_crumbs_leaves_others_their_turn() -> None:
    turns = 0

    async def somebody_else() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    other = asyncio.create_task(somebody_else())
    await _read(httpcore.Response(200, content=crumbs()), {})
    other.cancel()
    assert turns >= 10


async def test_one_caller_has_its_share_of_requests_and_the_owner_any_number(stage: Stage) -> None:
    release = asyncio.Event()

    async def held(heard: Heard, writer: asyncio.StreamWriter) -> None:
        await release.wait()
        await answering()(heard, writer)

    house = await stage.house("slow.example", held)
    quick = await stage.house("quick.example", answering(), address="8.8.4.4")
    client = stage.client()
    greedy = [asyncio.create_task(fetch(client, "http://slow.example/", 10)) for _ in range(REQUESTS_AT_ONCE_PER_CALLER + 5)]
    await asyncio.sleep(0.3)  # more connections would be here by now
    assert house.connections == REQUESTS_AT_ONCE_PER_CALLER
    await client.fetch(get("http://quick.example/"), Caller("another"), 2)
    await client.fetch(get("http://quick.example/"), Caller("stranger", owner=True), 2)
    assert quick.connections == 2
    release.set()
    assert {(await each).status for each in greedy} == {200}


@pytest.mark.parametrize("seconds", [0.0, -1.0])
async def test_without_time_nobody_is_asked(stage: Stage, seconds: float) -> None:
    house = await stage.house("good.example", answering())
    with pytest.raises(Exception, match=r"^timed out after 0.0 s$"):
        await fetch(stage.client(), "http://good.example/", seconds)
    assert house.connections == 0
