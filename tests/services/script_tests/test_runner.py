"""services/script_tests: what tests of scripts see, what they leave behind (nothing), and what is told of one that fails."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest
from tests.storage.manual import peer_with

from goop2.app import open_test_peer
from goop2.folder.creation import create
from goop2.folder.templates import TEMPLATES
from goop2.scripting.limits import MEGABYTE_BYTES
from goop2.services.script_tests.report import TestResult, as_junit
from goop2.services.script_tests.runner import NoTestsError, TestDesk, open_bench

FUNCTIONS = {
    "add": "function call(r)\n  local id = goop.schema.insert('notes', {text = r.params.text})\n"
    "  return {id = id, who = goop.peer.id, at = os.time()}\nend",
    "remember": "function call(r) local n = (goop.kv.get('n') or 0) + 1 goop.kv.set('n', n) return n end",
    "fetch": "function call() local body, err = goop.http.get('https://api.example.org/x') return {body = body, err = err} end",
    "limited": "--- @rate_limit 2\nfunction call() return 1 end",
    "fails": "function call()\n  goop.log.warn('about to fail')\n  error('no such game')\nend",
    "endless": "function call() while true do end end",
    "owner": "function call() return goop.peer.id == goop.self.id end",
}
COMMANDS = {"hello": "function handle(args) return 'Hello, ' .. args end"}
TABLE = "goop.schema.create('notes', {{name = 'text', type = 'text'}})"


@asynccontextmanager
async def folder_with(folder: Path, tests: Mapping[str, str], **lua: object) -> AsyncIterator[Path]:
    """A folder with these tests, whose peer has run once and written a row."""
    functions = {
        **FUNCTIONS,
        "setup": f"function call() {TABLE} goop.schema.insert('notes', {{text = 'old'}}) goop.kv.set('secret', 'x') end",
    }
    async with peer_with(folder, functions, COMMANDS, timeout_seconds=1, http_enabled=True, **lua) as peer:
        await peer.engine.call(peer.owner, "setup")
    (folder / "tests").mkdir()
    for name, source in tests.items():
        (folder / f"tests/{name}.lua").write_text(source)
    yield folder


async def results_of(folder: Path, wanted: str = "") -> list[TestResult]:
    async with open_bench(folder, partial(open_test_peer, folder, {})) as bench:
        return [result async for result in bench.results(folder, wanted)]


def contents(folder: Path) -> dict[str, str]:
    """Every file of a folder and a digest of it; what SQLite keeps beside an open database does not count."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.startswith("data.db-")
    }


GOOD = """
test("a row is written", function()
  expect(#rows("notes")).equals(1)
  local made = call("add", {text = "new"}, {as = "ann"})
  expect(made.who).equals("ann")
  expect(rows("notes")[2].text).equals("new")
  expect(call("remember")).equals(1)
end)
test("and is gone in the next test", function()
  expect(#rows("notes")).equals(1)
  expect(call("remember")).equals(1)
end)
test("goop is there for what a test prepares", function()
  goop.schema.insert("notes", {text = "prepared"})
  expect(#rows("notes")).equals(2)
  keep("remember", "n", 41)
  expect(call("remember")).equals(42)
end)
test("the clock stands where it was set, for scripts and statements", function()
  clock.set("2026-03-29 08:00:00")
  expect(os.date("!%H:%M")).equals("08:00")
  local before = os.time()
  expect(call("add", {text = "x"}).at).equals(before)
  expect(rows("notes")[2]._created_at).matches("2026%-03%-29.08:00:00")
  expect(clock.advance(90)).equals(before + 90)
  expect(goop.db.scalar("SELECT strftime('%s', 'now')")).equals(tostring(before + 90))
  expect(os.time({year = 2020, month = 1, day = 1, hour = 12}) < before).equals(true)
end)
test("and is the real one in the next test", function()
  expect(os.time() > 1750000000).equals(true)
  expect(call("add", {}).at >= os.time() - 5).equals(true)
end)
test("the network is what was set", function()
  http.stub("https://api.example.org/x", {body = {a = 1}, status = 200})
  expect(call("fetch").body).equals('{"a":1}')
  http.stub("https://api.example.org/*", {error = "timed out after 5.0 s"})
  expect(http.requests()[1]).equals({method = "GET", url = "https://api.example.org/x", body = ""})
end)
test("callers are who the test says", function()
  expect(chat("!hello Ann", {as = "12D3KooBob"})).equals("Hello, Ann")
  expect(call("owner", {}, {owner = true})).equals(true)
  expect(call("owner")).equals(false)
  local reply, failure = chat("!nosuch")
  expect(reply).equals("Unknown command: nosuch")
  expect(failure).equals("not_found")
end)
test("limits are those of a call, and of a fresh minute in each test", function()
  call("limited") call("limited")
  expect(function() call("limited") end).fails("rate_limited")
end)
test("again", function() call("limited") call("limited") end)
test("expectations have several forms", function()
  expect.equals({1, {a = 2}}, {1, {a = 2}})
  expect({1}):equals({1})
  expect("abc").matches("^a.c$")
  expect.fails(function() error("no way") end, "no way")
  expect().fails(function() call("fails") end, "no such game")
end)
"""

BAD = """
test("short values stand in the sentence", function()
  expect(1 + 1).equals(3)
end)
test("long ones are compared", function()
  expect({list = {1, 2, 3}, text = ("x"):rep(60)}).equals({list = {1, 3}, text = ("x"):rep(60)})
end)
test("its own line and its calls are told", function()
  chat("!hello Ann")
  call("fails", {a = 1})
end)
test("a test that loops is ended as a call is", function() while true do end end)
test("a script that loops too", function() call("endless") end)
test("what nothing was set for fails the test, whatever the script does", function()
  expect(call("fetch").err).matches("nothing is set for GET https://api.example.org/x")
end)
test("what is no caller is said", function() call("owner", {}, {ass = "ann"}) end)
test("no command", function() chat("hello") end)
test("no clock", function() clock.set("yesterday") end)
test("no table", function() rows("nosuch") end)
test("no memory", function() local t = {} for i = 1, 1e9 do t[i] = ("x"):rep(1000) .. i end end)
test("the host is not there", function() return goop.http.get("https://api.example.org/") , io.open("/etc/passwd") end)
"""


async def test_what_a_test_does_is_undone_and_reaches_nothing(tmp_path: Path) -> None:
    async with folder_with(tmp_path, {"good_test": GOOD}) as folder:
        before = contents(folder)
        results = await results_of(folder)
        assert [(result.name, result.message) for result in results if not result.ok] == []
        assert len(results) == 10
        assert contents(folder) == before


async def test_a_failure_says_line_difference_and_runs(tmp_path: Path) -> None:
    async with folder_with(tmp_path, {"bad_test": BAD}) as folder:
        results = {result.name: result for result in await results_of(folder)}
        assert [name for name, result in results.items() if result.ok] == []
        short, long, called, loops, nested, unset, who, command, clock, table, memory, host = results.values()
        assert (short.line, short.message) == (3, "expected 3, got 2")
        assert long.difference is not None
        assert "    2,\n" in long.difference.got
        assert "    2,\n" not in long.difference.wanted
        assert (called.line, called.message) == (10, "script_error: fails:3: no such game")
        assert [(run.script, run.caller, run.status) for run in called.runs] == [
            ("!hello", "visitor-test", "ok"),
            ("fails", "visitor-test", "script_error"),
        ]
        assert called.runs[1].log == ["warn: about to fail"]
        assert loops.message == "timeout: script timed out"
        assert loops.milliseconds < 3000
        assert "time" in nested.message
        assert "nothing was set for: GET https://api.example.org/x (http.stub)" in unset.message
        assert "`ass`" in who.message
        assert 'chat("!hello alice")' in command.message.lower()
        assert "clock.set takes seconds since 1970" in clock.message
        assert "no such table" in table.message
        assert memory.message.startswith("memory: ")
        assert "http.stub" in host.message
        junit = as_junit_of(list(results.values()))
        assert 'tests="12" failures="12"' in junit
        assert '<testcase classname="tests/bad_test.lua" name="long ones are compared"' in junit


def as_junit_of(results: list[TestResult]) -> str:
    from goop2.services.script_tests.report import TestReport

    return as_junit(TestReport(results=results, seconds=1.0))


ODD_FILES = {
    "a_test": ("test('x', function() end", "')' expected near '<eof>'"),
    "b_test": ("while true do end", "timeout: script timed out"),
    "c_test": ("local x = 1", 'it has no test("name", function() … end)'),
    "d_test": ("test('x')", "has no function"),
    "e_test": ("test('x', print) test('x', print)", "there are two tests with the name"),
    "f_test": ("for i = 1, 2000 do test('x' .. i, print) end", "at most 1000 tests"),
    "g_test": ("error('at the top')", "at the top"),
    "h_test": ("test('h', function() end)", ""),
}


async def test_a_file_without_tests_that_can_be_named_fails_for_itself(tmp_path: Path) -> None:
    async with folder_with(tmp_path, {name: source for name, (source, _) in ODD_FILES.items()}) as folder:
        results = await results_of(folder)
    assert [(result.file, result.name) for result in results] == [
        (f"tests/{name}.lua", "h" if name == "h_test" else "") for name in ODD_FILES
    ]
    for result, (_, said) in zip(results, ODD_FILES.values(), strict=True):
        assert said in result.message
        assert result.ok == (said == "")


async def test_files_that_are_no_scripts_are_told_and_links_are_not_followed(tmp_path: Path) -> None:
    async with folder_with(tmp_path / "p", {"a_test": "test('a', function() expect(goop.site.read('out.txt')).equals(nil) end)"}) as folder:
        (folder / "tests/large_test.lua").write_bytes(b"x" * (MEGABYTE_BYTES + 1))
        (folder / "tests/latin_test.lua").write_bytes(b"-- \xe9")
        (tmp_path / "secret.lua").write_text("test('secret', function() end)")
        (folder / "tests/link_test.lua").symlink_to(tmp_path / "secret.lua")
        (folder / "site/out.txt").symlink_to(tmp_path / "secret.lua")
        found = {result.file: result.message for result in await results_of(folder)}
        assert found["tests/a_test.lua"] == ""
        assert found["tests/latin_test.lua"] == "it is not UTF-8"
        assert "cannot be read" in found["tests/large_test.lua"]
        assert "cannot be read" in found["tests/link_test.lua"]


async def test_a_name_picks_a_file_or_tests_and_an_unknown_one_is_said(tmp_path: Path) -> None:
    tests = {"a_test": "test('one', function() end) test('two', function() end)", "b_test": "test('one more', function() end)"}
    async with folder_with(tmp_path, tests) as folder:
        assert [result.name for result in await results_of(folder, "a")] == ["one", "two"]
        assert [result.name for result in await results_of(folder, "one")] == ["one", "one more"]
        with pytest.raises(NoTestsError, match="no test has 'nosuch' in its name"):
            await results_of(folder, "nosuch")
        for file in (folder / "tests").iterdir():
            file.unlink()
        with pytest.raises(NoTestsError, match="has no file of tests"):
            await results_of(folder)


async def test_a_run_from_the_console_is_bounded(tmp_path: Path) -> None:
    async with folder_with(tmp_path, {"a_test": "test('a', function() end) test('b', function() end)"}) as folder:
        report = await TestDesk(folder, partial(open_test_peer, folder, {})).run(seconds=0.0)
        assert [result.name for result in report.results] == ["a"]
        assert "not all tests were run" in report.notes[0]


async def test_the_private_operations_are_lent_to_tests_alone(tmp_path: Path) -> None:
    async with peer_with(tmp_path, {}) as peer:
        assert [name for name in peer.pool._operations.lent if name.startswith("test.")] == []
        assert peer.engine.clock is None


async def test_every_template_passes_its_tests(tmp_path: Path) -> None:
    for name in TEMPLATES:
        create(tmp_path / name, "Fred", name)
        results = await results_of(tmp_path / name)
        assert [(result.file, result.name, result.message) for result in results if not result.ok] == []
        assert results
