"""Names of a Lua source, by Lua's rules of scope."""

from __future__ import annotations

import pytest

from goop2.scripting.checks.lua_names import NameSyntaxError, names_used


def test_reads_and_writes_of_globals_are_told_from_locals() -> None:
    found = names_used("local a = 1 b = a + c.d.e function f.g() return h end local function i() return i end")
    assert [use.path for use in found.reads] == [("c", "d", "e"), ("h",)]
    assert found.written == {("b",), ("f", "g")}
    assert set(found.locals) == {"a", "i"}


def test_a_local_that_stands_for_a_global_leads_to_it() -> None:
    found = names_used("local kv = goop.kv kv.get('x') do local kv = {} kv.get('y') end kv.set('z')")
    assert [use.path for use in found.reads if use.called] == [("goop", "kv", "get"), ("goop", "kv", "set")]


def test_the_function_around_a_use_is_known() -> None:
    found = names_used("a() function handle() b() local function c() d() end end e = function() f() end")
    assert [(use.path[0], use.within) for use in found.reads if use.path[0] in "abdf"] == [
        ("a", ""),
        ("b", "handle"),
        ("d", "handle"),
        ("f", "e"),
    ]


@pytest.mark.parametrize(
    "source", ["x", "1 = 2", "f() = 1", "a.b", "local", "for i do end", "return 1 x = 2", "while x end", "a:b", "x = = 1"]
)
def test_what_is_no_lua_is_an_error(source: str) -> None:
    with pytest.raises(NameSyntaxError):
        names_used(source)
