"""What the record of a run says: who asked with what, what came of it, where it failed, and which statements and names it used."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.storage.manual import peer_with

from goop2.sandbox.answers import Answer, ok
from goop2.scripting.invocation import Caller
from goop2.services.peer import Peer
from goop2.storage.run_limits import RunLimits
from goop2.storage.run_record import KEPT_VALUE_MAX_BYTES, Run, RunFilter

VISITOR = Caller("visitor-ann", "Ann")

TABLE = """
goop.schema.create("t", {{name = "n", type = "integer"}, {name = "s", type = "text"}})
goop.db.exec("INSERT INTO t (_owner, n) WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT 100) SELECT 'o', x FROM c")
"""

FUNCTIONS = {
    "echo": "function call(request) goop.log.warn('hm') return request.params end",
    "fails": "local function inner(x)\n  return x.y.z\nend\nfunction call(request)\n  return inner({}) + 1\nend",
    "table": "function call(request) error({code = 'sold_out', message = 'no more'}) end",
    "deep": "local function down(n) return 1 + down(n + 1) end\nfunction call() return down(1) end",
    "scans": f"function call()\n{TABLE}\nlocal rows = goop.db.query('SELECT * FROM t WHERE n > ?', 90)\n"
    "local one = goop.schema.get('t', 5)\nlocal found = goop.schema.find('t', {where = 'n > 90'})\nreturn {#rows, one.n, #found}\nend",
    "keys": "function call() goop.kv.set('token', 'a secret value') return goop.kv.get('token') end",
    "limited": "--- @rate_limit 1\nfunction call() return 1 end",
    "waits": "function call() goop.commands() goop.site.read('slow.txt') return 1 end",
    "broken": "function call( return 1 end",
}
COMMANDS = {"hello": "function handle(args) return 'Hello, ' .. args end"}


@asynccontextmanager
async def opened(folder: Path, **more: object) -> AsyncIterator[Peer]:
    async with peer_with(folder, FUNCTIONS, COMMANDS, kv_enabled=True, **more) as peer:
        yield peer


async def last(peer: Peer) -> Run:
    """Return the newest run, whole."""
    assert peer.runs.history is not None
    return (await peer.runs.history.find(RunFilter(), 1, whole=True))[0]


async def test_who_asked_with_what_and_what_was_answered(tmp_path: Path) -> None:
    async with opened(tmp_path) as peer:
        await peer.engine.call(VISITOR, "echo", b'{"a": [1, 2]}')
        run = await last(peer)
        assert (run.script, run.status, run.caller, run.caller_kind, run.caller_label) == ("echo", "ok", "visitor-ann", "visitor", "Ann")
        assert (run.argument, run.answer, run.argument_bytes, run.answer_bytes) == (b'{"a": [1, 2]}', b'{"a":[1,2]}', 13, 11)
        assert run.log == (("warn", "hm"),)
        script = peer.catalog.function("echo")
        assert run.version == getattr(script, "version", None)
        await peer.engine.command(peer.owner, "!hello Bob")
        run = await last(peer)
        assert (run.kind, run.argument, run.answer, run.caller_kind) == ("command", b"Bob", b"Hello, Bob", "owner")
        await peer.engine.command(Caller("12D3KooWOther"), "!hello Eve")
        assert (await last(peer)).caller_kind == "peer"


async def test_of_large_arguments_and_answers_the_beginning_is_kept(tmp_path: Path) -> None:
    async with opened(tmp_path) as peer:
        params = json.dumps({"a": "x" * 5000}).encode()
        await peer.engine.call(VISITOR, "echo", params)
        run = await last(peer)
        assert (len(run.argument), run.argument_bytes, len(run.answer)) == (KEPT_VALUE_MAX_BYTES, len(params), KEPT_VALUE_MAX_BYTES)


async def test_a_failure_has_its_line_and_the_frames_of_its_script(tmp_path: Path) -> None:
    async with opened(tmp_path) as peer:
        await peer.engine.call(VISITOR, "fails", b"{}")
        run = await last(peer)
        assert (run.status, run.line) == ("script_error", 2)
        assert run.traceback.splitlines() == ["fails:2: in function 'inner'", "fails:5: in function <fails:4>"]
        await peer.engine.call(VISITOR, "table", b"{}")
        run = await last(peer)
        assert run.traceback == "table:1: in function <table:1>"
        assert run.message == "table:1: no more"
        await peer.engine.call(VISITOR, "deep", b"{}")
        run = await last(peer)
        assert "deep:1: in function 'down'" in run.traceback
        assert len(run.traceback) <= 2000


async def test_a_host_call_has_its_statement_rows_and_scans(tmp_path: Path) -> None:
    async with opened(tmp_path) as peer:
        await peer.engine.call(VISITOR, "scans", b"{}")
        run = await last(peer)
        assert run.status == "ok", run.message
        create, insert, query, get, find = run.calls
        assert (create.operation, create.detail, create.scanned) == ("schema.create", "t", 0)
        assert (insert.operation, insert.rows) == ("db.exec", 100)
        assert (query.operation, query.detail, query.rows) == ("db.query", "SELECT * FROM t WHERE n > ?", 10)
        assert query.scanned is not None
        assert 90 <= query.scanned <= 110
        assert (get.operation, get.detail, get.rows, get.scanned) == ("schema.get", "t", 1, 0)
        assert (find.operation, find.detail, find.rows) == ("schema.find", "t", 10)
        assert find.scanned is not None
        assert 90 <= find.scanned <= 110


async def test_no_value_of_goop_kv_is_recorded(tmp_path: Path) -> None:
    async with opened(tmp_path) as peer:
        await peer.engine.call(VISITOR, "keys", b"{}")
        run = await last(peer)
        assert [(call.operation, call.detail) for call in run.calls] == [("kv.set", "token"), ("kv.get", "token")]
        assert all("secret" not in str(call) for call in run.calls)


async def test_a_run_that_was_ended_at_its_deadline_says_what_the_peer_did_for_it(tmp_path: Path) -> None:
    async with opened(tmp_path, timeout_seconds=1) as peer:

        async def never(*_: object) -> Answer:
            await asyncio.Event().wait()
            return ok()

        peer.pool._operations.lent = {**peer.pool._operations.lent, "site.read": never}
        await peer.engine.call(VISITOR, "waits", b"{}")
        run = await last(peer)
        assert run.status == "timeout"
        assert [(call.operation, call.detail) for call in run.calls] == [("commands", ""), ("site.read", "slow.txt")]
        assert run.calls[1].duration > 500


REFUSED: dict[str, tuple[str, bytes, str, str]] = {
    "no such function": ("nope", b"{}", "not_found", "unknown function: nope"),
    "too much": ("echo", b'"' + b"x" * 2**20 + b'"', "bad_request", "params are 1048578 bytes of JSON; the most is 1048576"),
    "broken": ("broken", b"{}", "script_error", "broken:1: "),
}


@pytest.mark.parametrize(("function", "params", "status", "message"), REFUSED.values(), ids=REFUSED)
async def test_a_call_that_is_turned_away_is_recorded(tmp_path: Path, function: str, params: bytes, status: str, message: str) -> None:
    async with opened(tmp_path) as peer:
        await peer.engine.call(VISITOR, function, params)
        run = await last(peer)
        assert (run.script, run.status, run.refused, run.caller) == (function, status, True, "visitor-ann")
        assert run.message.startswith(message)
        assert len(run.argument) <= KEPT_VALUE_MAX_BYTES
        assert peer.runs.recent(9) == []


async def test_calls_beyond_the_rate_are_recorded_with_the_limit(tmp_path: Path) -> None:
    async with opened(tmp_path) as peer:
        assert peer.runs.history is not None
        for _ in range(60):
            await peer.engine.call(VISITOR, "limited", b"{}")
        (count,) = await peer.runs.history.failures(0)
        assert (count.script, count.status, count.refused, count.count) == ("limited", "rate_limited", True, 59)
        assert count.message == "rate limit exceeded: 1 a minute for limited"
        assert len(await peer.runs.history.find(RunFilter(status="refused"))) < 30


async def test_arguments_and_answers_are_not_kept_where_the_owner_says_so(tmp_path: Path) -> None:
    async with opened(tmp_path) as peer:
        assert peer.runs.history is not None
        await peer.runs.history.use(RunLimits(keep_arguments=False))
        await peer.engine.call(VISITOR, "echo", b'{"secret": 1}')
        await peer.engine.call(VISITOR, "nope", b'{"secret": 1}')
        for run in await peer.runs.history.find(RunFilter(), whole=True):
            assert (run.argument, run.answer, run.argument_bytes) == (b"", b"", 13)
