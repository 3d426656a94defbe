"""From name to outcome, with real workers: replies, errors, limits, in the words of behaviour.md."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.scripting.workshop import OWNER, open_pool, stranger

from goop2.scripting.catalog import Catalog
from goop2.scripting.engine import Engine, Failure, Reply, Success, reply_text
from goop2.scripting.invocation import Caller, ErrorCode
from goop2.scripting.limits import InvocationLimits
from goop2.scripting.runs import Runs

Scripts = Mapping[str, str]
"""File under site/lua, without .lua → source."""


@asynccontextmanager
async def open_engine(folder: Path, scripts: Scripts, limits: InvocationLimits | None = None) -> AsyncIterator[tuple[Engine, Runs]]:
    limits = limits or InvocationLimits(workers=4)
    for name, source in scripts.items():
        file = folder / "site" / "lua" / f"{name}.lua"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(source)
    async with open_pool(limits) as pool:
        catalog = Catalog(folder, folder / "site" / "lua", pool.compile)
        await catalog.scan()
        runs = Runs()
        yield Engine(catalog=catalog, pool=pool, limits=limits, runs=runs), runs


def handle(body: str) -> str:
    return f"function handle(args)\n{body}\nend"


SCRIPTS = {
    "hello": handle("return 'Hello, ' .. (args ~= '' and args or 'world') .. '!'"),
    "both": handle("return 'command'"),
    "functions/both": "function call() return 'function' end",
    "echo": handle("return '[' .. args .. ']'"),
    "nothing": handle("return nil"),
    "empty": handle("return ''"),
    "number": handle("return 5"),
    "fails": handle("local x = nil\nreturn x.y"),
    "raises": handle("error('game not found')"),
    "raises0": handle("error('game not found', 0)"),
    "loops": handle("while true do end"),
    "grows": handle("local t = {} while true do t[#t + 1] = {} end"),
    "entry": "x = 1",
    "broken": "function handle(\n)) end",
    "free": "--- @rate_limit 0\n" + handle("return 'free'"),
    "three": "--- @rate_limit 3\n" + handle("return 'three'"),
    "functions/total": "function call(request) return {total = #request.params.answers} end",
    "functions/raises": "function call()\nerror('game not found') end",
    "functions/bad": "function call() return {items = {print}} end",
    "functions/loops": "while true do end",
    "functions/grows": "local t = {} while true do t[#t + 1] = {} end",
    "functions/large": "function call() return ('x'):rep(2e6) end",
    "functions/params": "function call(request) return request.params end",
}

REPLIES = {
    "!hello Alice": "Hello, Alice!",
    "!hello": "Hello, world!",
    "!HeLLo \t Alice  ": "Hello, Alice!",
    "!echo  a  b ": "[a  b]",
    "!echo\ta": "[a]",
    "!echo é": "[é]",
    "!both": "command",
    "!nothing": "",
    "!empty": "",
    "!number": "5",
    "!": "",
    "! hello": "Hello, world!",
    "!nosuch": "Unknown command: nosuch",
    "!total": "Unknown command: total",
    "!NoSuch x": "Unknown command: nosuch",
    "!fails": "Script error: fails:3: attempt to index local 'x' (a nil value)",
    "!raises": "Script error: raises:2: game not found",
    "!raises0": "Script error: raises0: game not found",
    "!loops": "Script error: script timed out",
    "!grows": "Script error: memory limit exceeded",
    "!entry": "Script error: entry defines no function handle(args)",
    "!broken": "Script error: broken:2: unexpected symbol near ')'",
}

RESULTS = {
    # function and params: JSON, or class and message
    ("total", '{"answers": [1, 2]}'): b'{"total":2}',
    ("both", "{}"): b'"function"',
    ("params", "null"): b"[]",
    ("nosuch", "{}"): ("not_found", "unknown function: nosuch"),
    ("hello", "{}"): ("not_found", "unknown function: hello"),
    ("raises", "{}"): ("script_error", "raises:2: game not found"),
    ("bad", "{}"): ("script_error", "bad: result.items[1] is a function"),
    ("loops", "{}"): ("timeout", "script timed out"),
    ("grows", "{}"): ("memory", "memory limit exceeded"),
    ("large", "{}"): ("script_error", "large: result is 2000002 bytes of JSON, the most is 1048576"),
    ("params", "{nope"): ("bad_request", "params: invalid JSON at line 1 column 2: expected a key in double quotes"),
    ("params", "5"): ("bad_request", "params must be an object or an array, not a number"),
    ("params", '"' + "x" * 2**21 + '"'): ("bad_request", "params are 2097154 bytes of JSON; the most is 1048576"),
}


async def test_every_reply_is_as_written(tmp_path: Path) -> None:
    async with open_engine(tmp_path, SCRIPTS, InvocationLimits(workers=4, timeout_seconds=1)) as (engine, _):
        assert {message: (await engine.command(OWNER, message)).text for message in REPLIES} == REPLIES


async def test_every_result_is_as_written(tmp_path: Path) -> None:
    async with open_engine(tmp_path, SCRIPTS, InvocationLimits(workers=4, timeout_seconds=1)) as (engine, _):
        for (function, params), expected in RESULTS.items():
            answer = await engine.call(OWNER, function, params.encode())
            got = answer.json if isinstance(answer, Success) else (answer.code.value, answer.message)
            assert got == expected


async def test_a_failure_carries_script_and_line_apart(tmp_path: Path) -> None:
    async with open_engine(tmp_path, SCRIPTS) as (engine, _):
        failure = await engine.call(OWNER, "raises")
        assert isinstance(failure, Failure)
        assert (failure.script, failure.line) == ("raises", 2)
        reply = await engine.command(OWNER, "!broken")
        assert reply.failure is not None
        assert (reply.failure.code, reply.failure.line) == (ErrorCode.SCRIPT_ERROR, 2)


@pytest.mark.parametrize(
    ("payload", "sent"),
    [
        (b"x" * 4096, "x" * 4096),
        (b"x" * 4097, "x" * 4096 + "... (truncated)"),
        ("é".encode() * 3000, "é" * 2048 + "... (truncated)"),
        (b"x" + "é".encode() * 3000, "x" + "é" * 2047 + "... (truncated)"),
        (b"a\xffb", "a\ufffdb"),
        (b"\xff" * 2000, "\ufffd" * 1365 + "... (truncated)"),
    ],
)
def test_a_reply_is_utf8_and_cut_at_a_character(payload: bytes, sent: str) -> None:
    assert reply_text(payload) == sent


async def test_a_name_made_up_by_a_stranger_is_said_back_short_and_harmless(tmp_path: Path) -> None:
    async with open_engine(tmp_path, {}) as (engine, _):
        text = (await engine.command(stranger(1), "!\x1b[31m" + "x" * 5000)).text
        assert text.startswith("Unknown command: \ufffd[31mxxx")
        assert len(text) < 100


LIMITED = InvocationLimits(workers=4, rate_per_caller=2, rate_global=8)
TOO_MANY = "Rate limit exceeded. Try again later."


async def ask(engine: Engine, caller: Caller, message: str, times: int) -> list[str]:
    return [(await engine.command(caller, message)).text for _ in range(times)]


async def test_a_caller_is_limited_for_each_script_and_another_is_not(tmp_path: Path) -> None:
    async with open_engine(tmp_path, SCRIPTS, LIMITED) as (engine, _):
        assert await ask(engine, stranger(1), "!both", 3) == ["command", "command", TOO_MANY]
        assert await ask(engine, stranger(1), "!number", 1) == ["5"]
        assert await ask(engine, stranger(2), "!both", 1) == ["command"]


async def test_a_script_may_have_a_limit_of_its_own_or_none(tmp_path: Path) -> None:
    async with open_engine(tmp_path, SCRIPTS, LIMITED) as (engine, _):
        assert await ask(engine, stranger(1), "!three", 4) == ["three"] * 3 + [TOO_MANY]
        assert await ask(engine, stranger(1), "!free", 20) == ["free"] * 20


async def test_all_strangers_together_are_limited_and_the_owner_is_not(tmp_path: Path) -> None:
    async with open_engine(tmp_path, SCRIPTS, LIMITED) as (engine, _):
        answers = [text for n in range(10) for text in await ask(engine, stranger(n), "!both", 1)]
        assert answers == ["command"] * 8 + [TOO_MANY] * 2
        assert await ask(engine, OWNER, "!both", 20) == ["command"] * 20


async def test_a_limited_call_says_when_to_come_again(tmp_path: Path) -> None:
    async with open_engine(tmp_path, SCRIPTS, InvocationLimits(workers=4, rate_per_caller=1)) as (engine, runs):
        await engine.call(stranger(1), "params")
        failure = await engine.call(stranger(1), "params")
        assert isinstance(failure, Failure)
        assert failure.code is ErrorCode.RATE_LIMITED
        assert failure.retry_after_seconds is not None
        assert 55 < failure.retry_after_seconds <= 60
        assert len(runs) == 1


async def test_what_ran_is_recorded(tmp_path: Path) -> None:
    logs = {"logs": handle("goop.log.warn('look', 5)\nerror('x')")}
    async with open_engine(tmp_path, SCRIPTS | logs) as (engine, runs):
        await engine.command(stranger(7), "!logs")
        await engine.command(OWNER, "!hello")
        good, bad = runs.recent(2)
        assert (good.script, good.status, good.caller, good.line) == ("hello", "ok", "owner", None)
        assert (bad.script, bad.status, bad.caller, bad.line, bad.message) == ("logs", "script_error", "stranger-7", 3, "logs:3: x")
        assert bad.log == (("warn", "look 5"),)
        assert bad.milliseconds >= bad.waited_milliseconds >= 0


async def test_nobody_is_told_of_what_ended_when_the_lease_was_lost(tmp_path: Path) -> None:
    async with open_engine(tmp_path, SCRIPTS) as (engine, runs):
        engine._fenced = lambda: "this peer moves"
        answer = await engine.command(OWNER, "!hello Alice")
        assert answer.failure is not None
        assert (answer.failure.code, "this peer moves; this call may have been carried out" in answer.text) == (ErrorCode.UNAVAILABLE, True)
        assert "Alice" not in answer.text
        assert [run.status for run in runs.recent(1)] == ["unavailable"]
        engine._fenced = lambda: ""
        assert (await engine.command(OWNER, "!hello Alice")).failure is None


async def test_the_script_learns_who_calls(tmp_path: Path) -> None:
    scripts = {"who": handle("return goop.peer.id .. '/' .. goop.peer.label .. '/' .. goop.self.id .. '/' .. goop.self.label")}
    async with open_engine(tmp_path, scripts) as (engine, _):
        assert await engine.command(Caller("p1", "Ann"), "!who") == Reply("p1/Ann/us/Us")
        assert await engine.command(Caller("p1"), "!who") == Reply("p1/p1/us/Us")
