"""Invariant: no function a script has ends or holds a worker, whatever its arguments; it answers, or raises an error of the script's.

Each seed is one call that uses functions of Lua's library, or of the goop table, hundreds of times with odd arguments. It found that
plain Lua's unpack copies beyond the stack.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tests.scripting.workshop import invocation_of, open_pool, script_of, setup_of, stranger
from tests.storage.manual import call, peer_with

from goop2.sandbox.vm import FLAVOURS
from goop2.scripting.limits import InvocationLimits

SEEDS = range(150)
SECONDS = 20.0

LIBRARY = """
take("", _G)
for _, library in ipairs({ "string", "table", "math", "os", "bit", "coroutine" }) do
  take(library .. ".", _G[library])
end
take("json.", goop.json)
"""

GOOP = """
for _, group in ipairs({ "db", "http", "json", "kv", "listen", "schema", "site" }) do
  take(group .. ".", goop[group])
end
take("", { commands = goop.commands })
"""

SCRIPT = r"""
local LEFT_OUT = { -- what calls back on its own, or is meant to take as long as it is told
  print = true, error = true, load = true, loadstring = true, setmetatable = true, collectgarbage = true,
  ["string.rep"] = true, ["table.insert"] = true, ["table.concat"] = true, ["table.move"] = true, ["table.remove"] = true,
}

local functions, names = {}, {}
local function take(prefix, library)
  for name, member in pairs(library) do
    if type(member) == "function" and not LEFT_OUT[prefix .. name] then
      names[#names + 1] = prefix .. name
      functions[prefix .. name] = member
    end
  end
end
@take
table.sort(names)

local COUNT = 125
local function odd_values()
  local waiting = coroutine.create(function(...) coroutine.yield(...) end)
  local obliging = { __index = function(_, name) return name end, __call = function(...) return ... end }
  obliging.__tostring, obliging.__lt = function() return "T" end, function() return true end
  local long = {}
  for place = 1, 100 do
    long[place] = place
  end
  return {
    nil, true, false, 0, 1, -1, 2, 3, 7999, 8000, 65536, 0.5, -0.5, 0 / 0, 1 / 0, -1 / 0, 1e300, -1e300,
    2 ^ 31 - 1, 2 ^ 31, -2 ^ 31, -2 ^ 31 - 1, 2 ^ 32, 2 ^ 32 + 1, 2 ^ 53, -2 ^ 53, 2 ^ 63, -2 ^ 63,
    "", "a", "abc", "%", "%d", "%s%s%s", "%5.3f", "%q", "%c", "%99d", "(", "[", "[^", "%b()", ".-", "(.)(.)", "%1", "^a*$",
    "\0", "a\0b", "\255\254", "1e5", "0x10", "  12 ", "-", "*t", "!%c", "%Y-%m-%d", "#", "-1", ("x"):rep(1000), ("ab"):rep(5000),
    {}, { 1, 2, 3 }, { 3, 1, 2 }, { a = 1 }, { 1, nil, 3 }, { "x", "y" }, long, setmetatable({}, obliging),
    { year = 2020, month = 1, day = 1 }, { year = -1e9, month = 1e9, day = 0 / 0 },
    function(...) return ... end, function() error("e") end, function() return true end, function() return {} end,
    "t", "t", "t", "nosuch", "_py_kv", "_id", "SELECT 1", "SELECT ?", "INSERT INTO t (a) VALUES (?)", "DELETE FROM t", "a = ?", "1)", "--",
    "index.html", "../x", "x.mp3", "http://127.0.0.1/", ("x"):rep(70000), ("x"):rep(1100000),
    { a = "x" }, { a = 0 / 0 }, { a = goop.json.null }, { a = {} }, { { name = "a", type = "text" } }, { { name = "b", type = "integer" } },
    { { name = "z", type = "enum", values = { "q" } } }, { where = "a = ?", args = { 1 } }, { where = 5 }, { limit = -1 },
    { limit = 2 ^ 53 }, { order = "a DESC", fields = { "a" } }, { fields = {} }, { headers = { 1 } }, { policy = { insert = "zzz" } },
    function() goop.db.exec("UPDATE t SET a = 2") end, goop.json.object({}),
    waiting, coroutine.wrap(function() end), string, goop, goop.json.null, print, string.rep,
  }
end

local function play(seed, times)
  math.randomseed(seed)
  local random, values, of_ours = math.random, odd_values(), {}
  for _ = 1, times do
    local arguments = {}
    local count = random(0, 4)
    for place = 1, count do
      arguments[place] = values[random(COUNT)]
    end
    local name = names[random(#names)]
    local done, first, second = pcall(functions[name], arguments[1], arguments[2], arguments[3], arguments[4])
    local message = tostring(not done and first or second)
    if message:find("in the host", 1, true) or message:find("in the peer", 1, true) or message:find("[goop]", 1, true) then
      of_ours[#of_ours + 1] = name .. ": " .. message
    end
  end
  return of_ours
end

function handle(seed)
  local of_ours = play(tonumber(seed), 400)
  return #of_ours == 0 and "none" or table.concat(of_ours, "\n")
end

function call(request)
  goop.schema.create("t", { { name = "a", type = "text" } })
  return play(request.params.seed, 60)
end
"""


@pytest.mark.parametrize("flavour", FLAVOURS)
async def test_no_argument_of_any_library_function_harms_a_worker(flavour: str) -> None:
    script = script_of(SCRIPT.replace("@take", LIBRARY), name="fuzz")
    side_by_side = asyncio.Semaphore(2)
    async with open_pool(InvocationLimits(workers=8), setup_of(flavour)) as pool:

        async def answer(seed: int) -> bytes:
            async with side_by_side:
                return (await pool.run(invocation_of(script, stranger(seed % 2), SECONDS, str(seed).encode()))).payload

        answers = await asyncio.gather(*map(answer, SEEDS))
    assert {seed: text for seed, text in zip(SEEDS, answers, strict=True) if text != b"none"} == {}


async def test_no_argument_of_any_goop_function_meets_a_mistake_of_ours(tmp_path: Path) -> None:
    async with peer_with(tmp_path, {"fuzz": SCRIPT.replace("@take", GOOP)}, http_enabled=True, timeout_seconds=SECONDS) as peer:
        answers = [await call(peer, "fuzz", {"seed": seed}) for seed in SEEDS]
    assert {seed: answer for seed, answer in zip(SEEDS, answers, strict=True) if answer != []} == {}
