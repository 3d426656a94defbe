"""What the checks find in a script, and what they leave alone."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import goop2
from goop2.scripting.checks.script_checks import FINDINGS_MAX, check
from goop2.scripting.source_files import Kind

LUA = sorted((Path(goop2.__file__).parent / "folder/templates").rglob("site/lua/**/*.lua"))


def said(source: str, kind: Kind = "function") -> list[str]:
    """What is said of a body, in a script of that kind that is right otherwise."""
    entry = "function call(request)" if kind == "function" else "function handle(args)"
    return [f"{each.line}: {each.message}" for each in check(kind, "x", f"{entry}\n{source}\nend\n")]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("pritn(1)", "2: undefined global pritn; did you mean print?"),
        ("local totl = 1\nreturn total", "3: undefined global total"),
        ("return sting.format('x')", "2: undefined global sting; did you mean string?"),
        ("return nothing_like_it", "2: undefined global nothing_like_it"),
        ("return string.fromat('x')", "2: string has no function fromat; did you mean format?"),
        ("return ('x'):rep(3) .. lenght", "2: undefined global lenght"),
        ("return require('x')", "2: require is not there: a script reaches no files"),
        ("return io.open('x')", "2: io is not there: a script reaches no files"),
        ("return os.getenv('x')", "2: os has no function getenv"),
        ("return goop.kv.gett('x')", "2: goop.kv.gett is not known here; goop.kv.get is"),
        ("return goop.jsn.encode(1)", "2: goop.jsn is not known here; goop.json is"),
        ("local kv = goop.kv\nreturn kv.gett('x')", "3: goop.kv.gett is not known here; goop.kv.get is"),
        ("local f = goop.nothing", "2: goop.nothing is not known here"),
        ("do local a = 1 end\nreturn a", "3: undefined global a"),
        ("for i = 1, 2 do end\nreturn i", "3: undefined global i"),
        ("repeat local done = true until done\nreturn done", "3: undefined global done"),
        ("local function f(a) return a end\nreturn a", "3: undefined global a"),
        ("local x = x1", "2: undefined global x1"),
        ("return { a = b1, [c1] = 1, d1 }", "2: undefined global b1"),
        ("return #lst", "2: undefined global lst"),
    ],
)
def test_a_mistake_is_named_with_its_line(source: str, message: str) -> None:
    assert said(source)[0] == message


@pytest.mark.parametrize(
    "source",
    [
        "local a, b = 1\nreturn a, b, request",
        "counter = (counter or 0) + 1 return counter",
        "if jit then return jit.version end",
        "local unpack = unpack or table.unpack return unpack({})",
        "return goop.nothing and goop.nothing()",
        "if not goop.later then return end goop.later.do_it()",
        "goop.mine = { f = function() end } goop.mine.f()",
        "string.trim = function(s) return s end return string.trim('x')",
        "function helper.x() end",
        "local t = {} function t.f() end function t:g() return self end return t.f(), t:g()",
        "local s = [==[ pritn ]] ]==] --[[ pritn\n]] return s",
        "return 'pritn', \"pritn\", 0x10, 1e5, .5, 3ULL",
        "for k, v in pairs({}) do goop.log.info(k, v) end",
        "while false do break end repeat local x = 1 until x",
        "goto done ::done::",
        "local f = function(...) return select('#', ...) end return f(), f'x', f{1}",
        "return goop.peer.id, goop.self.label, goop.json.null, goop.commands()",
        "_G.mine = 1 return mine",
        "return request.params.goop.kvv.x",
        "local kv = goop.kv kv = { gett = 1 } return kv.gett",
    ],
)
def test_what_is_right_or_cannot_be_known_is_left_alone(source: str) -> None:
    assert said(source) == [] or source.startswith("function helper")


@pytest.mark.parametrize("call", ["goop.db.query('x')", "goop.schema.list('x')", "goop.site.read('x')"])
def test_what_data_functions_alone_have_is_said_in_a_command(call: str) -> None:
    name = call.partition("(")[0]
    assert said(f"return {call}", "command") == [f"2: {name} is for data functions alone: in a chat command it is nil"]
    assert said(f"return {call}") == []
    both = f"function call() return {call} end\nfunction handle() return {call} end\n"
    assert [each.line for each in check("function", "x", both)] == [2]


@pytest.mark.parametrize(
    ("kind", "source", "message"),
    [
        ("command", "return 1", "no function handle(args) is defined here, so !x cannot answer"),
        ("function", "local a = 1", "no function call(request) is defined here, so x cannot answer"),
        ("command", "local function handle() end", "handle is local, so the peer does not find it: take the word local away"),
        ("function", "local call = function() end", "call is local, so the peer does not find it: take the word local away"),
        (
            "command",
            "function handle() end\nfunction call() end",
            "call is not used in a chat command: a data function stands in functions/x.lua",
        ),
    ],
)
def test_an_entry_that_is_missing_or_not_used_is_said(kind: Kind, source: str, message: str) -> None:
    assert [each.message for each in check(kind, "x", source)] == [message]


@pytest.mark.parametrize(
    "source", ["function call() end", "call = function() end", "_G.call = function() end", "function handle() end", "function run() end"]
)
def test_every_way_to_define_an_entry_is_known(source: str) -> None:
    assert check("function", "x", source) == []


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        ("--- Says hello\n--- @rate_limit 5\nfunction handle() end", []),
        ("--- Says hello\n-- no\n--- @rate_limit 5\nfunction handle() end", [3]),
        ("function handle() end\n--- @rate_limit 5", [2]),
        ("--- x\nlocal a = 1\n--- @param args text\n--- @rate_limit 5\nfunction handle() return a end", [4]),
    ],
)
def test_an_annotation_without_effect_is_said(source: str, lines: list[int]) -> None:
    found = check("command", "x", source)
    assert [each.line for each in found] == lines
    assert all("@rate_limit has no effect here" in each.message for each in found)


def test_a_finding_names_its_place() -> None:
    source = "function handle()\n  -- ü\n  pritn()\nend"
    (found,) = check("command", "x", source)
    assert source[found.start : found.end] == "pritn"


@pytest.mark.parametrize("source", ["function handle(", "x =", "return return", "'", "[[", "end", "f(", "\0", "if then end", "local 1"])
def test_of_what_is_no_lua_nothing_is_said(source: str) -> None:
    assert check("command", "x", source) == []


@pytest.mark.parametrize(
    "source",
    [
        "--[[" * 20_000,
        "[[" * 30_000,
        '"' * 60_000,
        "(" * 60_000,
        "{" * 60_000,
        "a." * 40_000 + "b()",
        "x=" * 30_000,
        "do " * 20_000,
        "x=1 " + "undefinedname() " * 5_000,
        "'" + "\\" * 90_000,
        "x=" + "not " * 20_000 + "1",
        "x=1" + "..1" * 30_000,
        "--" * 60_000,
        "x=function() " * 10_000,
    ],
)
def test_no_source_takes_long_or_says_too_much(source: str) -> None:
    begun = time.process_time()
    assert len(check("command", "x", source)) <= FINDINGS_MAX
    assert time.process_time() - begun < 3


@given(st.text(alphabet=" \n\"'[]=-(){}.,:;xyfend local function return if then do end goop", max_size=200))
def test_no_text_is_an_error_of_ours(source: str) -> None:
    check("command", "x", source)


@pytest.mark.parametrize("file", LUA, ids=lambda file: "/".join(file.parts[-4:]))
def test_the_scripts_of_the_templates_have_no_findings(file: Path) -> None:
    kind: Kind = "function" if file.parent.name == "functions" else "command"
    assert check(kind, file.stem, file.read_text()) == []
