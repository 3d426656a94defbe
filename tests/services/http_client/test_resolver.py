"""Names are looked up once, in time, and a silent resolver holds up nobody else."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest

from goop2.scripting.invocation import Caller
from goop2.services.http_client import resolver as module
from goop2.services.http_client.errors import OutboundError
from goop2.services.http_client.limits import LOOKUPS_AT_ONCE_PER_CALLER
from goop2.services.http_client.resolver import Lookups, SocketAddress, system_lookup

A, B = Caller("a"), Caller("b")


class Resolver:
    """Answers when it is let."""

    def __init__(self) -> None:
        self.free = threading.Event()
        self.asked: list[str] = []

    def __call__(self, name: str, port: int) -> list[SocketAddress]:
        self.asked.append(name)
        if name == "slow":
            self.free.wait(30)
        if name == "unknown":
            raise OSError("no such name")
        return [("8.8.8.8", port)]


@pytest.fixture
def resolver() -> Iterator[Resolver]:
    made = Resolver()
    yield made
    made.free.set()


async def test_the_system_knows_localhost() -> None:
    assert ("127.0.0.1", 80) in await Lookups(system_lookup).addresses("localhost", 80, A)


async def test_a_name_is_asked_once(resolver: Resolver) -> None:
    assert await Lookups(resolver).addresses("name", 80, A) == [("8.8.8.8", 80)]
    assert resolver.asked == ["name"]


async def test_an_unknown_name_is_said(resolver: Resolver) -> None:
    with pytest.raises(OutboundError, match=r"^there is no host unknown$"):
        await Lookups(resolver).addresses("unknown", 80, A)


async def test_a_silent_resolver_is_given_up(resolver: Resolver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOKUP_SECONDS", 0.05)
    with pytest.raises(OutboundError, match=r"^looking up slow timed out after 0.1 s$"):
        await Lookups(resolver).addresses("slow", 80, A)


async def test_lookups_given_up_still_count_so_that_threads_stay_few(resolver: Resolver) -> None:
    lookups = Lookups(resolver)
    slow = [asyncio.create_task(lookups.addresses("slow", 80, A)) for _ in range(LOOKUPS_AT_ONCE_PER_CALLER)]
    await asyncio.sleep(0.05)  # until they are in their threads
    for each in slow:
        each.cancel()
    one_more = asyncio.create_task(lookups.addresses("name", 80, A))
    assert await asyncio.wait_for(lookups.addresses("name", 80, B), 5) == [("8.8.8.8", 80)], "another caller goes on"
    assert not one_more.done()
    resolver.free.set()
    assert await asyncio.wait_for(one_more, 5) == [("8.8.8.8", 80)]
