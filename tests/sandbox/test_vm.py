"""One VM: what its memory limit does to it, what errors say, and that nothing of the host gets in."""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import textwrap

import pytest
from tests.sandbox.machines import MEMORY_BYTES, NO_ANSWER, flavour_named, run

from goop2.sandbox import vm
from goop2.sandbox.host_calls import HostCalls
from goop2.sandbox.messages import HostCallAnswer
from goop2.sandbox.vm import CompileError, MemoryGate, VirtualMachine

MEGABYTE_BYTES = 1024 * 1024
FILL = "local t, n = nil, 0 pcall(function() while true do n = n + 1 t = {t, ('x'):rep(2000) .. n} end end)"
"""Leaves room for an argument list and little more."""

ERRORS = {
    # body of a command: its error
    "error('boo')": "hello:2: boo",
    "error('boo', 0)": "boo",
    "error('boo', 2)": "boo",
    "local x = nil; x.y = 1": "hello:2: attempt to index local 'x' (a nil value)",
    "error({})": "hello:2: []",
    "error({code = 'no_stock', message = 'sold out'})": "hello:2: sold out",
    "error({message = 'sold out'}, 0)": "sold out",
    "error({reason = {1, 2}, why = 'x'})": 'hello:2: {"reason":[1,2],"why":"x"}',
    "error({message = {}, code = 5})": 'hello:2: {"code":5,"message":[]}',
    "local function check() error({message = 'no'}, 2) end\ncheck()": "hello:3: no",
    "local ok, e = pcall(error, {message = 'no'}, 2) error(e)": "hello:2: no",
    "error({error})": "hello:2: (error object is a table value)",
    "local t = {} t.t = t error(t)": "hello:2: (error object is a table value)",
    "local t = {} for i = 1, 1e5 do t[i] = i end error(t)": "hello:2: (error object is a table value)",
    "error()": "(error object is a nil value)",
    "error(print)": "(error object is a function value)",
    "error(setmetatable({}, {__tostring = function() return 'described' end}))": "described",
    "error(setmetatable({}, {__tostring = function() error('again') end}))": "hello:2: []",
    "error(setmetatable({}, {__tostring = function() return {} end}))": "hello:2: []",
    "error(setmetatable({}, {__metatable = 'hidden'}))": "hello:2: []",
    "error(('x'):rep(5000), 0)": "x" * 2000,
}


@pytest.mark.parametrize("body", ERRORS)
def test_an_error_names_script_and_line_and_stays_short(flavour: str, body: str) -> None:
    ran = run(flavour, f"function handle()\n{body}\nend")
    assert ran.code == "script_error"
    assert ran.text.replace("[goop]", "") == ERRORS[body]


ENDLESS = {
    "one function": "local function f(n) return 1 + f(n + 1) end return f(1)",
    "two functions": "local g local function f(n) return 1 + g(n) end function g(n) return 1 + f(n) end return f(1)",
    "with any number of arguments": "local function f(...) return 1 + f(...) end return f(1, 2)",
    "with a table a call": "local function f(t) local u = {t} local x = f(u) return x end return f({})",
    "in a loop": "local function f(n) for i = 1, 3 do f(n + i) end return n end return f(1)",
    "through __index": "local t = setmetatable({}, {__index = function(t, key) return t[key + 1] + 1 end}) return t[1]",
}


@pytest.mark.slow
@pytest.mark.parametrize("body", ENDLESS.values(), ids=ENDLESS)
def test_an_endless_recursion_has_its_place_and_its_trace_every_time(flavour: str, body: str) -> None:
    calls_of_c = flavour == "lua51" and "__index" in body  # plain Lua counts them apart
    for _ in range(10):  # what LuaJIT compiles differs from VM to VM
        ran = run(flavour, f"function handle()\n{body}\nend")
        assert (ran.code, ran.text) == ("script_error", f"hello:2: {'C ' if calls_of_c else ''}stack overflow")
        assert ran.traceback.startswith("hello:2: in function ")


def test_an_error_that_is_not_utf8_crosses_as_bytes(flavour: str) -> None:
    assert run(flavour, "function handle() error('\\255', 0) end").payload == b"\xff"


@pytest.mark.parametrize(
    ("source", "kind", "message"),
    [
        ("x = 1", "command", "hello defines no function handle(args)"),
        (
            "function call() end",
            "command",
            "hello defines no function handle(args) (it defines call: data functions belong in the functions folder)",
        ),
        ("handle = 5", "command", "hello defines no function handle(args)"),
        ("x = 1", "function", "hello defines no function call(request)"),
        (
            "function handle() end",
            "function",
            "hello defines no function call(request) (it defines handle: chat commands belong beside the functions folder, not in it)",
        ),
    ],
)
def test_a_script_without_its_entry_is_told_what_is_missing(flavour: str, source: str, kind: str, message: str) -> None:
    assert run(flavour, source, b"{}", kind).text == message


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (b"x x", "hello:1: '=' expected near 'x'"),
        (b"\n\nfor", "hello:3: '<name>' expected near '<eof>'"),
        (b"\x1bLJ\x02", "hello:1: precompiled code is not accepted, only source text"),
        (b"\x1bLuaQ", "hello:1: precompiled code is not accepted, only source text"),
    ],
)
def test_what_does_not_compile_says_where(flavour: str, source: bytes, message: str) -> None:
    with pytest.raises(CompileError) as caught:
        run(flavour, source)
    assert str(caught.value).replace("<name> expected", "'<name>' expected").replace("near <eof>", "near '<eof>'") == message


def test_a_compilers_message_is_short_however_long_the_name_it_quotes(flavour: str) -> None:
    with pytest.raises(CompileError) as caught:
        run(flavour, "x " + "y" * 100_000)
    assert len(str(caught.value)) <= 2000


def test_a_source_that_takes_more_memory_than_there_is_does_not_compile(flavour: str) -> None:
    source = "x = {" + "{}," * 300_000 + "}"
    with pytest.raises(CompileError, match="hello:1: compiling takes more memory than the limit"):
        run(flavour, source, memory_bytes=MEGABYTE_BYTES)


REPLIES = {
    "'x'": b"x",
    "nil": b"",
    "''": b"",
    "5": b"5",
    "5.5": b"5.5",
    "true": b"true",
    "'\\255'": b"\xff",
    "setmetatable({}, {__tostring = function() return 'me' end})": b"me",
}


@pytest.mark.parametrize("value", REPLIES)
def test_a_reply_is_a_string_or_what_tostring_makes_of_it(flavour: str, value: str) -> None:
    assert run(flavour, f"function handle() return {value} end").payload == REPLIES[value]


def test_a_table_as_reply_is_shown_like_one(flavour: str) -> None:
    assert run(flavour, "function handle() return {} end").text.startswith("table: ")


def test_no_more_of_a_reply_crosses_than_can_be_sent(flavour: str) -> None:
    assert len(run(flavour, "function handle() return ('x'):rep(1e6) end").payload) == 8192


def test_an_honest_script_with_seven_of_ten_megabytes_live_and_churn_passes(flavour: str) -> None:
    source = """
      function handle()
        local live = {}
        for i = 1, 700 do live[i] = ('x'):rep(10 * 1024) .. i end
        local bytes = 0
        for i = 1, 20000 do
          local garbage = {('y'):rep(500) .. i, i}
          bytes = bytes + #garbage[1]
        end
        return #live .. ' ' .. (collectgarbage('count') > 7000 and 'held' or 'lost')
      end"""
    ran = run(flavour, source)
    assert (ran.code, ran.text) == ("ok", "700 held")


def test_an_honest_script_with_a_hundred_thousand_live_tables_and_churn_passes(flavour: str) -> None:
    source = """
      function handle()
        local live = {}
        for i = 1, 60000 do live[i] = {i, i} end
        for i = 1, 100000 do local garbage = {i, {i}} end
        return #live
      end"""
    ran = run(flavour, source)
    assert (ran.code, ran.text) == ("ok", "60000")


def test_what_does_not_fit_ends_as_memory_limit_exceeded(flavour: str) -> None:
    ran = run(flavour, "function handle() local t = {} while true do t[#t + 1] = {} end end")
    assert (ran.code, ran.text) == ("memory", "memory limit exceeded")


def test_params_larger_than_the_limit_end_the_call_and_not_the_process(flavour: str) -> None:
    params = json.dumps(["x"] * 250_000).encode()
    assert run(flavour, "function call(r) return #r.params end", params, "function", MEGABYTE_BYTES).code == "memory"


def test_a_source_larger_than_the_limit_does_not_compile(flavour: str) -> None:
    with pytest.raises(CompileError, match="more memory than the limit"):
        run(flavour, "--" + "x" * (2 * MEGABYTE_BYTES), memory_bytes=MEGABYTE_BYTES)


@pytest.mark.parametrize("size", [5000, 900_000])
def test_a_host_answer_into_a_full_vm_is_a_memory_error_and_the_worker_goes_on(flavour: str, size: int) -> None:
    """In a process of its own: without the gate the interpreter lock is lost and it hangs."""
    source = f"function handle() goop.commands() {FILL} goop.commands() return n end"
    code = f"""
        from goop2.sandbox.messages import HostCallAnswer
        from tests.sandbox.machines import run
        text = b'["' + b"x" * {size} + b'"]'
        ran = run({flavour!r}, {source!r}, answer=lambda call: HostCallAnswer(b"jj", (text, b"{{}}")))
        print(ran.code, run({flavour!r}, "function handle() return 'alive' end").text)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=20, check=False)
    assert (done.stdout, done.returncode) == ("memory alive\n", 0), done.stderr


def test_a_goop_table_that_could_not_be_filled_for_want_of_memory_says_so_every_time(flavour: str) -> None:
    body = f"local function ask() return goop.json.encode(1) end {FILL} pcall(ask) ask()"
    assert run(flavour, f"function handle() {body} end").code == "memory"


def test_parts_that_come_with_a_script_are_not_asked_for(flavour: str) -> None:
    source = b"function call(request) return {request.params.x, goop.json.encode(request.params)} end"

    def ran(parts: tuple[bytes, ...]) -> tuple[bytes, list[bytes]]:
        machine = VirtualMachine(flavour_named(flavour), HostCalls(list[object]().append, lambda: NO_ANSWER, ()), MEMORY_BYTES)
        outcome = machine.run("function", "f", machine.compile("f", source), b'{"x": 5}', ("them", "Them"), ("us", "Us"), parts=parts)
        return outcome.payload, machine.asked_parts

    payload, asked = ran(())
    assert set(asked) >= {b"codec", b"calls", b"vm_functions"}
    assert ran(tuple(asked)) == (payload, [])


def test_nothing_that_reaches_a_script_is_of_the_host(flavour: str) -> None:
    """Neither among the globals and what hangs on them, nor as an error caught, nor as a result."""
    source = """
      local kinds, seen = {}, {}
      local function visit(value)
        kinds[type(value)] = true
        if type(value) ~= 'table' or seen[value] then return end
        seen[value] = true
        for k, v in pairs(value) do visit(k) visit(v) end
        visit(getmetatable(value))
      end
      function handle(args)
        visit(goop.json) visit(_G) visit(args) visit(getmetatable(''))
        for _, f in ipairs{goop.commands, goop.kv.get, goop.listen.play} do
          for _, result in ipairs{pcall(f, 'x')} do visit(result) end
        end
        local found = {}
        for kind in pairs(kinds) do found[#found + 1] = kind end
        table.sort(found)
        return table.concat(found, ' ')
      end"""
    assert run(flavour, source, answer=_fail).text == "boolean function nil number string table"


def _fail(call: object) -> HostCallAnswer:
    raise RuntimeError("a secret of the host")


def test_a_python_exception_in_the_host_shows_only_its_name(flavour: str) -> None:
    ran = run(flavour, "function handle() local x = goop.commands() end", answer=_fail)
    assert ran.text == "hello:1: RuntimeError in the host"


@pytest.mark.slow
def test_a_vm_is_gone_when_it_is_let_go(flavour: str) -> None:
    """Lua holds the gate and the gate holds Lua: without a hand it stays until the collector comes by."""
    host = HostCalls(lambda message: None, lambda: NO_ANSWER, ())
    gc.collect()
    gc.disable()
    try:
        before = _doors()
        for _ in range(3):
            VirtualMachine(flavour_named(flavour), host, MEMORY_BYTES)
        assert _doors() == before
    finally:
        gc.enable()


def _doors() -> int:
    return sum(isinstance(left, MemoryGate) for left in gc.get_objects())


def test_seeds_are_never_used_twice_not_even_by_a_fork() -> None:
    vm._new_seed()
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writing, vm._new_seed().to_bytes(vm.SEED_BYTES, "little"))
        os._exit(0)
    os.waitpid(child, 0)
    seeds = [vm._new_seed() for _ in range(2 * vm.SEEDS_AT_ONCE)]
    seeds.append(int.from_bytes(os.read(reading, vm.SEED_BYTES), "little"))
    os.close(reading)
    os.close(writing)

    assert len(set(seeds)) == len(seeds)
