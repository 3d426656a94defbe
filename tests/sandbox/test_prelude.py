"""The language a script finds (behaviour.md, "The sandbox"): one list of conformance, run on both flavours."""

from __future__ import annotations

import re

import pytest
from tests.sandbox.machines import reply_of, run

PRESENT = {
    "_G": (
        "assert error ipairs next pairs pcall xpcall rawequal rawget rawset select setmetatable getmetatable "
        "tonumber tostring type unpack print load loadstring collectgarbage"
    ),
    "string": "byte char find format gmatch gsub len lower match rep reverse sub upper",
    "table": "concat insert maxn remove sort",
    "math": "abs acos asin atan atan2 ceil cos cosh deg exp floor fmod frexp ldexp log log10 max min modf pow rad random randomseed sin",
    "coroutine": "create resume running status wrap yield",
    "bit": "tobit tohex bnot band bor bxor lshift rshift arshift rol ror bswap",
    "os": "time date clock difftime",
    "goop": "commands",
    "goop.json": "encode decode object array",
    "goop.log": "info warn error",
    "goop.kv": "get set del",
    "goop.http": "get post",
    "goop.listen": "create state load play pause seek close",
}

ABSENT = (
    *("io", "package", "require", "module", "dofile", "loadfile", "debug", "ffi", "jit", "newproxy", "getfenv", "setfenv", "gcinfo"),
    *("python", "lua", "arg", "string.dump", "os.execute", "os.remove", "os.rename", "os.tmpname", "os.getenv", "os.exit", "os.setlocale"),
)

CONFORMANCE = {
    # sentence: (body of a command, its reply)
    "load takes source text": ("return load('return 1 + 1')()", "2"),
    "load takes a reader function": (
        "local parts, at = {'return ', '4', '2'}, 0 return load(function() at = at + 1 return parts[at] end)()",
        "42",
    ),
    "format takes as many arguments as unpack gives": (
        "local t = {} for i = 1, 5000 do t[i] = i end return #string.format(('%d '):rep(5000), unpack(t))",
        "23893",
    ),
    "load names the chunk in its errors": ("return select(2, load('x x', '=mine'))", "mine:1: '=' expected near 'x'"),
    "load gives nil and a message for what does not compile": ("local f, m = load('x x') return tostring(f) .. type(m)", "nilstring"),
    "load takes an environment": ("local e = {x = 7} return load('return x', 'c', 't', e)()", "7"),
    "load takes no number": ("return select(2, pcall(load, 5))", "bad argument #1 to 'load' (string expected, got number)"),
    "load wants text from its reader": (
        "local out = {} for _, piece in ipairs{5, {}, true} do local f, m = load(function() return piece end) "
        "out[#out + 1] = tostring(f) .. ' ' .. m end return table.concat(out, '|')",
        "|".join(["nil reader function must return a string"] * 3),
    ),
    "load gives what its reader raises as its message": (
        "local f, m = load(function() error('mine', 0) end) local g, t = load(function() error({5}) end) "
        "return tostring(f) .. m .. tostring(g) .. t[1]",
        "nilminenil5",
    ),
    "load names a chunk from a reader": (
        "local once local f, m = load(function() if not once then once = true return 'x = = 1' end end) return m:match('^(.-:%d+):')",
        "(load):1",
    ),
    "load stops asking its reader at the first error": (
        "local n = 0 load(function() n = n + 1 if n < 1000 then return '*a ' end end) return n < 10",
        "true",
    ),
    "load gives nil for text where only bytecode is wanted": (
        "local f, m = load('return 1', 'x', 'b') local g, n = load(function() end, 'x', 'b') "
        "return tostring(f) .. tostring(g) .. m .. tostring(m == n)",
        "nilnilattempt to load chunk with wrong modetrue",
    ),
    "load takes text in every mode that has a t": ("return load('return 1', 'x', 't')() + load('return 1', 'x', 'bt')()", "2"),
    "load wants a name that is text": (
        "return select(2, pcall(load, 'x', {}))",
        "bad argument #2 to 'load' (string expected, got table)",
    ),
    "load of an empty reader is an empty chunk": ("return select('#', load(function() end)())", "0"),
    "load lets its reader give the chunk piece by piece": (
        "local at, text = 0, 'return 6 * 7' return load(function() at = at + 1 if at <= #text then return text:sub(at, at) end end)()",
        "42",
    ),
    "load gives its reader's chunk an environment": (
        "local n = 0 return load(function() n = n + 1 return n == 1 and 'return x' or nil end, 'c', 't', {x = 8})()",
        "8",
    ),
    "loadstring takes a number for its text": (
        "local f, m = loadstring(5) return tostring(f) .. ' ' .. m:match('^.-:%d+: %a+')",
        'nil [string "5"]:1: unexpected',
    ),
    "loadstring wants an argument": (
        "return select(2, pcall(loadstring))",
        "bad argument #1 to 'loadstring' (string expected, got no value)",
    ),
    "loadstring takes no function": (
        "return select(2, pcall(loadstring, print))",
        "bad argument #1 to 'loadstring' (string expected, got function)",
    ),
    "loadstring is load": ("return loadstring('return ...')(5)", "5"),
    "load refuses bytecode": (
        "local f, m = load('\\27LJ\\2') return tostring(f) .. ' ' .. m",
        "nil attempt to load precompiled code: only source text can be loaded",
    ),
    "load refuses bytecode from a reader that hands it over letter by letter": (
        "local parts, at = {'\\27', 'L'}, 0 local f, m = load(function() at = at + 1 return parts[at] end) return tostring(f) .. m",
        "nilattempt to load precompiled code: only source text can be loaded",
    ),
    "xpcall passes arguments on": ("return select('#', xpcall(function(...) return ... end, print, 1, nil, nil))", "4"),
    "xpcall without arguments works as ever": (
        "return select(2, xpcall(function() error('x', 0) end, function(m) return m .. '!' end))",
        "x!",
    ),
    "xpcall with arguments calls its handler": (
        "return select(2, xpcall(function(a) error(a, 0) end, function(m) return m .. '!' end, 'y'))",
        "y!",
    ),
    "xpcall with arguments calls no number": ("return select(2, xpcall(5, function(m) return m end, 1))", "attempt to call a number value"),
    "collectgarbage counts": ("local n = collectgarbage('count') return tostring(n > 10 and n < 10240)", "true"),
    "collectgarbage does nothing else": (
        "for _, what in ipairs{'collect', 'stop', 'setpause', 'step'} do assert(not pcall(collectgarbage, what, 1)) end "
        "return (select(2, pcall(collectgarbage)))",
        'only collectgarbage("count") is available',
    ),
    "print gives nothing": ("return select('#', print('x'))", "0"),
    "_G is the table of globals": ("_G.x = 5 return x", "5"),
    "unpack stands alone": ("return select('#', unpack({1, 2, 3}))", "3"),
    "a string has its methods": ("return ('x'):rep(3)", "xxx"),
    "integers and fractions look alike": ("return 1 .. ' ' .. 10 / 2 .. ' ' .. 2 ^ 53", "1 5 9.007199254741e+15"),
    "arguments of vararg functions keep their nils": ("return select('#', nil, nil)", "2"),
    "os.time and os.date agree": ("return os.date('!%Y-%m-%d', os.time{year=2024, month=2, day=29, hour=12})", "2024-02-29"),
    "os.difftime subtracts": ("return os.difftime(10, 4)", "6"),
    "os.clock is a number": ("return type(os.clock())", "number"),
    "coroutines yield through pcall where Lua 5.1 lets them": (
        "local co = coroutine.wrap(function() coroutine.yield(1) return 2 end) return co() + co()",
        "3",
    ),
    "no script knows that it runs in a coroutine": (
        "return tostring(coroutine.running()) .. select(2, pcall(function() coroutine.yield() end))",
        "nilhello:1: attempt to yield from outside a coroutine",
    ),
    "a coroutine of the script knows itself": (
        "local co co = coroutine.create(function() return coroutine.running() == co end) return tostring(select(2, coroutine.resume(co)))",
        "true",
    ),
    "goop.json.null says what it is": ("return goop.json.null", "null"),
    "goop.json.null refuses new keys": (
        "return select(2, pcall(function() goop.json.null.x = 1 end))",
        "hello:1: goop.json.null cannot be changed",
    ),
    "goop.json.null keeps its metatable": ("return tostring(pcall(setmetatable, goop.json.null, {}))", "false"),
    "the caller is known": ("return goop.peer.id .. goop.peer.label .. goop.self.id .. goop.self.label", "themThemusUs"),
}

BIT = {
    # expression: value, from the documentation of LuaJIT's BitOp
    "bit.tobit(0xffffffff)": "-1",
    "bit.tobit(0xffffffff + 1)": "0",
    "bit.tobit(2 ^ 40 + 1234)": "1234",
    "bit.tohex(1)": "00000001",
    "bit.tohex(-1)": "ffffffff",
    "bit.tohex(-1, 4)": "ffff",
    "bit.tohex(0x21, 4)": "0021",
    "bit.tohex(0xdeadbeef, -8)": "DEADBEEF",
    "bit.bnot(0)": "-1",
    "bit.bnot(0x12345678)": "-305419897",
    "bit.bor(1, 2, 4, 8)": "15",
    "bit.band(0x12345678, 0xff)": "120",
    "bit.bxor(0xa5a5f0f0, 0xaa55ff00)": "267390960",
    "bit.lshift(1, 0)": "1",
    "bit.lshift(1, 8)": "256",
    "bit.lshift(1, 40)": "256",
    "bit.rshift(256, 8)": "1",
    "bit.rshift(-256, 8)": "16777215",
    "bit.arshift(256, 8)": "1",
    "bit.arshift(-256, 8)": "-1",
    "bit.tohex(bit.lshift(0x87654321, 12))": "54321000",
    "bit.tohex(bit.rshift(0x87654321, 12))": "00087654",
    "bit.tohex(bit.arshift(0x87654321, 12))": "fff87654",
    "bit.tohex(bit.rol(0x12345678, 12))": "45678123",
    "bit.tohex(bit.ror(0x12345678, 12))": "67812345",
    "bit.tohex(bit.bswap(0x12345678))": "78563412",
    "bit.bswap(0x78563412)": "305419896",
    "bit.band('255', 15)": "15",
}


ADDRESS_FREE = (
    "tostring({})",
    "tostring(print)",
    "tostring(coroutine.create(print))",
    "tostring(string.rep)",
    "tostring(goop)",
    "tostring(_G)",
    "string.format('%s', {})",
    "string.format('%s %s %s %s', 1, 2, 3, print)",
    "('%10s'):format(print)",
    "select(2, pcall(string.format, '%q', {}))",
    "select(2, pcall(string.format, '%d %s %9q %q', 1, 'x', print, coroutine.create(print)))",
    "string.format('%p', {})",
    "string.format('%p', 'text')",
    "string.format('%5p%%p', print)",
    "string.format('%-20p|', coroutine.create(print))",
    "select(2, pcall(error, {}))",
    "setmetatable({}, {__metatable = false})",
    "setmetatable({}, {__index = {}})",
    "select(2, pcall(function() return {} .. 'x' end))",
    "select(2, pcall(table.concat, {{}}))",
    "select(2, pcall(function() return print + 1 end))",
    "select(2, pcall(next, {}, {}))",
    "select(2, pcall(string.rep, {}))",
    "select(2, pcall(goop.schema and goop.schema.insert or print, 't', {[{}] = 1}))",
    "select(2, pcall(setmetatable, {}, print))",
    "select(2, pcall(string.format, '%d', {}))",
    "select(2, pcall(goop.json.encode, {[{}] = 1}))",
    "select(2, pcall(assert, false, {}))",
    "select(2, pcall(ipairs))",
    "select(2, pcall(string.gsub, 'x', 'x', function() return {} end))",
)
"""Expressions in which Lua alone would show an address, or might."""


@pytest.mark.parametrize("expression", ADDRESS_FREE)
def test_no_address_is_shown(flavour: str, expression: str) -> None:
    source = f"""
      local function show() return {expression} end
      function handle() print((show())) goop.log.info((show())) return (show()) end
      function call() return tostring((show())) end"""
    as_command, as_function = run(flavour, source), run(flavour, source, b"{}", "function")
    assert as_command.code in ("ok", "script_error"), as_command.text
    texts = [as_command.text, as_function.text, *(text for ran in (as_command, as_function) for _, text in ran.lines)]
    for number in re.findall(r"0x[0-9a-f]+|(?<![0-9])[0-9a-f]{9,}", " ".join(texts)):
        assert int(number, 16) < 0x1000, texts


def test_a_number_stays_with_its_value_and_differs_from_others(flavour: str) -> None:
    body = """
      local a, b = {}, {}
      local same, other, formatted = tostring(a) == tostring(a), tostring(a) == tostring(b), tostring(a) == ("%s"):format(tostring(a))
      return tostring(same) .. tostring(other) .. tostring(formatted)"""
    assert reply_of(flavour, body) == "truefalsetrue"


FORMATS = {
    # call: what it gives, on both flavours
    "string.format('%5.1f|%-5s|%05d|%x|%q|%%|%c', 1.25, 'ab', 42, 255, 'q', 65)": '  1.2|ab   |00042|ff|"q"|%|A',
    "string.format('no arguments')": "no arguments",
    "('%s'):format('<p>')": "<p>",
    "string.format('%s', setmetatable({}, {__tostring = function() return 'me' end}) and 'me')": "me",
    "tostring(setmetatable({}, {__tostring = function() return 'me' end}))": "me",
    "tostring(nil) .. tostring(true) .. tostring(1.5) .. tostring('x')": "niltrue1.5x",
    "select(2, pcall(tostring))": "bad argument #1 to 'tostring' (value expected)",
}


@pytest.mark.parametrize("call", FORMATS)
def test_formatting_is_as_ever(flavour: str, call: str) -> None:
    assert reply_of(flavour, f"return {call}") == FORMATS[call]


@pytest.mark.parametrize("table", PRESENT)
def test_what_is_promised_is_there(flavour: str, table: str) -> None:
    missing = (
        f"for name in ('{PRESENT[table]}'):gmatch('%w+') do if type({table}[name]) ~= 'function' then return name end end return 'none'"
    )
    assert reply_of(flavour, missing) == "none"


@pytest.mark.parametrize("name", ABSENT)
def test_what_is_not_promised_is_not_there(flavour: str, name: str) -> None:
    assert reply_of(flavour, f"return tostring({name})") == "nil"


def test_nothing_of_the_binding_is_among_the_globals(flavour: str) -> None:
    kinds = "local seen = {} for _, v in pairs(_G) do seen[type(v)] = true end return tostring(seen.userdata) .. tostring(seen.cdata)"
    assert reply_of(flavour, kinds) == "nilnil"


@pytest.mark.parametrize("sentence", CONFORMANCE)
def test_conformance(flavour: str, sentence: str) -> None:
    body, expected = CONFORMANCE[sentence]
    assert reply_of(flavour, body) == expected


@pytest.mark.parametrize("expression", BIT)
def test_bit_operations(flavour: str, expression: str) -> None:
    assert reply_of(flavour, f"return {expression}") == BIT[expression]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("bit.band()", "hello:1: bad argument #1 to 'band' (number expected, got no value)"),
        ("bit.lshift(1)", "hello:1: bad argument #2 to 'lshift' (number expected, got no value)"),
        ("bit.bxor(1, {})", "hello:1: bad argument #2 to 'bxor' (number expected, got table)"),
    ],
)
def test_bit_operations_want_numbers(flavour: str, call: str, message: str) -> None:
    assert run(flavour, f"function handle() local x = {call} return x end").text == message


def test_the_bits_of_plain_lua_are_those_of_luajit() -> None:
    body = """
      local out, seed = {}, 12345
      local function word() seed = (seed * 1103515245 + 12345) % 2 ^ 31 return seed * 3 - 2 ^ 31 end
      for _ = 1, 100 do
        local a, b, n = word(), word(), word()
        for _, name in ipairs{'band', 'bor', 'bxor', 'lshift', 'rshift', 'arshift', 'rol', 'ror'} do out[#out + 1] = bit[name](a, b) end
        for _, name in ipairs{'bnot', 'bswap', 'tobit', 'tohex'} do out[#out + 1] = bit[name](n + 0.3) end
      end
      return table.concat(out, ' '):sub(1, 8000)"""
    assert reply_of("lua51", body) == reply_of("luajit21", body)


def test_goto_is_luajits() -> None:
    assert reply_of("luajit21", "local n = 0 ::again:: n = n + 1 if n < 3 then goto again end return n") == "3"


OUT_OF_MEMORY = 'local text = "x" while true do text = text .. text end'


@pytest.mark.parametrize(
    "body",
    [
        OUT_OF_MEMORY,
        f"coroutine.wrap(function() {OUT_OF_MEMORY} end)()",
        f"coroutine.wrap(function() return coroutine.wrap(function() {OUT_OF_MEMORY} end)() end)()",
    ],
)
def test_memory_that_ran_out_is_told_as_that_also_out_of_coroutines(flavour: str, body: str) -> None:
    ran = run(flavour, f"function handle() {body} end")
    assert (ran.code, ran.text) == ("memory", "memory limit exceeded")


@pytest.mark.parametrize("message", ["there is not enough memory", "hello:1: x", "hello:1: " * 50, "not enough memory today"])
def test_what_a_script_itself_says_of_memory_is_its_own_error(flavour: str, message: str) -> None:
    ran = run(flavour, f"function handle() error('{message}', 0) end")
    assert (ran.code, ran.text) == ("script_error", message)


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("command", "chat commands expr group http json kv listen log owner peer route self template use"),
        (
            "function",
            "chat commands config db expr group http json kv listen log orm owner peer route schema self site template transform use",
        ),
    ],
)
def test_who_walks_through_goop_sees_all_of_it(flavour: str, kind: str, names: str) -> None:
    body = "local names = {} for name in pairs(goop) do names[#names + 1] = name end table.sort(names) return table.concat(names, ' ')"
    source = f"function handle() {body} end function call() return handle() end"
    assert run(flavour, source, b"{}", kind).text.strip('"') == names


MEMBERS = {
    "a member is the same each time": ("local first = goop.kv return rawequal(first, goop.kv) and first.get == goop.kv.get", "true"),
    "there is none of another name": ("return tostring(goop.nope) .. tostring(goop[1]) .. tostring(goop[goop])", "nilnilnil"),
    "what a script puts there stays": ("goop.kv = 'mine' for _ in pairs(goop) do end return goop.kv", "mine"),
    "what a script took away stays away": ("local _ = goop.kv goop.kv = nil return tostring(goop.kv)", "nil"),
    "values beside functions": ("return tostring(goop.json.null) .. goop.group.member.id", "nullthem"),
}


@pytest.mark.parametrize(("body", "reply"), MEMBERS.values(), ids=MEMBERS)
def test_members_of_the_goop_table_are_made_when_they_are_asked_for(flavour: str, body: str, reply: str) -> None:
    assert run(flavour, f"function handle() local found = (function() {body} end)() return tostring(found) end").text == reply


@pytest.mark.parametrize(("value", "shown"), [("nil", "nil"), ("5", "number"), ("print", "function")])
def test_pairs_wants_a_table_and_says_so_at_the_scripts_line(flavour: str, value: str, shown: str) -> None:
    ran = run(flavour, f"function handle()\n  for _ in pairs({value}) do end\nend")
    assert ran.text == f"hello:2: bad argument #1 to 'pairs' (table expected, got {shown})"


@pytest.mark.parametrize(
    ("gives", "code", "text"),
    [
        ("'me'", "ok", "me"),
        ("5", "ok", "5"),
        ("{}", "script_error", "the __tostring of what handle returned gives a table"),
        ("nil", "script_error", "the __tostring of what handle returned gives a nil"),
    ],
)
def test_a_reply_is_what_its_tostring_gives(flavour: str, gives: str, code: str, text: str) -> None:
    ran = run(flavour, f"function handle() return setmetatable({{}}, {{__tostring = function() return {gives} end}}) end")
    assert (ran.code, ran.text) == (code, text)


@pytest.mark.parametrize("first", ["nil", "'ok'", "{}"])
@pytest.mark.parametrize("more", ["'forbidden'", "'forbidden', 'by me'", "'forbidden', 'by me', 'forbidden', {code = 'forbidden'}"])
def test_what_else_a_script_returns_is_never_an_error_class(flavour: str, first: str, more: str) -> None:
    """Only scripts of ours answer nil, error class, message."""
    for kind, entry, argument in (("command", "handle", b""), ("function", "call", b"{}")):
        ran = run(flavour, f"function {entry}() return {first}, {more} end", argument, kind)
        assert (ran.code, "forbidden" in ran.text) == ("ok", False), ran
        if kind == "command":
            given = f"setmetatable({{}}, {{__tostring = function() return 'x', {more} end}})"
            assert run(flavour, f"function {entry}() return {given}, {more} end").code == "ok"


def test_two_calls_draw_different_numbers(flavour: str) -> None:
    draw = "return math.random(2 ^ 30) .. ' ' .. math.random(2 ^ 30)"
    assert len({reply_of(flavour, draw) for _ in range(5)}) == 5


def test_nothing_of_one_call_is_seen_by_the_next(flavour: str) -> None:
    spoil = """
      string.rep, table.leak, _G.leak, math.pi = nil, 1, 1, 3
      getmetatable('').__index = function() return 'spoiled' end
      getmetatable('').__concat = function() return 'spoiled' end
      goop.json.encode, goop.leak = nil, 1
      return 'done'"""
    look = """
      return tostring(leak) .. tostring(table.leak) .. tostring(goop.leak) .. ('x'):rep(2) .. type(goop.json.encode)
        .. tostring(math.pi > 3.1) .. tostring(getmetatable('').__concat)"""
    assert reply_of(flavour, spoil) == "done"
    assert reply_of(flavour, look) == "nilnilnilxxfunctiontruenil"


def test_a_metatable_of_a_table_is_not_followed_when_it_is_written_as_json(flavour: str) -> None:
    body = "return goop.json.encode(setmetatable({1}, {__index = error, __len = error, __pairs = error, __tostring = error}))"
    assert reply_of(flavour, body) == "[1]"


TAMPERED = {
    # what the script did: (before, what it then asks for, the answer)
    "replaced every function it can reach": (
        "local type = type for _, lib in ipairs{string, table, math, coroutine, bit, os} do for k in pairs(lib) do lib[k] = error end end "
        "for k, v in pairs(_G) do if type(v) == 'function' and k ~= 'handle' and k ~= 'error' and k ~= 'pairs' then _G[k] = error end end",
        "return goop.json.encode({a = {1, 'x', true}})",
        '{"a":[1,"x",true]}',
    ),
    "set the metatable of strings": (
        "for _, k in ipairs{'__index', '__concat', '__eq', '__lt', '__tostring', '__call'} do getmetatable('')[k] = error end",
        "return goop.json.encode({a = 'x'})",
        '{"a":"x"}',
    ),
    "emptied the goop table": ("for k in pairs(goop) do goop[k] = nil end", "return tostring(goop.peer)", "nil"),
    "set fields of the goop table before anything was asked of it": (
        "goop.json = {encode = function() return 'mine' end}",
        "return goop.json.encode(1)",
        "mine",
    ),
    "put its own functions where goop's were": ("goop.log.info = function() return 'mine' end", "return goop.log.info('x')", "mine"),
    "put a metatable on the goop table": (
        "pcall(setmetatable, goop, {__index = function() return function() return 'mine' end end})",
        "return type(goop.json.encode)",
        "function",
    ),
    "set goop to nil": ("goop = nil", "return tostring(goop)", "nil"),
}


@pytest.mark.parametrize("what", TAMPERED)
def test_goop_is_the_scripts_own_to_spoil_and_nobody_elses(flavour: str, what: str) -> None:
    before, asks, answer = TAMPERED[what]
    assert reply_of(flavour, f"{before} {asks}") == answer
    assert reply_of(flavour, "return goop.json.encode(goop.peer.id)") == '"them"'


def test_a_tampered_script_gets_its_result_out_all_the_same(flavour: str) -> None:
    source = "for _, lib in ipairs{string, table, math} do for k in pairs(lib) do lib[k] = nil end end function call() return {a = 'é'} end"
    assert run(flavour, source, b"{}", "function").text == '{"a":"é"}'
