"""goop.db, goop.schema, goop.kv and goop.site as scripts see them, in confined workers; and what a transaction may not do."""

from __future__ import annotations

import asyncio
import json
import os
import time
from pathlib import Path

import pytest
from tests.scripting.workshop import OPERATION_RULES
from tests.storage.manual import call, failed, peer_with

from goop2.sandbox.data_calls import DataCalls
from goop2.sandbox.messages import Invoke
from goop2.scripting.engine import Failure
from goop2.scripting.invocation import Caller, ErrorCode
from goop2.storage.limits import LOCK_MAX_SECONDS
from goop2.storage.migrations import open_folder

TABLE = 'goop.schema.create("t", {{name = "n", type = "integer", default = 0}, {name = "b", type = "blob"}, {name = "s", type = "text"}})\n'


def function(body: str) -> str:
    return f"function call(request)\n{body}\nend\n"


async def result(folder: Path, body: str, **lua: object) -> object:
    async with peer_with(folder, {"f": function(body)}, None, **lua) as peer:
        return await call(peer, "f")


@pytest.mark.parametrize("layer", ["", "environment", "descriptors", "landlock", "rlimits", "seccomp"])
async def test_a_confined_worker_writes_through_a_checkpoint(tmp_path: Path, layer: str) -> None:
    body = (
        TABLE
        + """for round = 1, 12 do
      local changed, problem = goop.db.exec("INSERT INTO t (_owner, s) "
        .. "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n LIMIT 100) "
        .. "SELECT 'o', hex(zeroblob(2000)) FROM n")
      if not changed then error(problem) end
    end
    return goop.db.scalar("SELECT count(*) FROM t ORDER BY s")"""
    )
    async with peer_with(tmp_path, {"f": function(body)}) as peer:
        assert peer.confinement[layer or "seccomp"] == ""
        assert await call(peer, "f") == 1200


async def test_values_come_out_as_they_went_in(tmp_path: Path) -> None:
    body = (
        TABLE
        + r"""
      local big = "9223372036854775807"
      goop.schema.insert("t", {n = big, b = "\255\0\254", s = "a\0b"})
      goop.db.exec("INSERT INTO t (_owner, n, s) VALUES (?, ?, ?)", "x", "-9223372036854775808", "🙂")
      goop.db.exec("INSERT INTO t (_owner, n, s) VALUES (?, ?, ?)", "x", true, nil)
      local rows = goop.db.query("SELECT n, b, s FROM t ORDER BY _id")
      local max = goop.db.scalar("SELECT ?", 2^53)
      return {rows[1].n, rows[1].b == "\255\0\254", rows[1].s == "a\0b", rows[2].n, rows[2].s, rows[3].n, rows[3].s == nil, max,
              goop.db.scalar("SELECT 9007199254740993"), goop.db.scalar("SELECT ?", 1e308), goop.db.scalar("SELECT ?", -0.5),
              goop.db.scalar("SELECT ''"),
              goop.db.scalar("SELECT typeof(?)", "\255"), goop.db.scalar("SELECT typeof(?)", "ä"),
              #goop.db.scalar("SELECT ?", ("x"):rep(65536))}"""
    )
    assert await result(tmp_path, body) == [
        "9223372036854775807",
        True,
        True,
        "-9223372036854775808",
        "🙂",
        1,
        True,
        2**53,
        "9007199254740993",
        1e308,
        -0.5,
        "",
        "blob",
        "text",
        65536,
    ]


@pytest.mark.parametrize(
    ("call_", "message"),
    [
        ('goop.db.query("SELECT ?", 0/0)', "bad argument #2 to 'goop.db.query' (nan is not a finite number)"),
        ('goop.db.exec("SELECT ?", 1/0)', "is not a finite number"),
        ('goop.db.query("SELECT ?", {})', "string, number, boolean or nil expected, got table"),
        ('goop.schema.insert("t", {n = 0/0})', "n is not a finite number"),
        ('goop.schema.insert("t", {n = {}})', "n cannot hold a table"),
        ('goop.schema.insert("t", {1})', "columns have names, and 1 is none"),
        ('goop.schema.insert("t", "x")', "table expected, got string"),
        ("goop.db.query()", "string expected, got no value"),
        ("goop.db.transaction(5)", "function expected, got number"),
        ('goop.schema.create("u", "text")', "bad argument #2 to 'goop.schema.create' (table expected, got string)"),
        ('goop.schema.create("u")', "table expected, got no value"),
        ('goop.schema.find("t", "n = 1")', "bad argument #2 to 'goop.schema.find' (table expected, got string)"),
        ('goop.schema.find_one("t", 5)', "table expected, got number"),
        ('goop.schema.get("t", "one")', "bad argument #2 to 'goop.schema.get' (number expected, got string)"),
        ('goop.schema.update("t", {}, {})', "number expected, got table"),
        ('goop.schema.list("t", "1.5")', "number expected, got string"),
    ],
)
async def test_a_wrong_argument_raises_in_the_scripts_line(tmp_path: Path, call_: str, message: str) -> None:
    answer = failed(await result(tmp_path, TABLE + f"local r = {call_}"))
    assert answer.startswith("f:3: ")
    assert message.replace("nan", "") in answer.replace("-nan", "").replace("nan", "")


async def test_ids_and_limits_may_be_numeric_text_and_rows_are_counted_and_seeded(tmp_path: Path) -> None:
    body = (
        TABLE
        + """local seeded = goop.schema.seed("t", {{n = 1}, {n = "x"}, {n = 3, s = "three"}})
      local again = goop.schema.seed("t", {{n = 4}})
      local updated = goop.schema.update("t", "1", {s = "one"})
      local first = goop.schema.get("t", "1")
      local deleted, none = goop.schema.delete("t", "1"), goop.schema.get("t", "1")
      local _, missing = goop.schema.delete("t", "1")
      local _, unknown = goop.schema.count("nosuch")
      return {seeded, again, updated, first.s, deleted, none == nil, missing, #goop.schema.list("t", "5"),
        goop.schema.count("t"), goop.schema.count("t", {where = "n > ?", args = {5}}), unknown}"""
    )
    assert await result(tmp_path, body) == [
        2,
        0,
        True,
        "one",
        True,
        True,
        "t has no row 1",
        1,
        1,
        0,
        'there is no typed table "nosuch"',
    ]


async def test_a_thousand_rows_come_and_one_more_is_an_error(tmp_path: Path) -> None:
    numbers = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n LIMIT %d) SELECT x AS a, x * 2 AS b, NULL AS c, 'y' AS d, x AS e FROM n"  # noqa: E501
    body = f"""local rows = goop.db.query("{numbers % 1000}")
      local none, problem = goop.db.query("{numbers % 1001}")
      local wide, wider = goop.db.query("SELECT hex(zeroblob(600000))")
      return {{#rows, rows[1000], none == nil, problem, wide == nil, wider}}"""
    assert await result(tmp_path, body) == [
        1000,
        {"a": 1000, "b": 2000, "d": "y", "e": 1000},
        True,
        "goop.db.query: more than 1000 rows; add a LIMIT",
        True,
        "goop.db.query: more than 1048576 bytes of rows; ask for fewer rows or columns",
    ]


async def test_scalar_asks_for_the_first_row_alone_however_many_there_are(tmp_path: Path) -> None:
    body = """
      local endless = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT x FROM n"
      local none, too_long = goop.db.scalar("SELECT zeroblob(1048577)")
      return {goop.db.scalar(endless), goop.db.scalar("SELECT 2, zeroblob(1048577)"), goop.db.scalar("SELECT 1 WHERE 0") == nil,
              goop.db.scalar("SELECT NULL UNION ALL SELECT 1") == nil, none == nil, too_long}"""
    too_long = "goop.db.scalar: the value has more than 1048576 bytes; ask for a part of it"
    assert await result(tmp_path, body) == [1, 2, True, True, True, too_long]


async def test_null_of_json_is_null_in_sql(tmp_path: Path) -> None:
    body = """
      local params = goop.json.decode('[null, 5, null]')
      return {goop.db.query("SELECT ? IS NULL AS a, ? AS b, ? IS NULL AS c", unpack(params))}"""
    assert await result(tmp_path, body) == [[{"a": 1, "b": 5, "c": 1}]]


@pytest.mark.parametrize(("arguments", "takes", "came"), [("", 2, 0), (", 1", 2, 1), (", 1, nil, nil", 2, 3)])
async def test_too_few_and_too_many_arguments_are_counted(tmp_path: Path, arguments: str, takes: int, came: int) -> None:
    problem = await result(tmp_path, f'return select(2, goop.db.query("SELECT ?, ?"{arguments}))')
    assert problem == f"the arguments are not as many as the ? in the statement: it takes {takes}, not {came}"


@pytest.mark.parametrize("length", [65535, 2_000_000])
async def test_a_value_too_large_for_kv_is_told_and_not_raised(tmp_path: Path, length: int) -> None:
    body = f'goop.kv.set("a", 1) return {{goop.kv.set("a", ("x"):rep({length})), goop.kv.get("a")}}'
    assert await result(tmp_path, body) == ["goop.kv would hold more than 65536 bytes of this script, keys and values together", 1]


async def test_nil_in_kv_is_no_value_and_null_is_one(tmp_path: Path) -> None:
    body = """
      goop.kv.set("a", 1) goop.kv.set("a", nil) goop.kv.set("b", nil) goop.kv.set("c", goop.json.null)
      return {goop.kv.get("a") == nil, goop.kv.get("b") == nil, goop.kv.get("c") == goop.json.null}"""
    assert await result(tmp_path, body) == [True, True, True]


async def test_chat_commands_have_kv_and_nothing_else_of_the_database(tmp_path: Path) -> None:
    command = 'function handle() goop.kv.set("n", 5) return type(goop.db) .. type(goop.schema) .. type(goop.site) .. goop.kv.get("n") end'
    async with peer_with(tmp_path, {"hello": function('return goop.kv.get("n")')}, {"hello": command}) as peer:
        assert (await peer.engine.command(peer.owner, "!hello")).text == "nilnilnil5"
        assert await call(peer, "hello") is None, "the function of that name has keys of its own"


async def test_a_worker_has_so_much_memory_for_sql_and_no_more(tmp_path: Path) -> None:
    blobs = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n LIMIT 60) SELECT count(DISTINCT randomblob(1000000)) FROM n"
    body = f'local none, problem = goop.db.scalar("{blobs}") return {{problem, goop.db.scalar("SELECT 1")}}'
    assert await result(tmp_path, body) == ["the statement needs more memory than it may have", 1]


def test_the_worker_itself_knows_what_a_command_may_not_ask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever becomes of the VM: calls.lua keeps these from commands first."""
    monkeypatch.setattr("goop2.sandbox.data_calls.limit_heap", lambda _bytes: None)
    open_folder(tmp_path, tmp_path)[0].close()
    data = DataCalls(tmp_path / "data.db", kv_enabled=True, rules=OPERATION_RULES)
    data.begin(Invoke("command", "hello", b"", None, b"", "bob", "Bob", 60.0, ""), time.monotonic())
    for name, entry in data.entries.items():
        if not name.startswith((b"kv.", b"template")):
            assert "only for data functions" in str(data(name, entry, ())[-1]), name
    data._database.close()


def test_what_a_run_left_open_is_undone_at_its_end_and_the_alarm_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    alarms: list[float] = []
    monkeypatch.setattr("goop2.sandbox.data_calls.limit_heap", lambda _bytes: None)
    monkeypatch.setattr("goop2.sandbox.data_calls._end_in", alarms.append)
    open_folder(tmp_path, tmp_path)[0].close()
    data = DataCalls(tmp_path / "data.db", kv_enabled=True, rules=OPERATION_RULES)
    invoke = Invoke("function", "f", b"", None, b"", "bob", "Bob", 60.0, "")
    data.begin(invoke, time.monotonic())
    data(b"db.begin", data.entries[b"db.begin"], ())
    data(b"kv.set", data.entries[b"kv.set"], (b"a", b"1"))
    data.end()
    assert (data._database.in_transaction, data.transaction, alarms) == (False, False, [LOCK_MAX_SECONDS, 0])
    data.begin(invoke, time.monotonic())
    assert data(b"kv.get", data.entries[b"kv.get"], (b"a",)) == (b"v", None)
    data._database.close()


@pytest.mark.parametrize("folder", ["gone", os.fsdecode(b"Jos\xe9")])
def test_a_database_that_cannot_be_opened_is_told_without_a_path(tmp_path: Path, folder: str) -> None:
    data = DataCalls(tmp_path / folder / "data.db", kv_enabled=True, rules=OPERATION_RULES)
    _, *values = data(b"kv.get", data.entries[b"kv.get"], (b"a",))
    nothing, message = values
    assert nothing is None
    assert isinstance(message, bytes)
    assert message.startswith(b"data.db cannot be opened as a database: ")
    assert b"/" not in message


async def test_kv_that_is_off_says_so(tmp_path: Path) -> None:
    body = 'local value, problem = goop.kv.get("a") return {value == nil, problem, goop.kv.set("a", 1), goop.kv.del("a")}'
    disabled = "goop.kv is disabled in goop.json (lua.kv_enabled)"
    assert await result(tmp_path, body, kv_enabled=False) == [True, disabled, disabled, disabled]


async def test_a_transaction_is_all_or_nothing_and_gives_what_fn_gives(tmp_path: Path) -> None:
    body = (
        TABLE
        + """
      local function count() return goop.db.scalar("SELECT count(*) FROM t") end
      local function add() goop.schema.insert("t", {n = 1}) end
      local a, b, c, d = goop.db.transaction(function() add() return 1, nil, 3, 4 end)
      local raised = {}
      local ok, problem = pcall(goop.db.transaction, function() add() error(raised) end)
      local yielded, how = pcall(goop.db.transaction, function() add() coroutine.yield() end)
      local nested, why = pcall(goop.db.transaction, function() add() goop.db.transaction(add) end)
      local outside, reason = pcall(goop.db.transaction, function() add() goop.commands() end)
      return {a, b == nil, c, d, ok, problem == raised, yielded, how, nested, why, outside, reason, count()}"""
    )
    assert await result(tmp_path, body) == [
        1,
        True,
        3,
        4,
        False,
        True,
        False,
        "attempt to yield out of goop.db.transaction",
        False,
        "f:10: goop.db.transaction inside goop.db.transaction",
        False,
        "f:11: goop.commands is not available inside goop.db.transaction",
        1,
    ]


async def test_a_transaction_a_statement_undid_fails_alone(tmp_path: Path) -> None:
    body = (
        TABLE
        + """
      goop.schema.insert("t", {n = 1})
      local undo = "INSERT OR ROLLBACK INTO t (_id, _owner) VALUES (1, 'o')"
      local ok, problem = pcall(goop.db.transaction, function() goop.schema.insert("t", {n = 2}) goop.db.exec(undo) end)
      local kept, why = pcall(goop.db.transaction, function()
        goop.schema.insert("t", {n = 3})
        local none, undone = goop.db.exec(undo)
        local id, late = goop.schema.insert("t", {n = 4})
        error(late, 0)
      end)
      local rows = goop.db.transaction(function() goop.schema.insert("t", {n = 5}) return goop.db.query("SELECT n FROM t") end)
      return {ok, problem, kept, why, rows}"""
    )
    undone = "the transaction was undone by an error before"
    assert await result(tmp_path, body) == [False, undone, False, undone, [{"n": 1}, {"n": 5}]]


@pytest.mark.parametrize(
    "endless", ["while true do end", "pcall(function() while true do end end)", 'local s = ("a"):rep(30) while true do s:find(".-b") end']
)
async def test_a_transaction_has_its_second_and_no_more(tmp_path: Path, endless: str) -> None:
    hog = function(f'goop.db.transaction(function() goop.schema.insert("t", {{n = 1}}) {endless} end)')
    async with peer_with(
        tmp_path, {"make": function(TABLE), "hog": hog, "write": function('return goop.schema.insert("t", {n = 2})')}
    ) as peer:
        await call(peer, "make")
        hogging = asyncio.create_task(call(peer, "hog"))
        await asyncio.sleep(0.2)  # until the script holds the database
        written = await call(peer, "write", caller=Caller("bob"))
        assert isinstance(written, int)
        assert failed(await hogging) == "hog: goop.db held the database longer than a second; what it wrote was undone"
        assert peer.database.rows("SELECT n FROM t") == [(2,)]


async def test_one_statement_inside_one_function_of_sql_has_a_second_too(tmp_path: Path) -> None:
    endless = (
        "length(replace(hex(zeroblob(1000000)), hex(zeroblob(100000)) || '1', '')) + instr(zeroblob(2000000), zeroblob(1000000) || x'01')"
    )
    hog = function(f'return goop.db.exec("UPDATE t SET n = {endless}")')
    scripts = {"make": function(TABLE + 'goop.schema.insert("t", {n = 1})'), "hog": hog}
    async with peer_with(tmp_path, scripts, timeout_seconds=30) as peer:
        await call(peer, "make")
        message = failed(await call(peer, "hog"))
        assert message == "hog: goop.db held the database longer than a second; what it wrote was undone"
        peer.database.changed("UPDATE t SET n = 2")


@pytest.mark.parametrize("write", ["{}", "goop.db.transaction(function() {} end)"])
async def test_a_script_may_work_for_longer_once_it_has_written(tmp_path: Path, write: str) -> None:
    body = (
        TABLE
        + write.replace("{}", 'goop.schema.insert("t", {n = 1})')
        + ' local began = os.time() while os.time() < began + 3 do end return "done"'
    )
    assert await result(tmp_path, body, timeout_seconds=20) == "done"


async def test_waiting_for_the_lock_is_not_holding_it(tmp_path: Path) -> None:
    async with peer_with(tmp_path, {"make": function(TABLE), "write": function('return goop.schema.insert("t", {n = 2})')}) as peer:
        await call(peer, "make")
        peer.database.begin()
        waiting = asyncio.create_task(call(peer, "write"))
        await asyncio.sleep(LOCK_MAX_SECONDS + 0.5)  # longer than it may hold the lock
        peer.database.rollback()
        assert await waiting == 1


async def test_one_statement_has_a_second_too(tmp_path: Path) -> None:
    endless = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT 'o', x FROM n"
    body = TABLE + f'local changed, problem = goop.db.exec("INSERT INTO t (_owner, n) {endless}") return {{changed == nil, problem}}'
    assert await result(tmp_path, body) == [True, "the statement took longer than its time"]


@pytest.mark.parametrize("then", ["return 1", "return #rows", "while true do rows = goop.db.query(endless) end"])
async def test_a_statement_that_the_deadline_ends_is_a_time_out_whatever_the_script_does_then(tmp_path: Path, then: str) -> None:
    endless = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n"
    answer = await result(tmp_path, f'local endless = "{endless}" local rows = goop.db.query(endless) {then}', timeout_seconds=1)
    assert isinstance(answer, Failure)
    assert (answer.code, answer.message) == (ErrorCode.TIMEOUT, "script timed out")


async def test_an_open_transaction_does_not_outlive_its_run(tmp_path: Path) -> None:
    hungry = (
        TABLE
        + 'goop.db.transaction(function() goop.schema.insert("t", {n = 1})\n'
        + 'local s = {} while true do s[#s + 1] = ("x"):rep(1e5) .. #s end end)'
    )
    async with peer_with(tmp_path, {"hungry": function(hungry)}, max_workers=1) as peer:
        assert failed(await call(peer, "hungry"))
        peer.database.changed("INSERT INTO t (_owner, n) VALUES ('x', 5)")
        assert peer.database.rows("SELECT n FROM t") == [(5,)]


async def test_fifty_at_once_count_to_five_thousand(tmp_path: Path) -> None:
    count = function("""for _ = 1, 100 do
      goop.db.transaction(function()
        local row = goop.schema.get("t", 1)
        goop.schema.update("t", 1, {n = row.n + 1})
      end)
      local problem = goop.kv.set("key" .. request.params.who .. "/" .. (_ % 10), _)
      if problem then error(problem) end
    end
    return goop.kv.get("key" .. request.params.who .. "/9")""")
    async with peer_with(
        tmp_path, {"make": function(TABLE + 'goop.schema.insert("t", {n = 0})'), "count": count}, timeout_seconds=30
    ) as peer:
        await call(peer, "make")
        answers = await asyncio.gather(*(call(peer, "count", {"who": who}, Caller(f"c{who}")) for who in range(50)))
        assert answers == [99] * 50
        assert peer.database.rows("SELECT n FROM t") == [(5000,)]
        assert peer.database.scalar("SELECT count(*) FROM _py_kv") == 500


@pytest.mark.parametrize(
    ("path", "given"),
    [
        ("index.html", "<p>"),
        ("/index.html", "<p>"),
        ("inner.html", "<p>"),
        ("lua/f.lua", None),
        ("lua/functions/f.lua", None),
        (".env", None),
        ("../goop.json", None),
        ("a/../../goop.json", None),
        ("out.html", None),
        ("scripts/f.lua", None),
        ("", None),
        (".", None),
        ("css", None),
        ("css/.hidden", None),
        ("nosuch", None),
        ("a\0b", None),
        ("/etc/passwd", None),
        ("big", None),
    ],
)
async def test_site_read_gives_the_site_and_nothing_else(tmp_path: Path, path: str, given: str | None) -> None:
    site = tmp_path / "site"
    (site / "css").mkdir(parents=True)
    (site / "lua").mkdir()
    for name, content in {"index.html": "<p>", ".env": "secret", "css/.hidden": "secret", "big": "x" * (2**20 + 1)}.items():
        (site / name).write_text(content)
    (site / "inner.html").symlink_to("index.html")
    (site / "out.html").symlink_to(tmp_path / "goop.json")
    (site / "scripts").symlink_to("lua")
    body = f"local content, problem = goop.site.read(goop.json.decode([==[{json.dumps(path)}]==])) return content or {{problem}}"
    answer = await result(tmp_path, body)
    assert answer == given if given else isinstance(answer, list) and len(answer) == 1
