"""What an attacker writes: a sentence, the Lua, and what may come of it.

`{...}` of a case is put where the attack is to happen: at the top level of the script and inside its function.
"""

from __future__ import annotations

from dataclasses import dataclass

OK, ERROR, MEMORY, TIMEOUT = "ok", "script_error", "memory", "timeout"


@dataclass(frozen=True)
class Case:
    """`may` holds the outcomes allowed on any flavour; `function` cases give results, so they have no top level."""

    body: str
    may: tuple[str, ...]
    function: bool = False


FOREVER = {
    "an endless loop": "while true do end",
    "an endless loop inside pcall": "while true do pcall(function() while true do end end) end",
    "an endless loop around pcall": "while true do pcall(error) end",
    "an endless loop inside the handler of xpcall": "xpcall(error, function() while true do end end)",
    "an endless loop inside a coroutine": "coroutine.wrap(function() while true do end end)()",
    "coroutines that resume one another for ever": (
        "local a = coroutine.wrap(function() while true do coroutine.yield() end end) while true do a() end"
    ),
    "an endless loop inside __index": "local x = setmetatable({}, {__index = function() while true do end end}).x",
    "an endless loop inside __tostring": "tostring(setmetatable({}, {__tostring = function() while true do end end}))",
    "an endless loop inside __concat": "local x = setmetatable({}, {__concat = function() while true do end end}) .. 'x'",
    "an endless loop inside an error object's __tostring": "error(setmetatable({}, {__tostring = function() while true do end end}))",
    "an endless tail call": "local function f() return f() end return f()",
    "a pattern that explodes": "(('a'):rep(35)):find(('a?'):rep(35) .. ('a'):rep(35) .. 'b')",
    "a pattern with many wildcards": "(('a'):rep(5000)):find(('.-'):rep(8) .. 'b')",
    "a balanced match over and over": "while true do (('('):rep(1e5)):find('%b()') end",
    "gsub with a looping callback": "local s = ('x'):gsub('x', function() while true do end end)",
    "a comparator that never comes back": "table.sort({3, 2, 1}, function() while true do end end)",
    "memory errors caught by pcall in a loop": (
        "local function fill() local t = {} while true do t = {t, ('x'):rep(1e5)} end end while true do pcall(fill) end"
    ),
    "long strings made over and over": "while true do pcall(string.rep, 'x', 5e6) end",
    "a flood of log lines": "while true do print('x') end",
    "a flood of large log lines": "local s = ('x'):rep(1e6) while true do goop.log.error(s) end",
    "a reader function of load that never ends": "load(function() while true do end end)",
    "load over and over": "local s = 'return ' .. ('{'):rep(150) .. ('}'):rep(150) while true do load(s) end",
    "a loop through bit operations and os.clock": "while true do local x = bit.bxor(os.clock() * 1e6, 5) end",
    "JSON over and over": "local t = {} for i = 1, 1e4 do t[i] = i end while true do goop.json.decode(goop.json.encode(t)) end",
}

AT_ONCE = {
    "string.rep to a gigabyte": Case("local s = ('x'):rep(1e9)", (MEMORY,)),
    "string.rep to a hundred gigabytes": Case("local s = ('x'):rep(1e11)", (MEMORY, OK)),
    "a string doubled": Case("local s = 'x' while true do s = s .. s end", (MEMORY, ERROR)),
    "a table that grows": Case("local t = {} while true do t[#t + 1] = {} end", (MEMORY,)),
    "a table with holes that grows": Case("local t, i = {}, 1 while true do t[i] = i i = i * 1.001 + 1 end", (MEMORY, ERROR, TIMEOUT)),
    "a million closures": Case("local t = {} for i = 1, 1e6 do t[i] = function() return i end end", (MEMORY,)),
    "a million coroutines": Case("local t = {} for i = 1, 1e6 do t[i] = coroutine.create(print) end", (MEMORY,)),
    "an error message of a hundred megabytes": Case("error(('x'):rep(1e8))", (MEMORY,)),
    "an error message of four megabytes": Case("error(('x'):rep(2 ^ 21), 0)", (ERROR, MEMORY)),
    "an error object that describes itself in a hundred megabytes": Case(
        "error(setmetatable({}, {__tostring = function() return ('x'):rep(1e8) end}))", (ERROR, MEMORY)
    ),
    "gsub that makes ten gigabytes": Case("local s = (('x'):rep(1e5)):gsub('x', ('y'):rep(1e5))", (MEMORY,)),
    "table.concat that makes a gigabyte": Case(
        "local s, t = ('x'):rep(1e6), {} for i = 1, 1000 do t[i] = s end s = table.concat(t)", (MEMORY,)
    ),
    "endless recursion": Case("local function f() return 1 + f() end f()", (ERROR,)),
    "endless recursion with many arguments": Case("local function f(...) return 1 + f(1, ...) end f()", (ERROR, MEMORY, TIMEOUT)),
    "endless recursion through a metamethod": Case(
        "local t = setmetatable({}, {}) getmetatable(t).__index = function(s, k) return s[k .. 'x'] end local x = t.x", (ERROR, MEMORY)
    ),
    "endless recursion through coroutines": Case("local function f() return coroutine.wrap(f)() end f()", (ERROR, MEMORY)),
    "endless recursion through pcall": Case("local function f() return pcall(f) end f() while false do end", (OK, ERROR, MEMORY)),
    "recursion five hundred deep": Case("local function f(n) return n == 0 and 0 or 1 + f(n - 1) end assert(f(500) == 500)", (OK,)),
    "a parse bomb of brackets": Case("assert(not load('return ' .. ('('):rep(1e5)))", (OK,)),
    "a parse bomb of tables": Case("assert(not load('return ' .. ('{'):rep(1e5)))", (OK,)),
    "a parse bomb of constants": Case(
        "local t = {} for i = 1, 7e4 do t[i] = '[[' .. i .. ']]' end assert(not load('return ' .. table.concat(t, '..')))", (OK, MEMORY)
    ),
    "a parse bomb of concatenations": Case("assert(not load('return ' .. ('a..'):rep(2e5) .. 'a'))", (OK, MEMORY)),
    "bytecode through load": Case("assert(not load('\\27LJ\\2\\0')) assert(not loadstring('\\27Lua\\81'))", (OK,)),
    "a comparator that lies": Case(
        "local t = {} for i = 1, 1e4 do t[i] = i % 7 end table.sort(t, function() return true end)", (OK, ERROR)
    ),
    "unpack of ten million": Case("local x = {unpack({}, 1, 1e7)}", (ERROR, MEMORY)),
    "unpack of more than integers can count": Case("local x = {unpack({}, -2 ^ 31, 2 ^ 31 - 1)}", (ERROR,)),
    "unpack up to a number that is none": Case("local x = {unpack({}, 0 / 0, 2 ^ 31 - 1)}", (OK, ERROR)),
    "unpack from far below an empty table": Case("local x = {unpack({}, -2 ^ 31)}", (ERROR,)),
    "a pattern of a hundred thousand parts": Case("(('a'):rep(1e5)):find(('a?'):rep(1e5))", (OK, ERROR)),
    "a print of five megabytes": Case("print(('x'):rep(5e6))", (OK, MEMORY)),
    "a raised coroutine": Case("error(coroutine.create(print))", (ERROR,)),
    "an error in an error's __tostring": Case("error(setmetatable({}, {__tostring = function() error('x') end}))", (ERROR,)),
    "a result inside itself": Case("local t = {} t.t = t return t", (ERROR,), True),
    "a result of a million keys": Case("local t = {} for i = 1, 1e6 do t['k' .. i] = i end return t", (MEMORY,), True),
    "a result of two megabytes": Case("return ('x'):rep(2e6)", (ERROR, MEMORY), True),
    "a result of 500 levels": Case("local t = {} for i = 1, 500 do t = {t} end return t", (ERROR,), True),
}

CASES = {sentence: Case(body, (TIMEOUT,)) for sentence, body in FOREVER.items()} | AT_ONCE
