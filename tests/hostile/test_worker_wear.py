"""No script leaves a worker worse than it found it: after a thousand failures of a kind it is like a new one.

Two kinds take plain Lua 5.1 minutes: `make test` has a hundred of each, and `make long` the thousand.
Memory is looked at all the while, for the pool may replace a worker before the end.
"""

from __future__ import annotations

import asyncio
import resource
from pathlib import Path
from typing import Final

import pytest
from tests.scripting.workshop import OWNER, invocation_of, open_pool, resident_bytes, script_of, setup_of

from goop2.sandbox.vm import FLAVOURS
from goop2.scripting.catalog import Script
from goop2.scripting.limits import MEGABYTE_BYTES, InvocationLimits
from goop2.scripting.pool import Pool

FAILURES: Final = 1000
FEWER: Final = 100
MINUTES: Final = frozenset((("overflow", "lua51"), ("memory", "lua51")))
"""Kind of failure and flavour whose thousand takes so long: an overflow is 0.13 s there, where LuaJIT needs 0.002 s."""
LOOK_EVERY: Final = 50
GROWTH_MAX_BYTES: Final = 12 * MEGABYTE_BYTES
"""One VM's limit and what malloc keeps of it."""

REPORT: Final = 'local t = {} for i = 1, 60000 do t[i] = "row " .. i end return #table.concat(t, ",")'
HONEST: Final = {
    "report": (REPORT, b"588893"),
    "recursion": ("local function f(n) return n == 0 and 0 or 1 + f(n - 1) end return f(5000)", b"5000"),
    "seven megabytes": ("local t = {} for i = 1, 700 do t[i] = ('x'):rep(10000) .. i end return #t", b"700"),
}
"""Script → what it gives."""

FINGERPRINT: Final = """
  local names, seen = {}, {}
  local function visit(path, value)
    if type(value) ~= "table" then names[#names + 1] = path .. "=" .. type(value) return end
    if seen[value] then return end
    seen[value] = true
    for key, member in pairs(value) do visit(path .. "." .. tostring(key), member) end
  end
  visit("", _G)
  table.sort(names)
  return {names, ("x"):rep(3), 1 .. "", tostring(1e15), math.floor(2.5), select("#", pcall(error))}
"""
"""What a VM looks like to a script."""

FAILING: Final = {
    "overflow": ("local function f(n) return 1 + f(n + 1) end return f(1)", "script_error"),
    "memory": ("local t = {} while true do t[#t + 1] = ('x'):rep(300000) .. #t end", "memory"),
    "result": ("local t = {} t.t = t return t", "script_error"),
    "library": (
        """
        local function try(f) pcall(f) pcall(f, {}) pcall(f, "x", -1, {}) pcall(f, nil, nil, nil) pcall(f, 1e300, 0 / 0) end
        for _, library in ipairs{_G, string, table, math, coroutine, os, bit, goop, goop.json, goop.log, goop.kv, goop.db} do
          for name, f in pairs(library) do
            if type(f) == "function" and name ~= "print" and name ~= "call" and library ~= goop.log then try(f) end
          end
        end
        error("done")""",
        "script_error",
    ),
}
"""Kind of failure → a script that fails so, and the class of its failure."""


def function(name: str, body: str) -> Script:
    return script_of(f"function call(request) {body} end", "function", name)


async def give(pool: Pool, script: Script, seconds: float = 10.0) -> tuple[str, bytes]:
    outcome = await pool.run(invocation_of(script, OWNER, seconds, b"{}"))
    return outcome.code.value, outcome.payload


async def honest_answers(pool: Pool) -> list[tuple[str, bytes]]:
    scripts = [function(name, body) for name, (body, _) in HONEST.items()] + [function("fingerprint", FINGERPRINT)]
    return [await give(pool, script) for script in scripts for _ in range(3)]


def private_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text("ascii").split()[5]) * resource.getpagesize()


WEARS: Final = [
    pytest.param(kind, flavour, failures, marks=[pytest.mark.long] if failures == FAILURES and (kind, flavour) in MINUTES else [])
    for kind in FAILING
    for flavour in FLAVOURS
    for failures in ((FEWER, FAILURES) if (kind, flavour) in MINUTES else (FAILURES,))
]


@pytest.mark.parametrize(("kind", "flavour", "failures"), WEARS)
async def test_a_worker_is_as_good_as_new_after_a_thousand_failures(kind: str, flavour: str, failures: int) -> None:
    body, code = FAILING[kind]
    failing = function("failing", body)
    async with open_pool(InvocationLimits(workers=1), setup_of(flavour)) as pool:
        fresh = await honest_answers(pool)
        assert fresh[:-3] == [("ok", gives) for _, gives in HONEST.values() for _ in range(3)]
        before = _sizes(pool)
        for number in range(failures):
            assert (await give(pool, failing))[0] == code
            if number % LOOK_EVERY == 0:
                grown = max(now - then for now, then in zip(_sizes(pool), before, strict=True))
                assert grown < GROWTH_MAX_BYTES, f"{grown} bytes after {number} failures"
        assert await honest_answers(pool) == fresh


def _sizes(pool: Pool) -> tuple[int, int]:
    """Private and resident bytes of the only worker."""
    (pid,) = pool.worker_pids
    return private_bytes(pid), resident_bytes(pid)


@pytest.mark.parametrize("flavour", FLAVOURS)
async def test_a_thousand_time_outs_leave_a_worker_that_answers_like_a_new_one(flavour: str) -> None:
    loop = function("failing", "while true do end")
    async with open_pool(InvocationLimits(workers=8), setup_of(flavour)) as pool:
        fresh = await honest_answers(pool)
        for _ in range(FAILURES // 8):
            codes = await asyncio.gather(*(give(pool, loop, 0.001) for _ in range(8)))
            assert {code for code, _ in codes} == {"timeout"}
        assert await honest_answers(pool) == fresh


@pytest.mark.parametrize("flavour", [pytest.param(each, marks=[pytest.mark.long] if each == "lua51" else []) for each in FLAVOURS])
async def test_a_worker_that_has_no_memory_left_for_the_next_script_is_replaced(flavour: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without malloc's fixed threshold: 300 overflows after a script that freed a large block take a worker to its bound."""
    monkeypatch.setattr("goop2.scripting.fork_server.ENVIRONMENT", {"GLIBC_TUNABLES": "glibc.malloc.tcache_count=300"})
    report, overflow = function("report", REPORT), function("rec", FAILING["overflow"][0])
    async with open_pool(InvocationLimits(workers=1), setup_of(flavour)) as pool:
        for _ in range(4):
            await give(pool, report)
        for _ in range(300):
            assert (await give(pool, overflow))[0] == "script_error"
        assert [await give(pool, report) for _ in range(20)] == [("ok", b"588893")] * 20
