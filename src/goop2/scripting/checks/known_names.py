"""Which globals a script has: the libraries of the sandbox (behaviour.md, "The sandbox"). scripting/goop_names.py knows the goop table.

tests/scripting/checks/test_known_names.py compares them with a real VM.
"""

from __future__ import annotations

from typing import Final

GLOBALS: Final = frozenset(
    {
        *("_G", "_VERSION", "assert", "collectgarbage", "error", "getmetatable", "ipairs", "load", "loadstring", "next", "pairs"),
        *("pcall", "print", "rawequal", "rawget", "rawset", "select", "setmetatable", "tonumber", "tostring", "type", "unpack"),
        *("xpcall", "goop", "string", "table", "math", "os", "coroutine", "bit"),
    }
)
LIBRARIES: Final = {
    "string": frozenset(
        {"byte", "char", "find", "format", "gfind", "gmatch", "gsub", "len", "lower", "match", "rep", "reverse", "sub", "upper"}
    ),
    "table": frozenset({"concat", "foreach", "foreachi", "getn", "insert", "maxn", "move", "remove", "setn", "sort"}),
    "math": frozenset(
        {
            *("abs", "acos", "asin", "atan", "atan2", "ceil", "cos", "cosh", "deg", "exp", "floor", "fmod", "frexp", "huge", "ldexp"),
            *("log", "log10", "max", "min", "mod", "modf", "pi", "pow", "rad", "random", "randomseed", "sin", "sinh", "sqrt", "tan"),
            "tanh",
        }
    ),
    "os": frozenset({"clock", "date", "difftime", "time"}),
    "coroutine": frozenset({"create", "isyieldable", "resume", "running", "status", "wrap", "yield"}),
    "bit": frozenset({"arshift", "band", "bnot", "bor", "bswap", "bxor", "lshift", "rol", "ror", "rshift", "tobit", "tohex"}),
}
"""Library → its members, of LuaJIT and of plain Lua."""
ABSENT: Final = {
    **dict.fromkeys(("io", "package", "require", "module", "dofile", "loadfile"), "a script reaches no files"),
    **dict.fromkeys(("debug", "ffi", "jit", "newproxy", "gcinfo"), "a script does not reach what it runs on"),
    **dict.fromkeys(("getfenv", "setfenv"), "a function's globals are not changed"),
}
"""What Lua has elsewhere and the sandbox has not → why."""
