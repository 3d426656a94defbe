"""The end of a script's stack: a host call that meets it leaves the memory limit on and no transaction open.

Each function of the goop table is called at every depth around the edge, on both flavours, in stacks of Lua frames, of
C calls (pcall) and of a coroutine, and answered with every shape a host answer has.
"""

from __future__ import annotations

import json
from typing import Final

import pytest
from tests.sandbox.machines import MEMORY_BYTES, flavour_named

from goop2.sandbox.messages import Scalar
from goop2.sandbox.vm import VirtualMachine
from goop2.scripting.api import FUNCTIONS, ExecutionSite, Function

COLUMNS: Final = 40
ROWS: Final = 50
ANSWERS: Final[dict[str, tuple[Scalar, ...]]] = {
    "v": (b"v", b"text"),
    "vv": (b"vv", None, b"refused"),
    "jj": (b"jj", b'["a",{"b":[1,2,3]}]', b'{"c":{}}'),
    "R": (b"R", False, COLUMNS, *(b"c%d" % number for number in range(COLUMNS)), *(b"x",) * (COLUMNS * ROWS)),
    "r": (b"r", False, 2, b"a", b"b", 1, b"x"),
    "!": (b"!", b"no"),
}
"""Shape (calls.lua) → an answer of it."""

BELOW_THE_EDGE: Final = 120
"""Depths under the deepest that are tried: a frame here takes three slots or more, a call of ours some hundred."""

ARGUMENTS: Final = {
    "string": "'x'",
    "number": "1",
    "whole": "1",
    "boolean": "true",
    "table": "{}",
    "function": "function() return 1 end",
    "value": "1, 'x'",
    "json": "{a = {1, 2}}",
    "row": "{a = 1, b = 'x'}",
    "any": "{1, 2}",
    "options": "{where = 'a = 1'}",
    "data": "{a = 1}",
}

SWEEP: Final = """
local function work() local x = %s end
local tried, lifted, b = 0, {}, ('x'):rep(1024 * 1024)
local function too_much() return b .. b .. b .. b .. b .. b .. b .. b .. b .. b .. b end

local function attempt(n)
  tried = tried + 1
  pcall(work)
  if pcall(too_much) then lifted[#lifted + 1] = n end
end

local deepest, last
-- Walks down to `last`, and calls at every depth on the way back; `padding` shifts the slots.
local function lua_frames(n, padding)
  deepest = n
  if n < last then lua_frames(n + 1, padding) end
  if n > last - BELOW then pcall(attempt, n) end
  return n
end
local function wide_frames(n, a, b, c)
  local d, e, f, g = a, b, c, n
  deepest = n
  if n < last then wide_frames(n + 1, d, e, f) end
  if n > last - BELOW then pcall(attempt, n) end
  return g
end
local function c_calls(n)
  deepest = n
  if n < last then pcall(c_calls, n + 1) end
  if n > last - BELOW then pcall(attempt, n) end
  return n
end
local function in_coroutine(n)
  coroutine.resume(coroutine.create(lua_frames), n)
end

function call()
  for _, walk in ipairs{lua_frames, wide_frames, c_calls, in_coroutine} do
    local whole = work
    last, work = math.huge, function() end
    pcall(walk, 1)
    last, work = deepest, whole
    while not pcall(walk, 1) do last = last - 1 end -- so near the edge that not even pcall finds room
  end
  return {tried = tried, lifted = lifted}
end
""".replace("BELOW", str(BELOW_THE_EDGE))

HOST_CALLS = tuple(function for function in FUNCTIONS if function.place is not ExecutionSite.VM or function.name.startswith("log."))


def called(function: Function) -> str:
    return f"goop.{function.name}({', '.join(ARGUMENTS[parameter.type] for parameter in function.parameters)})"


@pytest.mark.parametrize("name", ["print", *(function.name for function in HOST_CALLS)])
def test_no_host_call_at_the_end_of_the_stack_lifts_the_memory_limit(flavour: str, name: str) -> None:
    call = "print('x')" if name == "print" else called(next(function for function in HOST_CALLS if function.name == name))
    shapes = ANSWERS if name in ("db.query", "http.get") else {"v": ANSWERS["v"]}
    for shape, answer in shapes.items():
        tried, lifted = swept(flavour, call, answer, [])
        assert lifted == [], shape
        assert tried > 200


def test_a_transaction_at_the_end_of_the_stack_is_always_ended(flavour: str) -> None:
    asked: list[bytes] = []
    swept(flavour, "goop.db.transaction(function() goop.db.exec('x') return 1, 2, 3 end)", ANSWERS["v"], asked)
    open_ones = 0
    for operation in asked:
        open_ones += (operation == b"db.begin") - (operation in (b"db.commit", b"db.rollback"))
        assert open_ones in (0, 1)
    assert open_ones == 0
    assert asked.count(b"db.commit") > 100


def swept(flavour: str, call: str, answer: tuple[Scalar, ...], asked: list[bytes]) -> tuple[int, list[int]]:
    """At how many depths `call` was made, and after which of them the limit was off."""

    def host(operation: bytes, *_arguments: Scalar) -> tuple[Scalar, ...]:
        asked.append(operation)
        return (b"v", None) if operation in (b"log", b"db.begin", b"db.commit", b"db.rollback") else answer

    vm = VirtualMachine(flavour_named(flavour), host, MEMORY_BYTES)
    bytecode = vm.compile("hello", (SWEEP % call).encode())
    outcome = vm.run("function", "hello", bytecode, b"{}", ("them", "Them"), ("us", "Us"))
    assert outcome.code == "ok", outcome.payload
    found = json.loads(outcome.payload)
    return found["tried"], found["lifted"]
