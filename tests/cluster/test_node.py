"""A node with real workers on a fake bus: what its owner tells it, and what it tells."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

import msgspec
from tests.cluster.fake_bus import WELCOME, FakeBus
from tests.scripting.workshop import script_of

from goop2.cluster import messages
from goop2.cluster.messages import Asked, Beat, Call, Cancel, Ended, Farewell, HostAnswer, Logged, OfCall, Refused, ToNode
from goop2.cluster.node import Node
from goop2.cluster.switched_bus import SwitchedBus
from goop2.sandbox.messages import UNKNOWN_VERSION
from goop2.scripting.limits import InvocationLimits

M = TypeVar("M")
LIKE = msgspec.structs.replace(WELCOME, memory_bytes=InvocationLimits().memory_bytes, time_zone="XYZ-3")
HELLO = script_of("function handle(args) goop.log.info('seen') return 'Hello, ' .. args .. '! ' .. os.date('%Z') end")
LOOP = script_of("function handle() while true do end end")
ASKS = script_of("function call(request) return goop.site.read('x') .. goop.db.scalar('SELECT 1') end", "function")


class Played:
    """A node whose owner is the test."""

    def __init__(self, slots: int) -> None:
        self.bus, self.switch = FakeBus(), SwitchedBus()
        self.switch.use(self.bus)
        self.node = Node("A", slots, self.switch)

    def tell(self, message: ToNode) -> None:
        self.node.hear("", messages.encode(message), False)

    def call(self, number: int, script: object, seconds: float = 5.0, *, owner: bool = True, source: bool = True) -> None:
        assert isinstance(script, type(HELLO))
        text = script.source if source else None
        self.tell(
            Call(
                number,
                script.kind,
                script.name,
                script.version,
                text,
                b"you" if script.kind == "command" else b"{}",
                "id",
                "Label",
                "",
                owner,
                seconds,
            )
        )

    def told(self, kind: type[M]) -> list[M]:
        found: list[OfCall] = [messages.of_call.decode(content) for subject, content, _ in self.bus.sent if ".call." in subject]
        return [message for message in found if isinstance(message, kind)]

    @property
    def beat(self) -> Beat:
        return messages.beat.decode([content for subject, content, _ in self.bus.sent if subject.endswith(".beat")][-1])


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - a bus tells nobody
            await asyncio.sleep(0.005)


@asynccontextmanager
async def played(slots: int = 2) -> AsyncIterator[Played]:
    played = Played(slots)
    try:
        played.tell(LIKE)
        await asyncio.wait_for(played.node.in_use.wait(), 20)
        yield played
    finally:
        await played.node.stop()


async def test_a_node_runs_what_it_is_given_and_says_how_it_ended() -> None:
    async with played() as it:
        assert it.beat.digest == LIKE.digest
        it.call(1, HELLO)
        await until(lambda: it.told(Ended))
        (ended,) = it.told(Ended)
        assert (ended.code, ended.payload) == ("ok", b"Hello, you! XYZ")
        assert it.told(Logged) == [Logged("info", "seen")]
        it.call(2, HELLO, source=False, owner=False)
        await until(lambda: len(it.told(Ended)) == 2)
        assert it.told(Ended)[1].code == "ok"


async def test_a_version_it_does_not_hold_is_asked_for() -> None:
    async with played() as it:
        it.call(1, HELLO, source=False)
        assert it.told(Ended)[0].code == UNKNOWN_VERSION


async def test_a_call_ends_when_its_seconds_are_over_and_when_it_is_cancelled() -> None:
    async with played() as it:
        it.call(1, LOOP, seconds=0.3)
        await until(lambda: it.told(Ended))
        assert it.told(Ended)[0].code == "timeout"
        it.call(2, LOOP)
        await asyncio.sleep(0.05)  # until the script runs
        it.tell(Cancel(2))
        await until(lambda: it.node.under_way == 0)
        assert len(it.told(Ended)) == 1


async def test_a_call_that_comes_twice_is_begun_once() -> None:
    async with played() as it:
        it.call(1, LOOP)
        it.call(1, LOOP)
        assert it.node.under_way == 1


async def test_every_host_call_is_asked_of_the_owner() -> None:
    async with played() as it:
        it.call(1, ASKS)
        await until(lambda: it.told(Asked))
        assert it.told(Asked)[0] == Asked(1, "site.read", (b"x",))
        it.tell(HostAnswer(1, 99, b"v", (b"stale",)))
        it.tell(HostAnswer(1, 1, b"v", (b"page ",)))
        await until(lambda: len(it.told(Asked)) == 2)
        assert it.told(Asked)[1].operation == "db.scalar"
        it.tell(HostAnswer(1, 2, b"v", (7,)))
        await until(lambda: it.told(Ended))
        assert it.told(Ended)[0].payload == b'"page 7"'


async def test_a_node_that_leaves_waits_for_the_owners_word_and_for_its_calls() -> None:
    async with played() as it:
        it.call(1, LOOP, seconds=0.5)
        leaving = asyncio.create_task(it.node.leave())
        await asyncio.sleep(0.01)  # its first turn
        assert it.beat.leaving
        it.tell(Farewell())
        await asyncio.sleep(0.05)  # one that does not wait for its call would be done
        assert not leaving.done()
        await leaving
        assert it.told(Ended)[0].code == "timeout"


async def test_an_owner_that_was_started_again_ends_what_the_one_before_gave() -> None:
    async with played() as it:
        it.call(1, LOOP)
        it.tell(msgspec.structs.replace(LIKE, owner=b"another"))
        await until(lambda: it.node.under_way == 0)


async def test_a_refusal_and_nonsense_are_heard_without_harm() -> None:
    async with played() as it:
        it.node.hear("", b"nonsense", False)
        it.tell(Refused("why"))
        assert await it.node.refused == "why"
