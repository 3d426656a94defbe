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
    "a comparison that never ends, while sorting": (
        "local m = {__lt = function() while true do end end} table.sort({setmetatable({}, m), setmetatable({}, m)})"
    ),
    "an insertion a billion places below": "table.insert({1, 2, 3}, -1e9, 5)",
    "gmatch with many wildcards": "for _ in (('a'):rep(1e5)):gmatch('.-.-.-.-b') do end",
    "captures and wildcards before what never comes": "(('a'):rep(3e5)):match(('()'):rep(30) .. ('a*'):rep(4) .. 'b')",
    "an endless __index of the globals": "setmetatable(_G, {__index = function() while true do end end}) local x = nosuch",
    "an endless __concat of all strings": "getmetatable('').__concat = function() while true do end end local x = {} .. 'x'",
    "a count to infinity": "for i = 1, math.huge do end",
    "arithmetic in machine code": "local x = 0 for i = 1, 1e12 do x = x + math.sin(i) end",
    "host calls over and over": "while true do pcall(goop.commands) end",
    "host calls in coroutines over and over": "while true do coroutine.wrap(function() pcall(goop.kv.get, 'x') end)() end",
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
    "unpack from beyond integers back to them": Case(
        "for _, n in ipairs{2 ^ 31, 2 ^ 32, 2 ^ 53, 1e300} do unpack({}, n, 2 ^ 31 - 1) end", (OK, ERROR)
    ),
    "unpack from far below an empty table": Case("local x = {unpack({}, -2 ^ 31)}", (ERROR,)),
    "a pattern of a hundred thousand parts": Case("(('a'):rep(1e5)):find(('a?'):rep(1e5))", (OK, ERROR)),
    "a print of five megabytes": Case("print(('x'):rep(5e6))", (OK, MEMORY)),
    "a number a hundred million digits wide": Case("string.format('%99999999d', 5)", (ERROR,)),
    "a date of two megabytes": Case("os.date(('%c'):rep(5e5))", (MEMORY,)),
    "dates and times nobody has": Case(
        "for _, t in ipairs{1e300, -1e300, 0 / 0, 2 ^ 55} do pcall(os.date, '*t', t) "
        "pcall(os.time, {year = t, month = t, day = -t}) end for i = 0, 255 do pcall(os.date, '%' .. string.char(i)) end",
        (OK,),
    ),
    "numbers in every base": Case("for base = -1, 40 do pcall(tonumber, ('z'):rep(1e5), base) end pcall(tonumber, '1', 1e300)", (OK,)),
    "gsub from a table that grows": Case(
        "local s = (('x'):rep(1e5)):gsub('.', setmetatable({}, {__index = function() return ('z'):rep(1e3) end}))", (MEMORY,)
    ),
    "patterns that are none": Case(
        "for _, p in ipairs{'%', '[', '[^', '[]', '[a-', '(', ')', '%1', '%b', '%bx', '%f', '(()', '[%', '\\0'} do "
        "pcall(string.find, 'abc', p) pcall(string.gsub, 'abc', p, '%9') end",
        (OK,),
    ),
    "forty captures": Case("(('a'):rep(100)):find(('(a)'):rep(40))", (ERROR,)),
    "a comparator that yields": Case(
        "coroutine.wrap(function() table.sort({3, 2, 1}, function(a, b) coroutine.yield() return a < b end) end)()", (ERROR,)
    ),
    "sorting inside sorting": Case("local function f() table.sort({3, 2, 1}, f) return false end f()", (ERROR,)),
    "a yield to nobody": Case("coroutine.yield('x')", (ERROR,)),
    "a tower of coroutines, each inside the other": Case(
        "local function f(n) return coroutine.wrap(function() return f(n + 1) end)() end f(1)", (ERROR, MEMORY)
    ),
    "a chain of a hundred thousand metatables": Case(
        "local t = {} for i = 1, 1e5 do t = setmetatable({}, {__index = t, __newindex = t}) end local x = t.x", (MEMORY,)
    ),
    "a ring of metatables": Case(
        "local a, b = {}, {} setmetatable(a, {__index = b}) setmetatable(b, {__index = a}) local x = a.x", (ERROR,)
    ),
    "all globals taken away": Case("local all = _G for name in pairs(all) do all[name] = nil end", (OK,)),
    "an error that describes itself as a table": Case("error(setmetatable({}, {__tostring = function() return {} end}))", (ERROR,)),
    "an error of nothing, a billion levels up": Case("error(nil, 1e9)", (ERROR,)),
    "a handler of xpcall that fails": Case("xpcall(error, function() error('x') end)", (OK,)),
    "JSON of a hundred thousand levels": Case("assert(not goop.json.decode(('['):rep(1e5)))", (OK,)),
    "JSON that is none": Case(
        "for _, s in ipairs{'01', '1.', '+1', 'NaN', '1e999', '\"\\\\ud800', '[1,]', '{\"a\"', '\"\\255\"', ''} do "
        "assert(not goop.json.decode(s), s) end",
        (OK,),
    ),
    "a parse bomb of functions": Case("assert(not load(('return function() '):rep(300) .. ('end '):rep(300)))", (OK,)),
    "a parse bomb of operators": Case(
        "assert(not load('return ' .. ('not '):rep(1e5) .. 'x')) assert(not load('return ' .. ('2^'):rep(1e5) .. '1'))", (OK,)
    ),
    "bytecode behind a line for the shell": Case("assert(not load('#\\n\\27LJ\\2')) assert(not load('\\239\\187\\191\\27Lua\\81'))", (OK,)),
    "a raised coroutine": Case("error(coroutine.create(print))", (ERROR,)),
    "an error in an error's __tostring": Case("error(setmetatable({}, {__tostring = function() error('x') end}))", (ERROR,)),
    "a result inside itself": Case("local t = {} t.t = t return t", (ERROR,), True),
    "a result of a million keys": Case("local t = {} for i = 1, 1e6 do t['k' .. i] = i end return t", (MEMORY,), True),
    "a result of two megabytes": Case("return ('x'):rep(2e6)", (ERROR, MEMORY), True),
    "a result of 500 levels": Case("local t = {} for i = 1, 500 do t = {t} end return t", (ERROR,), True),
}

CASES = {sentence: Case(body, (TIMEOUT,)) for sentence, body in FOREVER.items()} | AT_ONCE
