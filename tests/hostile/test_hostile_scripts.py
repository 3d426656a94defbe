"""An attacker plays through every script of cases.py, at top level and inside the function, on both flavours.

What is looked at is the work, not the answer alone: whether the CPU is free again, the worker
replaced, an innocent call right after answered as ever, and the peer itself untouched. All attacks of
a flavour and place run side by side, once; the tests then read what was seen.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import cache

import pytest
from tests.hostile.cases import AT_ONCE, CASES, ERROR, FOREVER, OK, TIMEOUT, Case
from tests.scripting.workshop import HELLO, OWNER, cpu_seconds, invocation_of, open_pool, resident_bytes, script_of, setup_of, stranger
from tests.stopwatch import Stopwatch

from goop2.sandbox.vm import FLAVOURS
from goop2.scripting.catalog import Script
from goop2.scripting.invocation import Invocation
from goop2.scripting.limits import MEGABYTE_BYTES, STOP_SECONDS, InvocationLimits
from goop2.scripting.pool import Pool

FOREVER_SECONDS = 0.6
AT_ONCE_SECONDS = 5.0
WORKERS = 10
SIDE_BY_SIDE = {FOREVER_SECONDS: 6, AT_ONCE_SECONDS: 2}
GROWTH_MAX_BYTES = 16 * MEGABYTE_BYTES
"""Of the peer over all attacks; a full ring of runs is not in play."""

PLACES = ("top level", "function")


@dataclass(frozen=True)
class Seen:
    """What was seen of one attack."""

    code: str
    text: str
    seconds: float
    allowed_seconds: float
    cpu_afterwards: float
    """CPU seconds the worker of the attack used in a tenth of a second, 250 ms after the answer."""
    innocent: str
    """What `!hello` of the owner answered right after."""


@dataclass(frozen=True)
class Battle:
    """All attacks on one flavour, in one place."""

    seen: dict[str, Seen]
    grown_bytes: int
    workers_at_end: int


def source_of(case: Case, place: str) -> Script:
    if case.function:
        return script_of(f"function call() {case.body} end", "function", "attack")
    if place == "top level":
        return script_of(f"do {case.body} end function handle() return 'done' end", name="attack")
    return script_of(f"function handle() {case.body} end", name="attack")


async def attack(pool: Pool, number: int, case: Case, place: str, allowed: float, gate: asyncio.Semaphore) -> Seen:
    async with gate:
        watch = Stopwatch()
        invocation = invocation_of(source_of(case, place), stranger(number), allowed, b"{}")
        running = asyncio.create_task(pool.run(invocation))
        pid = await worker_of(pool, invocation, running)
        outcome = await running
        seconds = watch.seconds
        innocent = await pool.run(invocation_of(HELLO, OWNER, argument=b"Alice"))
    used = await cpu_afterwards(pid) if outcome.code == TIMEOUT else 0.0
    return Seen(outcome.code, outcome.payload.decode("utf-8", "replace"), seconds, allowed, used, innocent.payload.decode())


async def cpu_afterwards(pid: int) -> float:
    await asyncio.sleep(STOP_SECONDS)  # it has so long to stop
    before = cpu_seconds(pid)
    await asyncio.sleep(0.1)  # over which its use is measured
    after = cpu_seconds(pid)
    return 0.0 if before is None or after is None else after - before


async def worker_of(pool: Pool, invocation: Invocation, running: asyncio.Task[object]) -> int:
    """Process id of the worker that runs it; 0 when it was over before we looked."""
    while not running.done():
        for worker, job in pool._running.items():
            if job.work is invocation:
                return worker.pid
        await asyncio.sleep(0)
    return 0


async def fight(flavour: str, place: str) -> Battle:
    async with open_pool(InvocationLimits(workers=WORKERS), setup_of(flavour)) as pool:
        await pool.run(invocation_of(HELLO))
        before = resident_bytes()
        seen: dict[str, Seen] = {}
        for cases, allowed in ((FOREVER, FOREVER_SECONDS), (AT_ONCE, AT_ONCE_SECONDS)):
            gate = asyncio.Semaphore(SIDE_BY_SIDE[allowed])
            names = [name for name in cases if not (CASES[name].function and place == "top level")]
            results = await asyncio.gather(*(attack(pool, n, CASES[name], place, allowed, gate) for n, name in enumerate(names)))
            seen |= dict(zip(names, results, strict=True))
        return Battle(seen, resident_bytes() - before, len(pool.worker_pids))


@cache
def battle(flavour: str, place: str) -> Battle:
    return asyncio.run(fight(flavour, place))


ATTACKS = [
    (flavour, place, sentence)
    for flavour in FLAVOURS
    for place in PLACES
    for sentence, case in CASES.items()
    if not (case.function and place == "top level")
]


@pytest.fixture(params=ATTACKS, ids=lambda attack: " – ".join(attack))
def seen(request: pytest.FixtureRequest) -> Seen:
    flavour, place, sentence = request.param
    return battle(flavour, place).seen[sentence]


@pytest.fixture
def case(request: pytest.FixtureRequest, seen: Seen) -> Case:
    del seen
    return CASES[request.node.callspec.params["seen"][2]]


def test_the_work_of_an_attack_ends_with_its_answer(seen: Seen, case: Case) -> None:
    assert seen.code in case.may, seen
    assert seen.seconds < seen.allowed_seconds + STOP_SECONDS
    assert seen.cpu_afterwards == 0
    assert seen.innocent == "Hello, Alice!"
    if seen.code == TIMEOUT:
        assert seen.text == "script timed out"
    if seen.code == ERROR:
        assert len(seen.text) <= 2000
        assert "worker process" not in seen.text, "the attack ended the worker instead of being answered"
        assert "goop2" not in seen.text
    if seen.code == OK:
        assert seen.text in ("", "done")


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("flavour", FLAVOURS)
def test_after_all_attacks_the_peer_is_what_it_was(flavour: str, place: str) -> None:
    fought = battle(flavour, place)
    assert fought.grown_bytes < GROWTH_MAX_BYTES
    assert 2 <= fought.workers_at_end <= WORKERS
